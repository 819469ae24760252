"""The one line on what intervals are of."""

from __future__ import annotations

import pytest

from asr_scaling.analysis.interval_scope import interval_scope, may_change, of_one_process

WIDENED = (
    "this process; widened by this machine's spread between processes of 3.1 % "
    "(self-test of 2026-11-29)"
)
UNKNOWN = "how much processes differ on this machine is not known: python -m asr_scaling selftest"


@pytest.mark.parametrize(
    ("scope", "line"),
    [
        ("this process", f"Intervals are of one process each; {UNKNOWN}."),
        (
            WIDENED,
            "Intervals are of one process each, widened by this machine's spread between processes "
            "of 3.1 % (self-test of 2026-11-29).",
        ),
        ("3 processes", "Intervals are of 3 processes each."),
        (None, f"Intervals are of one process each; {UNKNOWN}."),
    ],
)
def test_one_kind_is_said_once(scope: str | None, line: str):
    tags = {} if scope is None else {"interval/of": scope}
    assert interval_scope([tags, tags]) == line


def test_several_kinds_are_counted_and_what_is_not_known_is_said_once():
    tags = [{"interval/of": "3 processes"}] * 3 + [{"interval/of": "this process"}, {}]
    assert interval_scope(tags) == (
        "Intervals are of 3 processes each in 3 of 5 points; of one process each in 2 of 5 points; "
        f"{UNKNOWN}."
    )


def test_what_is_known_of_the_machine_may_differ_between_points():
    other = WIDENED.replace("3.1", "3.3")
    assert interval_scope([{"interval/of": WIDENED}, {"interval/of": other}]) == (
        "Intervals are of one process each, widened by this machine's spread between processes of "
        "3.1 % (self-test of 2026-11-29) and others."
    )


def test_what_one_of_several_processes_measured_is_named_once():
    names = {"interval/of_one_process": "decoder/step_s, utilisation/mfu"}
    assert interval_scope([{"interval/of": "3 processes; with a spread", **names}] * 2) == (
        "Intervals are of 3 processes each, with a spread. Those of decoder/step_s, "
        "utilisation/mfu are of one process, widened by that spread."
    )


def test_without_points_there_is_nothing_to_say():
    assert interval_scope([]) == ""


@pytest.mark.parametrize(
    ("scope", "alone"),
    [(None, True), ("this process", True), (WIDENED, False), ("2 processes", False)],
)
def test_a_comparison_of_single_processes_says_so(scope: str | None, alone: bool):
    tags = {} if scope is None else {"interval/of": scope}
    lines = may_change([tags, tags])
    assert bool(lines) is alone
    assert all(line.startswith("Each point was timed by one process") for line in lines)


def test_how_many_points_are_of_one_process():
    (line,) = may_change([{"interval/of": "3 processes"}, {"interval/of": "this process"}])
    assert line.startswith("1 of 2 points were timed by one process")
    assert may_change([]) == []


@pytest.mark.parametrize(
    ("scope", "one"),
    [(None, True), ("this process", True), (WIDENED, False), ("2 processes", False)],
)
def test_what_says_nothing_of_processes(scope: str | None, one: bool):
    assert of_one_process({} if scope is None else {"interval/of": scope}) is one
