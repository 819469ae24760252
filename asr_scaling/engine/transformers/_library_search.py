"""The library's ``generate`` with probabilities: greedy, by beams, or the best of samples."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from asr_scaling.engine._shared.decoding_steps import Step

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class LibrarySearch:
    """Whisper's ``generate``, and what it does not tell.

    ``model``: the network.
    ``end``: the end of text; special tokens and timestamps have higher ids.
    """

    model: Any
    end: int

    def run(
        self, inputs: Mapping[str, Any], step: Step, options: Mapping[str, Any]
    ) -> tuple[list[list[int]], list[float]]:
        """Tokens of each utterance's best text, and their log-probabilities, the end's included.

        The second is NaN for beams, of which ``generate`` tells nothing.
        ``options``: for ``generate``, of which the language may be a list.
        """
        if step.beam > 1 and not step.sampled:
            rows = self._texts(self.model.generate(**inputs, **options))
            return rows, [float("nan")] * len(rows)
        times = step.best_of if step.sampled else 1
        spread = {key: value.repeat_interleave(times, 0) for key, value in inputs.items()}
        if isinstance(options.get("language"), list):
            named = [name for name in options["language"] for _ in range(times)]
            options = {**options, "language": named}
        if step.sampled:
            plain = {key: value for key, value in options.items() if key != "num_beams"}
            options = {**plain, "do_sample": True, "temperature": step.temperature}
        tally = _Tally(self.end)
        with self._seeded(step):
            ids = self.model.generate(**spread, **options, **tally.watching())
        rows, totals = self._texts(ids), tally.totals.tolist()
        best = []
        for start in range(0, len(rows), times):
            group = range(start, start + times)
            best.append(max(group, key=lambda i: totals[i] / max(1, len(rows[i]))))
        return [rows[i] for i in best], [totals[i] for i in best]

    def total(self, hidden: torch.Tensor, prompt: Sequence[int], row: Sequence[int]) -> float:
        """Log-probability of the tokens ``row`` and the end of text, by one pass over them.

        ``hidden``: the encoder's output ``[1, frames, width]``.
        """
        config = self.model.generation_config
        logits = self._logits(hidden, [*prompt, *row])[len(prompt) - 1 :]
        logits[:, list(config.suppress_tokens or ())] = float("-inf")
        logits[0, list(config.begin_suppress_tokens or ())] = float("-inf")
        likely = logits.log_softmax(-1)
        return sum(float(likely[i, token]) for i, token in enumerate([*row, self.end]))

    def probability(self, hidden: torch.Tensor, prompt: Sequence[int], token: int) -> float:
        """Of ``token`` after ``prompt``; ``hidden`` as for ``total``."""
        return float(self._logits(hidden, prompt)[-1].softmax(-1)[token])

    def _texts(self, ids: torch.Tensor) -> list[list[int]]:
        return [[token for token in row if token < self.end] for row in ids.tolist()]

    def _logits(self, hidden: torch.Tensor, tokens: Sequence[int]) -> torch.Tensor:
        """In float32, ``[tokens, vocabulary]``."""
        import torch

        ids = torch.tensor([list(tokens)], device=hidden.device)
        answer = self.model(encoder_outputs=(hidden,), decoder_input_ids=ids, use_cache=False)
        return answer.logits[0].float()  # type: ignore[no-any-return]

    @contextmanager
    def _seeded(self, step: Step) -> Iterator[None]:
        """torch draws from the step's seed in this block, and goes on as before after it."""
        import torch

        device = self.model.device
        with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
            torch.manual_seed(step.seed)
            yield


class _Tally:
    """Adds up log-probabilities while ``generate`` chooses.

    A processor sees the scores before they are divided by the temperature, a stopping criterion the
    token that was chosen of them; neither changes anything.
    """

    def __init__(self, end: int) -> None:
        self._end = end
        self._likely: Any = None
        self._ended: Any = None
        self.totals: Any = None

    def watching(self) -> dict[str, Any]:
        """Options for ``generate``."""
        from transformers import (
            LogitsProcessor,
            LogitsProcessorList,
            StoppingCriteria,
            StoppingCriteriaList,
        )

        tally = self

        class See(LogitsProcessor):  # type: ignore[misc]
            def __call__(self, input_ids: Any, scores: Any) -> Any:
                tally._likely = scores.float().log_softmax(-1)
                return scores

        class Count(StoppingCriteria):  # type: ignore[misc]
            def __call__(self, input_ids: Any, scores: Any, **_: Any) -> Any:
                return tally._count(input_ids[:, -1])

        return {
            "logits_processor": LogitsProcessorList([See()]),
            "stopping_criteria": StoppingCriteriaList([Count()]),
        }

    def _count(self, chosen: Any) -> Any:
        """Take in the tokens that were ``chosen``; nothing is over because of it."""
        import torch

        given = self._likely.gather(1, chosen[:, None])[:, 0]
        if self.totals is None:
            self.totals = torch.zeros_like(given)
            self._ended = torch.zeros_like(chosen, dtype=torch.bool)
        self.totals += torch.where(self._ended, 0.0, given)
        self._ended |= chosen == self._end
        return torch.zeros_like(self._ended)
