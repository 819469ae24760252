"""The loop's decoding with probabilities: the most likely tokens, or the best of samples."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from asr_scaling.engine._shared.decoding_steps import Step
from asr_scaling.engine.transformers._greedy_decoding import Greedy

if TYPE_CHECKING:
    import torch


def searched(
    greedy: Greedy,
    encoded: torch.Tensor,
    most: Sequence[int],
    step: Step,
    *,
    stepped: Callable[[], None],
    languages: list[str | None],
) -> tuple[list[list[int]], list[float]]:
    """Tokens of every utterance of ``encoded``, and their mean log-probabilities.

    The arguments are those of ``Greedy.decode``. The end of text counts in the mean; the best of
    several samples has most log-probability a token without it (openai/whisper, decoding.py).
    """
    times = step.best_of if step.sampled else 1
    spread = [code for code in languages for _ in range(times)]
    chooser = _Chooser(greedy, step)
    limits = [n for n in most for _ in range(times)]
    rows = chooser.decode(encoded.repeat_interleave(times, 0), limits, stepped, spread)
    languages[:] = spread[::times]
    best = []
    for start in range(0, len(rows), times):
        group = range(start, start + times)
        best.append(max(group, key=lambda i: chooser.totals[i] / max(1, len(rows[i]))))
    return [rows[i] for i in best], [chooser.totals[i] / (len(rows[i]) + 1) for i in best]


class _Chooser:
    """Chooses tokens and adds up their log-probabilities while ``Greedy`` decodes.

    ``totals``: of each row, the end of text among them.
    """

    def __init__(self, greedy: Greedy, step: Step) -> None:
        import torch

        self._greedy, self._step = greedy, step
        self._dice = torch.Generator(greedy.device).manual_seed(step.seed)
        self._likely: torch.Tensor | None = None
        self.totals: list[float] = []

    def decode(
        self,
        encoded: torch.Tensor,
        most: Sequence[int],
        stepped: Callable[[], None],
        languages: list[str | None],
    ) -> list[list[int]]:
        """As ``Greedy.decode``, for text that ends."""
        greedy = self._greedy
        rows: list[list[int]] = [[] for _ in most]
        limits = [min(n, greedy.most) for n in most]
        self.totals = [0.0] * len(rows)
        positions = greedy.rules.prompts.tokens + max(limits)
        steps = greedy.start(encoded, positions, languages, self._choose)
        while steps.alive:
            tokens, over = steps.step(), list[int]()
            likely = self._given()
            stepped()
            for slot, i in steps.alive.items():
                self.totals[i] += likely[slot]
                ended = tokens[slot] == greedy.rules.end
                if not ended:
                    rows[i].append(tokens[slot])
                if ended or len(rows[i]) == limits[i]:
                    over.append(slot)
            steps.leave(over)
        return rows

    def _choose(self, logits: torch.Tensor, first: bool) -> torch.Tensor:
        """The next token of every row of ``logits``."""
        import torch

        likely = self._greedy.allowed(logits, first).float().log_softmax(-1)
        chosen = likely.argmax(-1)
        if self._step.sampled:
            warm = (likely / self._step.temperature).softmax(-1)
            chosen = torch.multinomial(warm, 1, generator=self._dice)[:, 0]
        self._likely = likely.gather(1, chosen[:, None])[:, 0]
        return chosen

    def _given(self) -> list[float]:
        """Log-probabilities of the last tokens."""
        return [] if self._likely is None else self._likely.tolist()
