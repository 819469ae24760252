"""Word edits, and those of the parts of a long text."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from asr_scaling.core.text.edits import PART_WORDS, edits_of_parts, word_edits

WORDS = st.lists(st.sampled_from("abcd"), max_size=260)


@given(WORDS, WORDS)
def test_parts_hold_all_words_and_all_errors(ours: list[str], theirs: list[str]):
    parts = edits_of_parts(ours, theirs)
    if len(ours) < 2 * PART_WORDS:
        assert parts == []
        return
    assert sum(words for _, words in parts) == len(ours)
    assert sum(errors for errors, _ in parts) == sum(word_edits(ours, theirs).values())
    assert all(PART_WORDS <= words < 2 * PART_WORDS for _, words in parts)


def test_an_error_belongs_to_the_part_in_which_it_is():
    said = [f"w{number}" for number in range(170)]
    heard = ["more", *said[:20], "wrong", *said[21:60], *said[63:170], "end", "end"]
    assert edits_of_parts(said, heard) == [(2, 50), (3, 50), (2, 70)]


def test_nothing_heard_is_every_word_wrong():
    assert edits_of_parts(["a"] * 120, []) == [(50, 50), (70, 70)]
