"""How many points of WER one system loses against another on the same speech, and what it shows."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from statistics import NormalDist
from typing import Any, Literal, TypeVar

from asr_scaling.core.statistics import Interval, student
from asr_scaling.core.workload import original_id

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
BOTH_SIDES, ONE_SIDE = 0.025, 0.05
"""Chance that the change lies beyond one end of an interval of 95 %, and beyond a limit of it."""
COPIES_AGREE = 0.3
"""Correlation of the changes of an utterance and of its copy, until the data say more.

Twice the upper end of what was measured, as words come in clumps (docs/decisions.md, 6.16).
"""
BOTH_SIDES_NORMAL = NormalDist().inv_cdf(0.975)
"""Standard deviations to both sides that hold 95 % of a normal distribution."""
WORD_EDITS = ("substitutions", "deletions", "insertions")
"""Kinds of word errors, as the row of a transcript counts them."""
_Number = TypeVar("_Number", int, float)
_Sums = dict[str, tuple[_Number, _Number]]
Counts = Mapping[str, tuple[int, int]]
"""Id of an utterance, or of a part of a long one → word errors, and words of its reference."""


def row_counts(row: Mapping[str, Any]) -> dict[str, tuple[int, int]]:
    """Word errors and words of a scored transcript, by its id, or of the parts of a long one.

    A recording of minutes is no unit of chance: its errors come together within some sentences, not
    from beginning to end. Its parts (core/text/edits.py) are named "id#0", "id#1" …
    """
    key, parts = str(row["id"]), row.get("parts")
    if parts:
        return {f"{key}#{number}": (int(e), int(n)) for number, (e, n) in enumerate(parts)}
    return {key: (sum(int(row[name]) for name in WORD_EDITS), int(row["words"]))}


def by_original(parts: Iterable[tuple[str, tuple[_Number, _Number]]]) -> _Sums[_Number]:
    """Both numbers summed by utterance: one and its made copies are one unit of chance.

    parts: id of an utterance, or of a part of a long one, with what is counted in it and what that
        is counted over.
    """
    sums: _Sums[_Number] = {}
    for key, (some, of) in parts:
        original = original_id(key)
        before = sums.get(original)
        sums[original] = (some, of) if before is None else (before[0] + some, before[1] + of)
    return sums


@dataclass(frozen=True)
class WordLoss:
    """How much worse B transcribes than A, on the utterances that both transcribed."""

    change: float
    """WER of B minus WER of A, as a share: 0.01 is one point; see ``wholly_wrong``."""
    interval: Interval
    """Of 95 %, holds the change between the two systems on such speech; a share."""
    upper: float
    """Limit of 95 % on one side: the change on such speech is no more; a share."""
    words: int
    """Reference words that it rests on."""
    utterances: int
    """Utterances that it rests on, or parts of long ones; one and its made copies count once."""
    worse: int
    """Word errors that B has more, summed over the utterances where it has more."""
    better: int
    """Word errors that B has less, summed over the utterances where it has less."""
    overdispersion: float
    """How much more the differing words vary than single words by chance would: 1 is as much."""
    wholly_wrong: int = 0
    """Utterances in which A has more errors than words. There both count as getting every word
    wrong at most."""

    def outcome(self, max_loss: float) -> Outcome:
        """What is shown of a loss of at most ``max_loss``, a share.

        "within": ``upper`` is at most ``max_loss``, which is wrong in about one of twenty.
        "beyond": the whole interval is above, which is wrong in about one of forty, in at most one
        of twenty where words come in clumps.
        """
        if self.upper <= max_loss:
            return "within"
        return "beyond" if self.interval.low > max_loss else "undecided"

    def chance(self, max_loss: float) -> float:
        """Chance that the change is at most ``max_loss``, as of a normal distribution.

        A rough figure, for orders and for what is likely; ``outcome`` says what is shown.
        """
        sd = (self.interval.high - self.interval.low) / (2 * BOTH_SIDES_NORMAL)
        return NormalDist().cdf((max_loss - self.change) / max(sd, 1e-12))

    def words_needed(self, max_loss: float) -> int | None:
        """About how many words would decide, those read included, if the change stays what it is.

        max_loss: a share.

        ``words`` where it is decided already. None where the change is so near to ``max_loss`` that
        no number can be named (``FARTHEST``).
        """
        if self.change <= max_loss:
            return self._until(lambda times: self._of(times, ONE_SIDE).high <= max_loss, FARTHEST)
        return self._until(lambda times: self._of(times).low > max_loss, FARTHEST)

    def words_for(self, half: float) -> int | None:
        """About how many words would bring half the interval down to ``half``, a share.

        None where that would be more than 10,000 times as many.
        """
        return self._until(lambda times: self._of(times).half(self.change) <= half, 1e4)

    def _until(self, enough: Callable[[float], bool], farthest: float) -> int | None:
        """Words until so many times as much speech like this is ``enough``."""
        if enough(1.0):
            return self.words
        if not enough(farthest):
            return None
        low, high = 1.0, farthest
        while high / low > _NEAR_ENOUGH:
            middle = math.sqrt(low * high)
            low, high = (low, middle) if enough(middle) else (middle, high)
        return math.ceil(self.words * high)

    def _of(self, times: float, tail: float = BOTH_SIDES) -> Interval:
        """The interval with so many ``times`` as much speech like this."""
        read = (self.worse, self.better, self.words, self.utterances)
        more = (times * count for count in read)
        return _interval(*more, overdispersion=self.overdispersion, tail=tail)


def word_loss(a: Counts, b: Counts) -> WordLoss | None:
    """B against A on the utterances of both; None where these have no words.

    Utterances are the unit, because errors of one utterance come together: its words that differ
    are counted as worse or better by their sum, and the variance is that of these sums. An
    utterance and its made copies (core/workload.py) are one unit, as their words are the same.
    Small numbers make the interval wider, not narrower: without any differing word it reaches about
    6 / words to both sides, and ``upper`` is about 4.4 / words (3 / words bounds single words).

    Where A itself errs by more words than an utterance has, as a text that loops does, that
    utterance counts as wholly wrong and no more, for A and for B (``wholly_wrong`` counts them):
    one loop of hundreds of words would make every interval so wide that no loss of B could be seen.
    Where B alone loops, all its errors count. A rare failure that costs many words is not bounded
    by speech in which it didn't happen.

    Raises ValueError when the systems' references of one utterance have not the same words.
    """
    common = [key for key in a if key in b]
    words = sum(a[key][1] for key in common)
    if not words:
        return None
    unlike = next((key for key in common if a[key][1] != b[key][1]), None)
    if unlike is not None:
        raise ValueError(f"the references of '{unlike}' have not the same number of words")
    units = _units({key: (_change(a[key], b[key]), a[key][1]) for key in common})
    worse = sum(change for change, _, _ in units if change > 0)
    better = -sum(change for change, _, _ in units if change < 0)
    change = (worse - better) / words
    n = len(units)
    squares = math.fsum((own - change * length) ** 2 for own, length, _ in units)
    squares *= n / max(1, n - 1)
    size = sum(size**2 for *_, size in units) / len(common)
    assumed = OVERDISPERSION * (1 + (size - 1) * COPIES_AGREE)
    overdispersion = max(1.0, (squares + ASSUMED * assumed) / (worse + better + ASSUMED))
    read = partial(_interval, worse, better, words, n, overdispersion=overdispersion)
    interval, upper = read(tail=BOTH_SIDES), read(tail=ONE_SIDE).high
    wrong = sum(wholly_wrong(a[key]) for key in common)
    return WordLoss(change, interval, upper, words, n, worse, better, overdispersion, wrong)


def wholly_wrong(counts: tuple[int, int]) -> bool:
    """Whether an utterance has more errors than words."""
    errors, words = counts
    return errors > words


def _change(a: tuple[int, int], b: tuple[int, int]) -> int:
    """Word errors of B more than of A in one utterance."""
    (before, words), (after, _) = a, b
    return min(after, words) - words if wholly_wrong(a) else after - before


def _units(changes: Mapping[str, tuple[int, int]]) -> list[tuple[int, int, int]]:
    """Of each utterance with its copies: change of word errors, words, and how many they are.

    changes: id → change of word errors, and words.
    """
    units: dict[str, tuple[int, int, int]] = {}
    for key, (change, words) in changes.items():
        original = original_id(key)
        before = units.get(original, (0, 0, 0))
        units[original] = (before[0] + change, before[1] + words, before[2] + 1)
    return list(units.values())


def _interval(
    worse: float,
    better: float,
    words: float,
    utterances: float,
    *,
    overdispersion: float,
    tail: float,
) -> Interval:
    """Interval of (worse - better) / words, as a share; beyond each end lies it by chance ``tail``.

    Both counts are taken as Poisson, divided by the overdispersion, with Student's quantile of as
    many utterances; their score limits (Rao) make the limits of the difference by the method of
    variance estimates recovery (Zou & Donner 2008, Statistics in Medicine 27; for Poisson rates Li,
    Tang & Wong 2014, Computational Statistics 29). With many words it is the t-interval of the
    ratio by utterances.
    """
    t = student(max(1.0, utterances - 1), tail)
    more, less = worse / overdispersion, better / overdispersion
    half_more, half_less = (t * math.sqrt(count + t * t / 4) for count in (more, less))
    shift = t * t / 2
    difference = more - less
    high = difference + math.hypot(half_more + shift, half_less - shift)
    low = difference - math.hypot(half_more - shift, half_less + shift)
    return Interval(low * overdispersion / words, high * overdispersion / words)
