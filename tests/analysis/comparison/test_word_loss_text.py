"""What a difference in WER shows, in words; and the word errors of several records of a system."""

from __future__ import annotations

from collections.abc import Mapping

from asr_scaling.analysis.comparison.word_errors import word_counts
from asr_scaling.analysis.comparison.word_loss_text import (
    counted_as_wrong,
    loss_sentence,
    wer_change,
)
from asr_scaling.core.record import RunRecord
from asr_scaling.core.word_loss import WordLoss, word_loss

BOUND = 0.005


def of(differing: int, utterances: int) -> WordLoss:
    """B has one error more in so many of the utterances, each of 20 words."""
    a, b = (
        {f"u{i}": (int(i < errors), 20) for i in range(utterances)} for errors in (0, differing)
    )
    found = word_loss(a, b)
    assert found is not None
    return found


class TestSentence:
    def test_each_of_the_outcomes(self):
        assert loss_sentence(of(0, 200), BOUND) == "WER +0.00 ± 0.16 points: shown within 0.5"
        assert loss_sentence(of(60, 100), BOUND) == "WER +3.00 ± 0.88 points: shown beyond 0.5"
        assert loss_sentence(of(0, 40), BOUND) == (
            "WER +0.00 ± 0.82 points: undecided; about 110 more words would decide"
        )

    def test_an_interval_that_reaches_beyond_is_said_to_have_one_side_that_does_not(self):
        assert loss_sentence(of(0, 50), BOUND) == (
            "WER +0.00 ± 0.65 points: shown within 0.5 (at most +0.45: the limit on one side)"
        )

    def test_near_the_bound_no_number_is_named(self):
        assert loss_sentence(of(10, 100), BOUND).endswith(
            "points: undecided; so near 0.5 that no number of words can be named"
        )

    def test_what_is_not_known_is_said(self):
        assert loss_sentence(None, BOUND) == wer_change(None) == "WER unknown"

    def test_texts_that_loop_where_it_is_compared_with_are_counted(self):
        assert counted_as_wrong(0) == ""
        assert counted_as_wrong(1).startswith("all words of one utterance count as wrong")
        assert counted_as_wrong(1200).startswith("all words of 1,200 utterances count")

    def test_a_wide_interval_has_fewer_digits(self):
        assert wer_change(of(1, 10)) == "WER +0.5 ± 4.2 points"


def read(**errors: int) -> RunRecord:
    """Utterance → its word errors, each of ten words."""
    return RunRecord("x", "ok", {}, {}, transcripts=tuple(map(_row, errors.items())))


def _row(utterance: tuple[str, int]) -> Mapping[str, object]:
    name, errors = utterance
    return {"id": name, "substitutions": errors, "deletions": 0, "insertions": 1, "words": 10}


class TestCounts:
    def test_rounds_of_different_speech_add_up(self):
        assert word_counts(read(a=0, b=2), read(c=1)) == {"a": (1, 10), "b": (3, 10), "c": (2, 10)}

    def test_what_was_transcribed_again_counts_once(self):
        assert word_counts(read(a=0), read(a=5, b=0)) == {"a": (1, 10), "b": (1, 10)}

    def test_what_was_not_scored_is_left_out(self):
        silent = RunRecord("x", "ok", {}, {}, transcripts=({"id": "a", "left_out": "empty"},))
        assert word_counts(silent) == {}
