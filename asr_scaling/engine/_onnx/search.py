"""From logits to texts in NumPy: the most likely tokens with their probability, samples, beams.

The greedy choice without probabilities is made inside the graph (speech.py).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from asr_scaling.engine._shared.decoding_steps import Step

Floats = NDArray[np.floating]


class Rows(Protocol):
    """A decoder that keeps keys and values of rows between its passes."""

    def step(self, tokens: NDArray[np.int64], forbidden: NDArray[np.float32]) -> NDArray[np.int64]:
        """A pass over ``tokens [rows, new]``."""
        ...

    def logits(self) -> NDArray[np.float32]:
        """Of the last pass, ``[rows, vocabulary]``, without ``forbidden``."""
        ...

    def spread(self, times: int) -> None:
        """Begin anew, with every row ``times`` times, one beside the other."""
        ...

    def reorder(self, rows: Sequence[int]) -> None:
        """What was decoded so far becomes that of ``rows``; only among rows of one utterance."""
        ...


@dataclass(frozen=True)
class Rules:
    """What may be chosen.

    ``end``: the end of text.
    ``first``, ``later``: ``[vocabulary]``, added to the logits of the first token and of all
    others.
    ``bound``: most tokens of a row.
    """

    end: int
    first: NDArray[np.float32]
    later: NDArray[np.float32]
    bound: int


@dataclass(frozen=True)
class Found:
    """The text of one row. ``total``: log-probability of its tokens and of the end of text."""

    tokens: list[int] = field(default_factory=list)
    total: float = 0.0

    @property
    def mean(self) -> float:
        """Of a token, the end of text counted (openai/whisper, decoding.py)."""
        return self.total / (len(self.tokens) + 1)

    @property
    def rank(self) -> float:
        """What the best of several texts has most of (MaximumLikelihoodRanker, as above)."""
        return self.total / max(1, len(self.tokens))


def searched(
    rows: Rows, rules: Rules, prompts: NDArray[np.int64], step: Step, stepped: Callable[[], None]
) -> tuple[list[Found], int]:
    """The best text of each of ``prompts [utterances, tokens]``, and the number of passes.

    ``stepped``: called after every pass.
    """
    if step.beam > 1 and not step.sampled:
        return _beams(rows, rules, prompts, step.beam, stepped)
    return _drawn(rows, rules, prompts, step, stepped)


def _drawn(
    rows: Rows, rules: Rules, prompts: NDArray[np.int64], step: Step, stepped: Callable[[], None]
) -> tuple[list[Found], int]:
    """The most likely token of every pass, or the best of several samples."""
    times = step.best_of if step.sampled else 1
    rows.spread(times)
    dice, tokens = np.random.default_rng(step.seed), np.repeat(prompts, times, axis=0)
    texts = [list[int]() for _ in tokens]
    totals, ended = np.zeros(len(tokens)), np.zeros(len(tokens), bool)
    passes = 0
    while passes < rules.bound and not ended.all():
        rows.step(tokens, rules.later if passes else rules.first)
        stepped()
        likely = log_probabilities(rows.logits(), rules.later if passes else rules.first)
        scores = likely
        if step.sampled:  # the largest of these is a draw from the distribution (Gumbel 1954)
            scores = likely / step.temperature + dice.gumbel(size=likely.shape)
        chosen = scores.argmax(-1)
        totals += np.where(ended, 0.0, likely[np.arange(len(chosen)), chosen])
        ended |= chosen == rules.end
        for i in np.flatnonzero(~ended):
            texts[i].append(int(chosen[i]))
        tokens = chosen[:, None].astype(np.int64)
        passes += 1
    found = [Found(text, float(total)) for text, total in zip(texts, totals, strict=True)]
    groups = (found[i : i + times] for i in range(0, len(found), times))
    return [max(group, key=lambda text: text.rank) for group in groups], passes


class _Beam:
    """The beam search of one utterance, as that of openai/whisper, decoding.py."""

    def __init__(self, width: int, end: int) -> None:
        self.width, self._end = width, end
        self.live, self.finished = [Found()], list[Found]()
        self.sources = [0] * width

    @property
    def over(self) -> bool:
        """True when as many texts have ended as there are beams."""
        return len(self.finished) >= self.width

    def advance(self, likely: Floats) -> None:
        """Go on by one token. ``likely``: log-probabilities ``[beams, vocabulary]``."""
        if self.over:
            self.sources = list(range(self.width))
            return
        options = []
        for i, text in enumerate(self.live):
            for token in np.argpartition(-likely[i], self.width)[: self.width + 1]:
                options.append((text.total + float(likely[i, token]), i, int(token)))
        before = self.live
        self.live, self.sources = [], []
        for total, i, token in sorted(options, reverse=True):
            if token == self._end:
                self.finished.append(Found(before[i].tokens, total))
            else:
                self.live.append(Found([*before[i].tokens, token], total))
                self.sources.append(i)
            if len(self.live) == self.width:
                break

    @property
    def best(self) -> Found:
        """The best text so far; one that has not ended counts where too few have."""
        left = [] if self.over else self.live
        return max((*self.finished, *left), key=lambda text: text.rank)


def _beams(
    rows: Rows, rules: Rules, prompts: NDArray[np.int64], width: int, stepped: Callable[[], None]
) -> tuple[list[Found], int]:
    rows.spread(width)
    beams = [_Beam(width, rules.end) for _ in prompts]
    tokens, passes = np.repeat(prompts, width, axis=0), 0
    while passes < rules.bound and not all(beam.over for beam in beams):
        rows.step(tokens, rules.later if passes else rules.first)
        stepped()
        likely = log_probabilities(rows.logits(), rules.later if passes else rules.first)
        for i, beam in enumerate(beams):
            beam.advance(likely[i * width : (i + 1) * width])
        rows.reorder([i * width + j for i, beam in enumerate(beams) for j in beam.sources])
        last = [text.tokens[-1] for beam in beams for text in beam.live]
        tokens = np.array(last, np.int64)[:, None]
        passes += 1
    return [beam.best for beam in beams], passes


def log_probabilities(logits: NDArray[np.float32], forbidden: NDArray[np.float32]) -> Floats:
    """Of every token, ``[rows, vocabulary]``, once what is ``forbidden`` is out."""
    allowed = logits + forbidden
    allowed -= allowed.max(-1, keepdims=True)
    likely: Floats = allowed - np.log(np.exp(allowed).sum(-1, keepdims=True))
    return likely
