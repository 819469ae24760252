"""Greedy decoding by steps of one shape, which can be compiled, or captured and replayed."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from asr_scaling.engine.transformers._greedy_decoding import Greedy, Rules, Steps

if TYPE_CHECKING:
    import torch

    from asr_scaling.engine.transformers._greedy_decoding import Choose

SHAPES = 16
"""Shapes that are kept. Each has keys and values of its own: at most 1.1 GB for 16 utterances of
Whisper small in float16 (12 layers, 1500 + 448 positions, width 768)."""
Capture = Callable[[Callable[[], None]], Callable[[], None]]
"""From a step to what replays it."""


class FixedGreedy(Greedy):
    """Gives the same tokens as Greedy by steps of one shape.

    Utterances that have ended stay in the batch, and their tokens are ignored. For each number of
    utterances and frames the memory is allocated once and the step captured once. Of more than
    SHAPES the least recently used one is dropped.

    ``capture``: captures a step; None to run it as it is.
    ``capture_s``: seconds spent on capturing so far, None when nothing is captured.
    """

    def __init__(
        self, model: Any, rules: Rules, device: torch.device, capture: Capture | None = None
    ) -> None:
        super().__init__(model, rules, device)
        self._capture, self._shapes = capture, dict[tuple[int, int], _Shape]()
        self.capture_s = None if capture is None else 0.0

    def start(
        self,
        encoded: torch.Tensor,
        positions: int,
        languages: list[str | None],
        choose: Choose | None = None,
    ) -> Steps:
        """Begins to decode ``encoded``; there is always room for all positions.

        ``choose``: not taken, for the choice is in the step.
        """
        key = (int(encoded.shape[0]), int(encoded.shape[1]))
        if key in self._shapes:
            self._shapes[key] = self._shapes.pop(key)  # the last to be forgotten
            self._shapes[key].fill(encoded)
        else:
            if len(self._shapes) == SHAPES:
                del self._shapes[next(iter(self._shapes))]
            self._shapes[key] = _Shape(self, encoded)
            if self._capture is not None and self.capture_s is not None:
                start = time.perf_counter()
                self._shapes[key].step = self._capture(self._shapes[key].step)
                self.capture_s += time.perf_counter() - start
        return _Replayed(self._shapes[key], languages)


class _Shape:
    """The memory of batches of one shape, and the step that works on it."""

    def __init__(self, greedy: Greedy, encoded: torch.Tensor) -> None:
        import torch

        self._greedy = greedy
        self.cache = greedy.decoder.start(encoded, greedy.decoder.longest)
        allowed = torch.ones(
            greedy.decoder.longest, greedy.decoder.longest, dtype=torch.bool, device=encoded.device
        )
        self.cache.mask = allowed.tril()
        self.tokens = torch.zeros(self.cache.rows, 1, dtype=torch.long, device=encoded.device)
        self.position = torch.zeros(1, dtype=torch.long, device=encoded.device)
        self.step: Callable[[], None] = self._step

    def fill(self, encoded: torch.Tensor) -> None:
        """The next batch: its cross keys and values take the place of the last one's."""
        fresh = self._greedy.decoder.cross(encoded)
        for (key, value), (new_key, new_value) in zip(self.cache.cross, fresh, strict=True):
            key.copy_(new_key)
            value.copy_(new_value)

    def first(self, languages: list[str | None]) -> None:
        """The prompt, which has a shape of its own, and the first token after it."""
        prompt = self._greedy.prompt(self.cache, languages)
        logits = self._greedy.decoder.step(prompt, 0, self.cache)
        self.tokens.copy_(self._greedy.choose(logits, first=True)[:, None])
        self.position.fill_(prompt.shape[1])

    def _step(self) -> None:
        logits = self._greedy.decoder.step(self.tokens, self.position, self.cache)
        self.tokens.copy_(self._greedy.choose(logits, first=False)[:, None])
        self.position.add_(1)


class _Replayed:
    """One batch on the memory of its shape."""

    def __init__(self, shape: _Shape, languages: list[str | None]) -> None:
        self._shape, self._begun = shape, False
        self._languages = languages
        self.alive = {i: i for i in range(shape.cache.rows)}

    def step(self) -> Sequence[int]:
        """The next token of every slot, of those that have ended too."""
        if self._begun:
            self._shape.step()
        else:
            self._shape.first(self._languages)
        self._begun = True
        return self._shape.tokens[:, 0].tolist()

    def leave(self, over: Sequence[int]) -> None:
        """Nobody listens to these slots any more."""
        for slot in over:
            del self.alive[slot]


def cuda_graph(step: Callable[[], None]) -> Callable[[], None]:
    """``step`` captured in a CUDA graph.

    It is warmed up on a stream of its own first, as capture demands (pytorch.org, "CUDA
    semantics").
    """
    import torch

    stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(3):
            step()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        step()
    return graph.replay
