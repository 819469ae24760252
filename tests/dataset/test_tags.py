"""GigaSpeech's tags: words never change, marks go where they belong."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr_scaling.dataset.gigaspeech import GARBAGE, PUNCTUATION, clean, garbage

word = st.text(alphabet="ABC'XYZ0", min_size=1, max_size=5)
tag = st.sampled_from([f"<{name}>" for name in PUNCTUATION])
tokens = st.lists(st.one_of(word, tag), max_size=20)


def words_of(parts):
    return [part for part in parts if not part.startswith("<")]


@given(tokens)
def test_drop_leaves_the_words(parts):
    assert clean(" ".join(parts), "drop").split() == words_of(parts)


@given(tokens)
def test_map_leaves_the_words_and_puts_marks_after_them(parts):
    mapped = clean("  ".join(parts), "map").split()
    assert [part.rstrip(",.?!") for part in mapped] == words_of(parts)
    first = next((i for i, part in enumerate(parts) if not part.startswith("<")), len(parts))
    marks = [PUNCTUATION[part[1:-1]] for part in parts[first:] if part.startswith("<")]
    assert "".join(c for part in mapped for c in part if c in ",.?!") == "".join(marks)


@given(tokens)
def test_keep_keeps(parts):
    assert clean("\t".join(parts), "keep") == " ".join(parts)


@given(tokens, st.sampled_from(["map", "drop", "keep"]))
def test_cleaning_twice_changes_nothing(parts, mode):
    once = clean(" ".join(parts), mode)
    assert clean(once, mode) == once


@pytest.mark.parametrize(
    ("text", "mapped"),
    [
        ("AS <COMMA> CAN <QUESTIONMARK>", "AS, CAN?"),
        ("as <comma> can <period>", "as, can."),
        ("AS<COMMA>CAN", "AS, CAN"),
        ("<PERIOD> SO <EXCLAMATIONPOINT>", "SO!"),
        ("A <B> C <COMMAS>", "A <B> C <COMMAS>"),
        ("", ""),
    ],
)
def test_examples(text, mapped):
    assert clean(text, "map") == mapped


@given(tokens, st.sampled_from(GARBAGE), st.integers(0, 20))
def test_garbage_is_found_anywhere(parts, name, place):
    assert garbage(" ".join(parts)) is None
    assert garbage(" ".join([*parts[:place], f"<{name.lower()}>", *parts[place:]])) == name
