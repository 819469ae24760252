"""What a difference in WER shows: by hand, and in simulated speech of known loss."""

from __future__ import annotations

import itertools
from collections import Counter

import numpy as np
import pytest

from asr_scaling.core.word_loss import WordLoss, row_counts, word_loss

HALF_A_POINT = 0.005
STUDIES = 100
CLUMPS = {"single words": 1.0, "clumps as measured": 0.77, "large clumps": 0.5}
"""Chance that a differing word is the last of its clump: of 1, 1.3 and 2 words on average."""
RATES = (0.0, 0.002, 0.01, 0.05)
"""Share of the words that differ by chance, as many better as worse."""
LOSSES = (0.0, 0.003, HALF_A_POINT + 1e-9, 0.01)
UTTERANCES = (10, 60, 300)


def of(a: list[int], b: list[int], words: int = 10) -> WordLoss:
    """B's errors against A's, utterance by utterance."""
    found = word_loss(*({f"u{i}": (n, words) for i, n in enumerate(side)} for side in (a, b)))
    assert found is not None
    return found


class TestByHand:
    def test_utterances_of_both_are_paired(self):
        a = {"x": (1, 10), "y": (0, 20), "only a": (9, 9)}
        b = {"only b": (9, 9), "y": (3, 20), "x": (0, 10)}
        found = word_loss(a, b)
        assert found is not None
        assert (found.words, found.utterances, found.worse, found.better) == (30, 2, 3, 1)
        assert found.change == pytest.approx(2 / 30)

    def test_no_common_words_show_nothing(self):
        assert word_loss({"x": (1, 10)}, {"y": (1, 10)}) is None
        assert word_loss({"x": (1, 0)}, {"x": (2, 0)}) is None

    def test_other_references_are_refused(self):
        with pytest.raises(ValueError, match="'x' have not the same number of words"):
            word_loss({"x": (1, 10)}, {"x": (1, 11)})

    def test_equal_texts_are_bounded_by_their_number_of_words(self):
        few, many = of([0] * 6, [0] * 6), of([1] * 200, [1] * 200)
        assert few.change == 0
        assert few.interval.high > 0.1
        assert 3 / many.words < many.interval.high < 7 / many.words
        assert many.interval.low == -many.interval.high
        assert few.outcome(HALF_A_POINT) == "undecided"
        assert many.outcome(HALF_A_POINT) == "within"

    def test_one_text_that_loops_is_no_proof_of_forty_words(self):
        looped = of([0] * 100, [40] + [0] * 99)
        spread = of([0] * 100, [1] * 40 + [0] * 60)
        assert looped.change == spread.change == 0.04
        assert looped.outcome(0.02) == "undecided"
        assert spread.outcome(0.02) == "beyond"
        assert looped.interval.high > spread.interval.high

    def test_a_reference_that_loops_hides_no_loss_and_no_gain(self):
        """One text of 226 words more: as wide an interval as 50 points where its errors count."""
        a, b = [0] * 100, [1] * 40 + [0] * 60
        loops = of([226, *a], [0, *b])
        assert (loops.wholly_wrong, loops.better, loops.worse) == (1, 10, 40)
        assert loops.outcome(0.005) == "beyond"
        assert loops.interval.half(loops.change) < 0.05
        both = of([226, *a], [231, *a])
        assert (both.change, both.wholly_wrong) == (0, 1)
        assert of([10, *a], [30, *a]).change > 0  # all wrong is no loop
        own = of([0, *a], [226, *a])
        assert (own.wholly_wrong, own.worse) == (0, 226)

    def test_swapped_systems_mirror_the_interval(self):
        a, b = [0, 2, 1, 0, 0, 3, 0, 0], [1, 0, 1, 0, 4, 3, 0, 0]
        one, other = of(a, b), of(b, a)
        ends = (-other.interval.high, -other.interval.low)
        assert (one.interval.low, one.interval.high) == pytest.approx(ends)

    def test_the_limit_on_one_side_decides_what_is_within(self):
        found = of([1] * 200, [1] * 200)
        assert found.change < found.upper < found.interval.high
        assert found.outcome(found.upper) == "within"
        assert found.outcome(found.upper - 1e-9) == "undecided"
        assert found.outcome(found.interval.low) == "undecided"
        assert found.outcome(found.interval.low - 1e-9) == "beyond"


def copied(a: list[int], b: list[int], times: int, mark: str) -> WordLoss:
    """Each utterance of ten words and so many made of it that differ in the same way."""
    sides = (
        {
            f"u{i}{mark}{k}" if k else f"u{i}": (n, 10)
            for i, n in enumerate(side)
            for k in range(times)
        }
        for side in (a, b)
    )
    found = word_loss(*sides)
    assert found is not None
    return found


class TestCopies:
    def test_copies_that_differ_alike_show_no_more_than_one(self):
        a, b = [0] * 100, [1] * 20 + [0] * 80
        alone, copies = of(a, b), copied(a, b, 5, "~")
        assert copies.utterances == alone.utterances == 100
        assert (copies.words, copies.change) == (5000, alone.change)
        halves = [found.interval.half(found.change) for found in (copies, alone)]
        assert halves[0] == pytest.approx(halves[1], rel=0.15)
        assert copied(a, b, 5, "-").interval.half(0.02) < 0.6 * halves[0]

    def test_copies_that_differ_in_nothing_show_less_than_as_many_sentences(self):
        """Of equal texts, what other sentences would show is not known."""
        copies, sentences = (copied([0] * 75, [0] * 75, 4, mark) for mark in "~-")
        assert sentences.upper < copies.upper < of([0] * 75, [0] * 75).upper


