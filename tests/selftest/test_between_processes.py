"""The self-test's check of how much times differ between processes of this machine."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from asr_scaling.cli.selftest import main
from asr_scaling.core.sample import Beat, Sample
from asr_scaling.machine.spread_history import entries
from asr_scaling.selftest.between_processes import CALLS, Timed, between_processes, one_process
from asr_scaling.selftest.certificate import certificate, summary
from asr_scaling.selftest.stand_in import STEPS


def calls(seconds: Sequence[float]) -> list[Sample]:
    return [Sample(("a",), 1.0, 1.0, total, {"encoder": total}) for total in seconds]


def processes(
    medians: Sequence[float], probes: Sequence[dict[str, float]] = ()
) -> Callable[[], Timed]:
    """Each process calls three times, with ``medians`` in the middle; each has all the beats."""
    beats = [Beat(float(i), seconds) for i, seconds in enumerate(probes)]
    timed = [(calls([m * 0.9, m, m * 2]), beats) for m in medians]
    return iter(timed).__next__


def test_the_spread_is_that_of_the_medians_logarithms() -> None:
    medians = [0.100, 0.102, 0.098, 0.101]
    found = between_processes(processes(medians), len(medians))
    expected = statistics.stdev(map(math.log, medians))
    own = {f"median_s/{k}": seconds for k, seconds in enumerate(medians)}
    assert found.values == pytest.approx({"spread": expected, "freedom": 3, **own})
    assert (found.status, found.advice) == ("pass", "")
    assert found.figure == f"medians of 4 processes differ by {expected:.1%} (standard deviation)"


@pytest.mark.parametrize(
    ("factor", "status"), [(1.03, "pass"), (1.10, "warn"), (2.0, "warn"), (3.0, "fail")]
)
def test_more_than_5_percent_is_a_warning(factor: float, status: str) -> None:
    found = between_processes(processes([0.1, 0.1 * factor]), 2)
    assert found.status == status
    assert ("sweep.processes=3" in found.advice) == (status != "pass")


def test_a_certificate_says_the_spread_and_the_machines_usual_state() -> None:
    probes = [{"memory": 0.010}, {"memory": 0.012, "turns": 0.001}, {"memory": 0.020}]
    found = between_processes(processes([0.1, 0.11], probes), 2)
    made = certificate([found], 20.0)
    said = summary(made)
    sd = pytest.approx(math.log(1.1) / math.sqrt(2))
    assert said["between_processes"] == {"sd": sd, "freedom": 1, "at": made["at"]}
    assert said["usual_state"] == {"memory": 0.012, "turns": 0.001}


def test_what_was_found_is_noted_with_the_machines_history(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ASR_SCALING_CACHE", str(tmp_path))
    found = between_processes(processes([0.1, 0.11], [{"memory": 0.01}, {"memory": 0.02}]), 2)
    assert main([], {found.name: lambda: found}) == 0
    (entry,) = entries()
    assert (entry.system, entry.logs) == ("self-test", (math.log(0.1), math.log(0.11)))
    assert entry.states == ({"memory": 0.015},) * 2
    assert main(["--again"], {found.name: lambda: found}) == 0  # nothing is due: none is added
    assert len(entries()) == 1


def test_the_stand_in_encodes_and_decodes_step_by_step() -> None:
    samples, _ = one_process(lambda: None)
    assert len(samples) == CALLS
    for call in samples:
        assert len(call.step_s) == STEPS - 1
        assert call.stages["encoder"] > 0
        assert call.stages["decoder"] > 0


@pytest.mark.slow
def test_two_real_processes_differ_by_something() -> None:
    found = between_processes(processes=2)
    assert 0 < found.values["spread"] < 1
