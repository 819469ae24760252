"""cpWER: figures by hand, every permutation as an oracle, and MeetEval as another."""

from __future__ import annotations

import random
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.turn_lists import recording, renamed, turns, values

from asr_scaling.core.turns import Turn
from asr_scaling.profiler._turns import cpwer
from asr_scaling.profiler._turns.cpwer import minimum_permutation_edits
from asr_scaling.profiler._turns.recordings import Recording

Speakers = list[list[str]]
WORDS = ["one", "two", "three", "four", "five"]
SPEAKERS = st.lists(st.lists(st.sampled_from(WORDS), max_size=5), min_size=1, max_size=4)


def rate(*recordings: Recording, rules: str = "none") -> dict[str, float]:
    return values(cpwer.measured(recordings, rules)[0])


def test_each_kind_of_edit_by_hand():
    """x is b with one word substituted; y is a without one word: 2 errors in 6 words."""
    reference = turns((0, 2, "a", "hello there"), (2, 5, "b", "good morning to you"))
    found = turns((0, 2, "y", "hello"), (2, 5, "x", "good morning to two"))
    assert rate(recording(reference, found)) == {
        "turns/cpwer": pytest.approx(2 / 6),
        "turns/cp_words": 6,
        "turns/cp_substitutions": 1,
        "turns/cp_deletions": 1,
        "turns/cp_insertions": 0,
    }


def test_words_given_to_the_wrong_speaker_are_errors_twice():
    """Where WER of all words in their order would be 0."""
    reference = turns((0, 1, "a", "one two"), (1, 2, "b", "three"))
    found = turns((0, 1, "x", "one"), (1, 2, "y", "two three"))
    figures = rate(recording(reference, found))
    assert figures["turns/cpwer"] == pytest.approx(2 / 3)
    assert (figures["turns/cp_deletions"], figures["turns/cp_insertions"]) == (1, 1)


def test_a_speakers_turns_are_joined_in_the_order_of_their_starts():
    reference = turns((0, 1, "a", "one two"), (2, 3, "a", "three"), (1, 2, "b", "four"))
    found = turns((2, 3, "x", "two three"), (0, 1, "x", "one"), (1, 2, "y", "four"))
    assert rate(recording(reference, found))["turns/cpwer"] == 0


@pytest.mark.parametrize(
    ("ours", "theirs", "expected"),
    [
        ([["one", "two"], ["three"]], [["one", "two"]], (0, 1, 0)),
        ([["one", "two"]], [["one", "two"], ["three"]], (0, 0, 1)),
        ([["one", "two"], ["three"]], [], (0, 3, 0)),
        ([["one", "two"]], [["five"], ["one", "three", "four"]], (1, 0, 2)),
        ([], [], (0, 0, 0)),
        ([[]], [["one"]], (0, 0, 1)),
    ],
)
def test_speakers_without_a_partner(ours: Speakers, theirs: Speakers, expected: tuple[int, ...]):
    """Their words are all deleted, or all inserted."""
    assert tuple(minimum_permutation_edits(ours, theirs).values()) == expected


def test_recordings_are_summed():
    some = recording(turns((0, 1, "a", "one")), turns((0, 1, "x", "two")))
    more = recording(
        turns((0, 1, "b", "a b c d e f g h i")), turns((0, 1, "x", "a b c d e f g h i"))
    )
    assert rate(some, Recording("s", 5.0, more.reference, more.found))["turns/cpwer"] == 0.1


def test_texts_are_normalised_as_for_wer():
    reference = turns((0, 1, "a", "It's twenty-one, Mr. Smith!"))
    found = turns((0, 1, "x", "it is 21 mister smith"))
    assert rate(recording(reference, found), rules="auto")["turns/cpwer"] == 0
    assert rate(recording(reference, found), rules="unicode")["turns/cpwer"] > 0
    german = Recording(
        "r", 5.0, turns((0, 1, "a", "Ja, genau.")), turns((0, 1, "x", "ja genau")), language="de"
    )
    figures, tags = cpwer.measured([german], "auto")
    assert values(figures)["turns/cpwer"] == 0
    assert tags["turns/normaliser"].startswith("unicode")


