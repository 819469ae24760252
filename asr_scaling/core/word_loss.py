"""How many points of WER one system loses against another on the same speech, and what it shows."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from asr_scaling.core.statistics import Interval, student

Outcome = Literal["within", "beyond", "undecided"]
"""Whether a loss is shown to be within a bound, shown to be beyond it, or neither."""
OVERDISPERSION = 1.6
"""Variance of the words that differ over their number, until the data say more.

Mean of 137 pairs of Whispers, made faster in different ways, on 16 utterances of read speech
(the records in docs/results).
"""
ASSUMED = 3.0
"""Differing words that the assumed overdispersion counts for, beside those that were seen."""
FARTHEST = 30.0
"""Most times as many words that are named as needed for a bound.

Beyond it the change is nearer to the bound than a fifth of half its interval, and may as well be on
the other side, where other numbers hold.
"""
_NEAR_ENOUGH = 1.005
"""Ratio of two numbers of words that need not be told apart."""
Counts = Mapping[str, tuple[int, int]]
"""Id of an utterance → word errors of its hypothesis, and words of its reference."""


@dataclass(frozen=True)
class WordLoss:
    """How much worse B transcribes than A, on the utterances that both transcribed."""

    change: float
    """WER of B minus WER of A, as a share: 0.01 is one point."""
    interval: Interval
    """Of 95 %, holds the change between the two systems on such speech; a share."""
    words: int
    """Reference words that it rests on."""
    utterances: int
    """Utterances that it rests on."""
    worse: int
    """Word errors that B has more, summed over the utterances where it has more."""
    better: int
    """Word errors that B has less, summed over the utterances where it has less."""
    overdispersion: float
    """How much more the differing words vary than single words by chance would: 1 is as much."""

    def outcome(self, max_loss: float) -> Outcome:
        """What is shown of a loss of at most ``max_loss``, a share.

        "within": the whole interval is at most ``max_loss``; "beyond": the whole interval is above.
        Each is wrong in about one of forty, in at most one of twenty where words come in clumps.
        """
        if self.interval.high <= max_loss:
            return "within"
        return "beyond" if self.interval.low > max_loss else "undecided"

    def words_needed(self, max_loss: float) -> int | None:
        """About how many words would decide, those read included, if the change stays what it is.

        max_loss: a share.

        ``words`` where it is decided already. None where the change is so near to ``max_loss`` that
        no number can be named (``FARTHEST``).
        """
        within = self.change <= max_loss

        def decided(interval: Interval) -> bool:
            return interval.high <= max_loss if within else interval.low > max_loss

        return self._until(decided, FARTHEST)

    def words_for(self, half: float) -> int | None:
        """About how many words would bring half the interval down to ``half``, a share.

        None where that would be more than 10,000 times as many.
        """
        return self._until(lambda interval: interval.half(self.change) <= half, 1e4)

    def _until(self, enough: Callable[[Interval], bool], farthest: float) -> int | None:
        """Words of speech like this until its interval is ``enough``."""
        if enough(self.interval):
            return self.words
        if not enough(self._of(farthest)):
            return None
        low, high = 1.0, farthest
        while high / low > _NEAR_ENOUGH:
            middle = math.sqrt(low * high)
            low, high = (low, middle) if enough(self._of(middle)) else (middle, high)
        return math.ceil(self.words * high)

    def _of(self, times: float) -> Interval:
        """The interval with so many ``times`` as much speech like this."""
        counts = (self.worse * times, self.better * times, self.words * times)
        return _interval(*counts, self.utterances * times, self.overdispersion)


def word_loss(a: Counts, b: Counts) -> WordLoss | None:
    """B against A on the utterances of both; None where these have no words.

    Utterances are the unit, because errors of one utterance come together: its words that differ
    are counted as worse or better by their sum, and the variance is that of these sums. Small
    numbers make the interval wider, not narrower: without any differing word it reaches about
    6 / words to both sides (3 / words bounds single words at 95 %, on one side).

    A rare failure that costs many words, as a text that loops, is not bounded by speech in which it
    didn't happen.

    Raises ValueError when the systems' references of one utterance have not the same words.
    """
    common = [key for key in a if key in b]
    words = sum(a[key][1] for key in common)
    if not words:
        return None
    unlike = next((key for key in common if a[key][1] != b[key][1]), None)
    if unlike is not None:
        raise ValueError(f"the references of '{unlike}' have not the same number of words")
    changes = [b[key][0] - a[key][0] for key in common]
    worse = sum(change for change in changes if change > 0)
    better = -sum(change for change in changes if change < 0)
    change = (worse - better) / words
    n = len(common)
    squares = math.fsum(
        (own - change * a[key][1]) ** 2 for own, key in zip(changes, common, strict=True)
    )
    squares *= n / max(1, n - 1)
    overdispersion = max(1.0, (squares + ASSUMED * OVERDISPERSION) / (worse + better + ASSUMED))
    interval = _interval(worse, better, words, n, overdispersion)
    return WordLoss(change, interval, words, n, worse, better, overdispersion)


def _interval(
    worse: float, better: float, words: float, utterances: float, overdispersion: float
) -> Interval:
    """Interval of (worse - better) / words, as a share.

    Both counts are taken as Poisson, divided by the overdispersion, with Student's quantile of as
    many utterances; their score limits (Rao) make the limits of the difference by the method of
    variance estimates recovery (Zou & Donner 2008, Statistics in Medicine 27; for Poisson rates Li,
    Tang & Wong 2014, Computational Statistics 29). With many words it is the t-interval of the
    ratio by utterances.
    """
    t = student(max(1.0, utterances - 1))
    more, less = worse / overdispersion, better / overdispersion
    half_more, half_less = (t * math.sqrt(count + t * t / 4) for count in (more, less))
    shift = t * t / 2
    difference = more - less
    high = difference + math.hypot(half_more + shift, half_less - shift)
    low = difference - math.hypot(half_more - shift, half_less + shift)
    return Interval(low * overdispersion / words, high * overdispersion / words)
