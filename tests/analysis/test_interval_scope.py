"""The one line on what intervals are of."""

from __future__ import annotations

import pytest

from asr_scaling.analysis.interval_scope import interval_scope, of_one_process

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
        (
            None,
            f"Intervals are of one process each (measured before this was told apart); {UNKNOWN}.",
        ),
    ],
)
def test_one_kind_is_said_once(scope: str | None, line: str):
    tags = {} if scope is None else {"interval/of": scope}
    assert interval_scope([tags, tags]) == line


def test_several_kinds_are_counted_and_what_is_not_known_is_said_once():
    tags = [{"interval/of": "3 processes"}] * 2 + [{"interval/of": "this process"}, {}]
    assert interval_scope(tags) == (
        "Intervals are of 3 processes each in 2 of 4 points; of one process each in 1 of 4 points; "
        "of one process each (measured before this was told apart) in 1 of 4 points; "
        f"{UNKNOWN}."
    )


def test_without_points_there_is_nothing_to_say():
    assert interval_scope([]) == ""


@pytest.mark.parametrize(
    ("scope", "one"),
    [(None, True), ("this process", True), (WIDENED, False), ("2 processes", False)],
)
def test_what_says_nothing_of_processes(scope: str | None, one: bool):
    assert of_one_process({} if scope is None else {"interval/of": scope}) is one