def test_with_the_leaderboards_rules_a_split_compound_is_no_error():
    reference, found = (turns((0, 1, "a", text)) for text in ("the whitepaper", "the white paper"))
    assert rate(recording(reference, found), rules="leaderboard")["turns/cpwer"] == 0
    assert rate(recording(reference, found), rules="whisper_english")["turns/cpwer"] == 1


def test_what_has_no_words_or_no_names_has_a_reason():
    found = turns((0, 1, "x", "one"))
    for reference in (turns((0, 1, "a")), turns((0, 1, None, "one"))):
        figures, _ = cpwer.measured([recording(reference, found)], "none")
        assert set(figures.values()) == {"no reference tells which speaker says what"}
    wordless = Recording("r", 5.0, turns((0, 1, "a", "one")), turns((0, 1, "x")), heard="one")
    figures, _ = cpwer.measured([wordless], "none")
    assert "does not tell what is said in which turn" in str(figures["turns/cpwer"])
    silent = Recording("r", 5.0, turns((0, 1, "a", "one")), ())
    assert rate(silent)["turns/cpwer"] == 1


def test_a_text_that_the_normaliser_can_not_take_costs_the_figure_only():
    one = recording(turns((0, 1, "a", "1" * 5000)), turns((0, 1, "x", "one")))
    figures, _ = cpwer.measured([one], "auto")
    assert "can't take a text of 'r' (" in str(figures["turns/cpwer"])


@given(SPEAKERS, SPEAKERS)
def test_no_permutation_is_better(ours: Speakers, theirs: Speakers):
    edits = sum(minimum_permutation_edits(ours, theirs).values())
    number = max(len(ours), len(theirs))
    own, found = ([*each, *([[]] * (number - len(each)))] for each in (ours, theirs))
    costs = {(i, k): distance(a, b) for i, a in enumerate(own) for k, b in enumerate(found)}
    assert edits == min(
        sum(costs[pair] for pair in enumerate(order)) for order in permutations(range(number))
    )


def distance(a: list[str], b: list[str]) -> int:
    """Levenshtein's, row by row."""
    row = list(range(len(b) + 1))
    for i, word in enumerate(a, 1):
        before, row = row, [i]
        for k, other in enumerate(b, 1):
            row.append(min(before[k] + 1, row[-1] + 1, before[k - 1] + (word != other)))
    return row[-1]


@given(SPEAKERS)
def test_what_is_right_has_no_error_whatever_its_names(said: Speakers):
    names = ("ann", "bob", "cem", "dan")
    rows = [(i, i + 1, names[i], " ".join(own)) for i, own in enumerate(said)]
    reference = turns(*rows)
    one = recording(reference, renamed(reference, names))
    assert rate(one).get("turns/cpwer", 0) == 0


@settings(deadline=None)
@given(st.randoms(use_true_random=False))
def test_names_change_nothing(chance: random.Random):
    reference, found = session(chance), session(chance)
    assert rate(recording(reference, found)) == rate(recording(reference, renamed(found)))


def session(chance: random.Random) -> tuple[Turn, ...]:
    """Eight turns of up to three speakers, each of up to four words."""
    return turns(
        *(
            (start, start + 1, chance.choice(("ann", "bob", "cem")), sentence(chance))
            for start in range(8)
        )
    )


def sentence(chance: random.Random) -> str:
    return " ".join(chance.choices(WORDS, k=chance.randint(1, 4)))


@pytest.mark.filterwarnings("ignore")  # what MeetEval and its own packages raise
def test_meeteval_counts_the_same():
    wer: Any = pytest.importorskip("meeteval.wer", reason="meeteval is not installed")
    io: Any = pytest.importorskip("meeteval.io")
    chance = random.Random(7)
    for _ in range(50):
        reference, found = session(chance), session(chance)[: chance.randint(1, 8)]
        expected = wer.cpwer(segments(io, reference), segments(io, found))["s"]
        figures = rate(recording(reference, found))
        assert figures["turns/cpwer"] == pytest.approx(expected.error_rate)
        assert figures["turns/cp_words"] == expected.length


def segments(io: Any, said: tuple[Turn, ...]) -> Any:
    return io.SegLST(
        [
            {
                "session_id": "s",
                "speaker": turn.speaker,
                "start_time": turn.start_s,
                "end_time": turn.end_s,
                "words": turn.text,
            }
            for turn in said
        ]
    )
