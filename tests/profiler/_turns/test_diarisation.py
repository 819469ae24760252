"""Diarisation error rate: figures by hand, and a count by whole seconds as its oracle."""

from __future__ import annotations

from itertools import permutations

import pytest
from hypothesis import given, settings
from support.turn_lists import LENGTH_S, grid_turns, recording, renamed, turns, values

from asr_scaling.core.turns import Turn
from asr_scaling.profiler._turns import diarisation
from asr_scaling.profiler._turns.recordings import Recording

Turns = tuple[Turn, ...]


@pytest.fixture(scope="module", autouse=True)
def package() -> None:
    pytest.importorskip("pyannote.metrics.diarization", reason="the extra 'cascade' is missing")


def rates(*recordings: Recording) -> dict[str, float]:
    return values(diarisation.measured(recordings)[0])


def test_components_by_hand():
    """x is a, y is b: 4 to 5 s are a's by mistake, 8 to 9 s are nobody's; 8 s of speakers."""
    found = rates(
        Recording("r", 10.0, turns((0, 4, "a"), (4, 8, "b")), turns((0, 5, "x"), (5, 9, "y")))
    )
    assert found["turns/der"] == pytest.approx(2 / 8)
    assert found["turns/der_miss"] == 0
    assert found["turns/der_false_alarm"] == pytest.approx(1 / 8)
    assert found["turns/der_confusion"] == pytest.approx(1 / 8)


def test_the_collar_is_a_quarter_of_a_second_on_each_side():
    """Left out: around 0, 4 and 8 s. Of 8 s 7 are left, of each error 0.75 s."""
    one = Recording("r", 10.0, turns((0, 4, "a"), (4, 8, "b")), turns((0, 5, "x"), (5, 9, "y")))
    assert rates(one)["turns/der_collar"] == pytest.approx(1.5 / 7)
    near = Recording(
        "r", 10.0, turns((0, 4, "a"), (4, 8, "b")), turns((0, 4.2, "x"), (4.2, 8, "y"))
    )
    assert rates(near)["turns/der_collar"] == 0
    far = Recording("r", 10.0, turns((0, 4, "a"), (4, 8, "b")), turns((0, 4.3, "x"), (4.3, 8, "y")))
    assert rates(far)["turns/der_collar"] == pytest.approx(0.05 / 7)


def test_overlap_counts_for_each_speaker():
    """One speaker found for two who overlap for 2 of 6 s: the rate is at its floor of 2/8 at best,
    and here 2 s more are the other's."""
    one = Recording("r", 10.0, turns((0, 4, "a"), (2, 6, "b")), turns((0, 6, "x")))
    found = rates(one)
    assert found["turns/der_miss"] == pytest.approx(2 / 8)
    assert found["turns/der_confusion"] == pytest.approx(2 / 8)
    both = Recording("r", 10.0, turns((0, 4, "a"), (2, 6, "b")), turns((0, 4, "x"), (4, 6, "y")))
    assert rates(both)["turns/der"] == pytest.approx(2 / 8)


def test_recordings_are_summed_and_each_has_its_own_names():
    some = Recording("r", 10.0, turns((0, 1, "a")), turns((0, 1, "x")))
    more = Recording("s", 10.0, turns((0, 7, "b")), turns((0, 3, "x"), (3, 7, "y")))
    assert rates(some, more)["turns/der"] == pytest.approx(3 / 8)


def test_a_system_that_finds_nothing_misses_all():
    found = rates(recording(turns((0, 4, "a")), ()))
    assert (found["turns/der"], found["turns/der_miss"]) == (1, 1)


def test_what_is_after_the_recordings_end_does_not_count():
    one = Recording("r", 5.0, turns((0, 4, "a")), turns((0, 4, "x"), (4.5, 9, "x")))
    assert rates(one)["turns/der"] == pytest.approx(0.5 / 4)


def test_the_tag_says_how():
    _, tags = diarisation.measured([recording(turns((0, 4, "a")), ())])
    assert tags["turns/der"].startswith("no collar, overlap included (pyannote.metrics ")


def by_seconds(reference: Turns, found: Turns) -> float | None:
    """The rate by its definition: every match of speakers, every whole second."""
    own, theirs = (
        [{t.speaker for t in some if t.start_s <= s < t.end_s} for s in range(LENGTH_S)]
        for some in (reference, found)
    )
    names, others = sorted(set().union(*own)), sorted(set().union(*theirs))
    total = sum(map(len, own))
    longest = max(len(names), len(others))
    padded = [*names, *range(longest - len(names))]
    right = max(
        (
            sum(len(a & {match[name] for name in b}) for a, b in zip(own, theirs, strict=True))
            for order in permutations(padded, len(others))
            for match in [dict(zip(others, order, strict=True))]
        ),
        default=0,
    )
    most = sum(max(len(a), len(b)) for a, b in zip(own, theirs, strict=True))
    return (most - right) / total if total else None


@settings(max_examples=60, deadline=None)
@given(grid_turns(least=1), grid_turns())
def test_the_rate_is_that_of_a_count_by_seconds(reference: Turns, found: Turns):
    assert rates(recording(reference, found))["turns/der"] == pytest.approx(
        by_seconds(reference, found)
    )


@settings(max_examples=30, deadline=None)
@given(grid_turns(least=1), grid_turns())
def test_names_change_nothing_and_what_is_right_has_no_error(reference: Turns, found: Turns):
    plain, other = (rates(recording(reference, some)) for some in (found, renamed(found)))
    assert other == pytest.approx(plain)
    perfect = rates(recording(reference, renamed(reference)))
    assert perfect["turns/der"] == 0
    assert perfect.get("turns/der_collar", 0) == 0