class TestWordsNeeded:
    def test_so_many_like_these_do_decide(self):
        a, b = [0] * 40, [0] * 39 + [1]
        found = of(a, b)
        assert found.outcome(0.01) == "undecided"
        needed = found.words_needed(0.01)
        assert needed is not None
        times = needed // found.words
        assert of(a * times, b * times).outcome(0.01) == "undecided"
        assert of(a * (times + 1), b * (times + 1)).outcome(0.01) == "within"

    def test_what_is_decided_needs_no_more(self):
        assert of([1] * 200, [1] * 200).words_needed(HALF_A_POINT) == 2000

    def test_near_the_bound_no_number_is_named(self):
        found = of([0] * 100, [1] * 5 + [0] * 95)
        assert found.change == HALF_A_POINT
        assert found.words_needed(HALF_A_POINT) is None


def differing(rng: np.random.Generator, rate: float, words: np.ndarray, last: float) -> np.ndarray:
    """Words that differ in each utterance, in clumps that end after a word by chance ``last``."""
    clumps = rng.poisson(rate * last * words)
    more = rng.negative_binomial(np.maximum(clumps, 1), last)
    return clumps + np.where(clumps > 0, more, 0)


def studies(
    last: float, rate: float, loss: float, utterances: int, *, versions: int = 1, agree: float = 0.0
) -> list[WordLoss]:
    """Two systems whose WER truly differs by ``loss``, on utterances of 5 to 30 words.

    versions: of each utterance, it and its copies.
    agree: share of the differing words that all versions have in common.
    """
    rng = np.random.default_rng([round(1000 * x) for x in (last, rate, loss, utterances / 1000)])
    words = np.repeat(rng.integers(5, 31, (STUDIES, utterances, 1)), versions, axis=2)
    common = rng.poisson(0.05 * words)

    def errors(share: float) -> np.ndarray:
        own = differing(rng, share * (1 - agree), words, last)
        return common + own + differing(rng, share * agree, words[..., :1], last)

    sides = (errors(rate / 2), errors(rate / 2 + loss), words)
    return [judged(*study) for study in zip(*(side.tolist() for side in sides), strict=True)]


def judged(of_a: list[list[int]], of_b: list[list[int]], words: list[list[int]]) -> WordLoss:
    """Of the errors of both systems in each version of each utterance."""
    a, b = (
        {
            f"u{i}~{k}": pair
            for i, versions in enumerate(zip(side, words, strict=True))
            for k, pair in enumerate(zip(*versions, strict=True))
        }
        for side in (of_a, of_b)
    )
    found = word_loss(a, b)
    assert found is not None
    return found


@pytest.mark.parametrize("clumps", CLUMPS)
def test_intervals_and_outcomes_hold(clumps: str):
    """95 % of the intervals hold the truth; each wrong outcome comes in at most 1 of 20.

    Bounds are those shares with three standard errors of so many studies.
    """
    held, wrong = [], Counter[str]()
    for rate, loss, utterances in itertools.product(RATES, LOSSES, UTTERANCES):
        cell = studies(CLUMPS[clumps], rate, loss, utterances)
        inside = [x.interval.low <= loss <= x.interval.high for x in cell]
        outcomes = [x.outcome(HALF_A_POINT) for x in cell]
        held += inside
        forbidden = "within" if loss > HALF_A_POINT else "beyond"
        wrong[forbidden, loss] += outcomes.count(forbidden)
        assert np.mean(inside) >= 0.86, (rate, loss, utterances)
        assert outcomes.count(forbidden) <= 0.115 * STUDIES, (rate, loss, utterances)
    assert np.mean(held) >= 0.95
    assert max(wrong.values()) <= 0.05 * STUDIES * len(RATES) * len(UTTERANCES)


@pytest.mark.parametrize("agree", [0.0, 0.15])
def test_intervals_and_outcomes_hold_with_copies(agree: float):
    """75 utterances with two copies each, whose loss is truly beyond; bounds as above."""
    loss = HALF_A_POINT + 1e-9
    cells = [
        studies(CLUMPS["clumps as measured"], rate, loss, 75, versions=3, agree=agree)
        for rate in RATES
    ]
    found = list(itertools.chain(*cells))
    assert np.mean([x.interval.low <= loss <= x.interval.high for x in found]) >= 0.94
    assert np.mean([x.outcome(HALF_A_POINT) == "within" for x in found]) <= 0.08


def test_speech_decides_where_there_is_enough():
    equal = [x.outcome(HALF_A_POINT) for x in studies(0.77, 0.002, 0.0, 300)]
    worse = [x.outcome(HALF_A_POINT) for x in studies(0.77, 0.002, 0.02, 300)]
    few = [x.outcome(HALF_A_POINT) for x in studies(0.77, 0.002, 0.0, 10)]
    assert equal.count("within") >= 95
    assert worse.count("beyond") >= 95
    assert few.count("undecided") >= 95


def test_equal_texts_of_two_recordings_are_shown_to_be_equal():
    """Each part of a recording is a unit: two recordings alone would leave ± 20 points."""
    rows = [{"id": name, "parts": [(2, 50)] * 16, "words": 800} for name in ("one", "two")]
    counts = {key: own for row in rows for key, own in row_counts(row).items()}
    loss = word_loss(counts, counts)
    assert loss is not None
    assert (loss.words, loss.utterances, loss.change) == (1600, 32, 0)
    assert loss.outcome(0.005) == "within"


def test_a_short_transcript_is_one_unit():
    row = {"id": "u", "words": 9, "substitutions": 1, "deletions": 2, "insertions": 0}
    assert row_counts(row) == {"u": (3, 9)}
