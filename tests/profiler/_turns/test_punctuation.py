"""Marks and capital letters: figures by hand, in several scripts."""

from __future__ import annotations

from dataclasses import astuple

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.turn_lists import values

from asr_scaling.profiler._turns.punctuation import METRICS, marked_words, measured
from asr_scaling.profiler._turns.recordings import Recording


def texts(*pairs: tuple[str, str]) -> list[Recording]:
    return [Recording(f"r{i}", 5.0, text=a, heard=b) for i, (a, b) in enumerate(pairs)]


def scores(*pairs: tuple[str, str]) -> dict[str, float]:
    return values(measured(texts(*pairs)))


def test_marks_and_capitals_by_hand():
    """Of the marks "world." is right, "are," is extra, "Hello," is missing, and "you!" is both.
    Of the capitals "How" is right and "Hello" missing."""
    found = scores(("Hello, world. How are you?", "hello world. How are, you!"))
    assert found == {
        "turns/punctuation_precision": pytest.approx(1 / 3),
        "turns/punctuation_recall": pytest.approx(1 / 3),
        "turns/punctuation_f1": pytest.approx(1 / 3),
        "turns/case_precision": 1,
        "turns/case_recall": 0.5,
        "turns/case_f1": pytest.approx(2 / 3),
    }


def test_words_without_a_partner_stay_out():
    """ "No." was not recognised: that is an error of words. "yes" for "Yet" has its mark."""
    found = scores(("Yes. No. Well, yet.", "Yes. Well, yes."))
    assert found["turns/punctuation_f1"] == 1
    assert found["turns/case_f1"] == 1


def test_recordings_are_counted_together():
    pairs = [("Yes.", "Yes."), ("A, b, c.", "A b c.")]
    assert scores(*pairs)["turns/punctuation_recall"] == pytest.approx(2 / 4)
    assert scores(*pairs)["turns/punctuation_precision"] == 1


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('"Stop," he said.', [("stop", True, ","), ("he", False, ""), ("said", False, ".")]),
        ("wait — what?!", [("wait", False, ""), ("what", False, "?")]),
        ("so ... yes", [("so", False, "."), ("yes", False, "")]),
        ("3.5 km, it's", [("35", False, ""), ("km", False, ","), ("its", False, "")]),
        ("你，好。", [("你", False, ","), ("好", False, ".")]),
        ("كيف حالك؟", [("كيف", False, ""), ("حالك", False, "?")]),
        ("Ça va ?", [("ça", True, ""), ("va", False, "?")]),
        ("... yes", [("yes", False, "")]),
        ("", []),
    ],
)  # fmt: skip
def test_words_with_their_marks(text: str, expected: list[tuple[str, bool, str]]):
    assert [astuple(word) for word in marked_words(text)] == expected


def test_references_without_marks_or_capitals_are_left_out():
    figures = measured(texts(("hello world", "Hello, world."), ("LOUD AND CLEAR", "loud")))
    assert set(figures) == set(METRICS)
    assert figures["turns/punctuation_f1"] == "no reference has marks"
    assert figures["turns/case_f1"] == "no reference has both capital and small letters"
    both = scores(("hello world", "Hello, world."), ("Yes.", "Yes."))
    assert both["turns/punctuation_precision"] == 1


def test_a_system_that_writes_no_marks_has_no_precision():
    figures = measured(texts(("Hello, world.", "hello world")))
    assert "writes none" in str(figures["turns/punctuation_precision"])
    assert values(figures)["turns/punctuation_f1"] == 0
    assert values(figures)["turns/case_recall"] == 0


def test_nothing_recognised_has_no_score():
    figures = measured(texts(("Hello, world.", "")))
    assert values(figures) == {}
    assert "the references have none" in str(figures["turns/punctuation_f1"])


@given(st.text("aB .,?!—é", max_size=30))
def test_a_text_agrees_with_itself(text: str):
    assert set(scores((text, text)).values()) <= {1}
