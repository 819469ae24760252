"""A certificate that warned of something passing is taken again before the next sweep."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from asr_scaling.cli.selftest import main
from asr_scaling.core.checksum import signed, verified
from asr_scaling.selftest.certificate import (
    MAX_AGE_S,
    certificate,
    fresh,
    keep,
    obtain,
    remarks,
    summary,
    to_bytes,
)
from asr_scaling.selftest.checks import Check

TIMER = Check("timer", "pass", "steps of 1 ns")
ENERGY = Check("energy", "warn", "no counter of the cpu", "buy one")
BUSY = Check("other processes", "warn", "others use 51% of the cores' time right now", "stop them")
ALONE = Check("other processes", "pass", "1% at rest")
NOISY = Check("A/A noise", "fail", "differences below 30.0% are noise", values={"noise_floor": 0.3})
QUIET = Check("A/A noise", "pass", "differences below 1.0% are noise", values={"noise_floor": 0.01})
DISTURBED = Check("known sleeps", "warn", "sleeps wake 5.0% late, and were measured right")
RIGHT = Check("known sleeps", "pass", "right within 0.10%")
APART = Check("between processes", "warn", "by 9.0%", values={"spread": 0.09, "freedom": 5.0})
NEAR = Check("between processes", "pass", "by 2.0%", values={"spread": 0.02, "freedom": 5.0})
HOURS_4 = 4 * 3600


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ASR_SCALING_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "selftest"


def keep_of(cache: Path, *checks: Check, seconds_ago: float, **more: Any) -> datetime:
    """Keep a certificate of then; returns when that was."""
    keep(certificate(checks, 30.0))
    (path,) = cache.iterdir()
    at = (datetime.now(UTC) - timedelta(seconds=seconds_ago)).replace(microsecond=0)
    old = verified(json.loads(path.read_bytes())) | {"at": at.isoformat(), **more}
    path.write_text(json.dumps(signed(old)))
    return at


def never() -> Check:
    raise AssertionError("a check that stands was made again")


def command(*now: Check, others: tuple[str, ...] = ()) -> Callable[[Path], str]:
    """What the child process does, in this one; ``others`` are checks that must not be made."""

    def make(path: Path) -> str:
        checks = {check.name: lambda check=check: check for check in now}
        main(["--again", "--json", str(path)], {**checks, **dict.fromkeys(others, never)})
        return ""

    return make


def minute(at: datetime) -> str:
    return at.strftime("%Y-%m-%d %H:%M")


def test_only_what_may_have_passed_is_made_again(cache: Path) -> None:
    then = keep_of(cache, TIMER, BUSY, ENERGY, seconds_ago=HOURS_4)
    said: list[str] = []
    found = obtain(said.append, command(ALONE, others=("timer", "energy")))
    assert said == ["self-test again (other processes) …"]
    statuses = {check["name"]: check["status"] for check in found["checks"]}
    assert statuses == {"timer": "pass", "other processes": "pass", "energy": "warn"}
    assert (found["status"], fresh()) == ("warn", found)
    assert remarks(found) == [
        f"Self-test of {minute(then)} UTC: energy warns (no counter of the cpu). "
        "Advice, and a new one:  python -m asr_scaling selftest"
    ]
    assert obtain(said.append, command(others=("other processes",))) == found
    assert len(said) == 1


@pytest.mark.parametrize(
    ("before", "now"),
    [(BUSY, ALONE), (NOISY, QUIET), (DISTURBED, RIGHT), (APART, NEAR)],
    ids=lambda check: check.name,
)
def test_each_warning_of_the_moment_goes_when_its_cause_has(
    cache: Path, before: Check, now: Check
) -> None:
    keep_of(cache, TIMER, before, seconds_ago=HOURS_4)
    found = obtain(lambda line: None, command(now, others=("timer",)))
    assert found["status"] == "pass"
    assert remarks(found) == []


def test_what_still_warns_is_said_as_of_now(cache: Path) -> None:
    then = keep_of(cache, ENERGY, BUSY, seconds_ago=HOURS_4)
    still = Check(BUSY.name, "warn", "others use 30% of the cores' time right now")
    found = obtain(lambda line: None, command(still, others=("energy",)))
    (line,) = remarks(found)
    now = datetime.fromisoformat(summary(found)["at"])
    assert datetime.now(UTC) - now < timedelta(minutes=1)
    assert line.startswith(
        f"Self-test of {minute(then)} UTC: energy warns (no counter of the cpu). "
        f"Self-test of {minute(now)} UTC: other processes warns (others use 30% of"
    )


def test_what_passed_or_stays_is_not_made_again(cache: Path) -> None:
    keep_of(cache, TIMER, ENERGY, ALONE, QUIET, NEAR, seconds_ago=MAX_AGE_S - 60)
    names = (TIMER.name, ENERGY.name, ALONE.name, QUIET.name, NEAR.name)
    found = obtain(pytest.fail, command(others=names))
    assert found["status"] == "warn"


def test_the_spread_is_looked_at_again_after_an_hour_at_the_earliest(cache: Path) -> None:
    keep_of(cache, APART, seconds_ago=3500)
    assert obtain(pytest.fail, command(others=(APART.name,)))["status"] == "warn"
    keep_of(cache, APART, seconds_ago=3700)
    found = obtain(lambda line: None, command(NEAR))
    assert summary(found)["between_processes"]["sd"] == 0.02
    keep_of(cache, APART, seconds_ago=HOURS_4, again=found["again"])  # the check is of now
    assert obtain(pytest.fail, command(others=(APART.name,)))["status"] == "warn"


def test_a_certificate_does_not_get_younger_by_it(cache: Path) -> None:
    then = keep_of(cache, TIMER, BUSY, seconds_ago=MAX_AGE_S - 60)
    found = obtain(lambda line: None, command(ALONE, others=("timer",)))
    assert datetime.fromisoformat(found["at"]) == then
    keep_of(cache, TIMER, ALONE, seconds_ago=MAX_AGE_S + 60, again=found["again"])
    assert fresh() is None


def test_where_it_can_not_be_made_again_the_kept_one_is_used_and_says_so(cache: Path) -> None:
    at = keep_of(cache, BUSY, seconds_ago=HOURS_4)
    said: list[str] = []
    found = obtain(said.append, lambda path: "it ended with 3: no torch")
    assert remarks(found)[0].startswith(f"Self-test of {minute(at)} UTC: other processes warns (")
    assert said[1] == (
        "The self-test could not be run again (it ended with 3: no torch): the kept one of "
        f"{at.isoformat()} is used."
    )


def test_without_a_kept_one_everything_is_made(tmp_path: Path) -> None:
    path = tmp_path / "certificate.json"
    assert main(["--again", "--json", str(path)], {"timer": lambda: TIMER}) == 0
    kept = fresh()
    assert kept is not None
    assert path.read_bytes() == to_bytes(kept)
    assert "again" not in kept


@pytest.mark.parametrize("again", [5, {"other processes": "soon"}, {"other processes": 7}])
def test_damaged_times_make_it_anew(cache: Path, again: Any) -> None:
    keep_of(cache, BUSY, seconds_ago=60, again=again)
    assert fresh() is None
