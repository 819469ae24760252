"""How much times differ between processes of this machine: one small system in fresh processes."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from asr_scaling.batch.fixed import Fixed
from asr_scaling.core.model_spec import load_spec
from asr_scaling.core.ports import SystemSpec
from asr_scaling.core.sample import Beat, Sample
from asr_scaling.core.usual_state import at_usual, usual_state
from asr_scaling.device.cpu import Cpu
from asr_scaling.machine.fresh_process import Read, in_fresh_process
from asr_scaling.machine.spread_history import SELF_TEST, Entry, add
from asr_scaling.measure.job import Job
from asr_scaling.measure.pipeline import Pipeline
from asr_scaling.selftest.checks import Check, graded
from asr_scaling.selftest.clock import Silence, measured
from asr_scaling.selftest.stand_in import StandIn

NAME = "between processes"
PROCESSES, CALLS = 6, 8
WARM_UP = 3
SPREAD, SPREAD_USUAL = "spread", "spread_usual"
FREEDOM = "freedom"
STATE = "usual_state/"
MEDIAN, MEDIAN_USUAL = "median_s/", "median_usual_s/"
"""Names of this check's values; the last come before a probe's name or a process's number."""
_MOST_S = 60.0
"""A process that takes longer is ended."""
_USELESS = 0.5
"""A spread that no number of processes makes useful."""
_MORE = (
    "One process says little here: let sweep.processes=3 measure each point in three, before you "
    "call one system faster than another. On a CPU, device.steady=true takes away the part "
    "that page faults have."
)
Timed = tuple[Sequence[Sample], Sequence[Beat]]
"""The timed calls of a process, and the machine's state between them."""


def between_processes(
    timed: Callable[[], Timed] | None = None, processes: int = PROCESSES
) -> Check:
    """The standard deviation of the log of a call's median time, between fresh processes.

    timed: starts a process and returns what it timed; by default a small system of torch.
    processes: how many follow one another; 2 at least.

    It holds what chance leaves in the median of eight calls, too: it is rather too large.
    """
    runs = [_numbered(k, (timed or _stand_in)()) for k in range(processes)]
    beats = [beat for _, run in runs for beat in run]
    medians, state = _medians([calls for calls, _ in runs]), usual_state(beats)
    usual = at_usual([call for calls, _ in runs for call in calls], beats, state)
    spread = statistics.stdev(map(math.log, medians))
    values = {
        SPREAD: spread,
        FREEDOM: processes - 1.0,
        **{f"{STATE}{probe}": seconds for probe, seconds in state.items()},
        **{f"{MEDIAN}{k}": seconds for k, seconds in enumerate(medians)},
    }
    figure = f"medians of {processes} processes differ by {spread:.1%} (standard deviation)"
    if usual.made:
        own = [[c for c in usual.samples if c.process == k] for k in range(processes)]
        again = dict(enumerate(_medians(own)))
        values[SPREAD_USUAL] = statistics.stdev(map(math.log, again.values()))
        values |= {f"{MEDIAN_USUAL}{k}": seconds for k, seconds in again.items()}
        figure += f", {values[SPREAD_USUAL]:.1%} at the machine's usual state"
    status = graded(spread, 0.05, _USELESS)
    return Check(NAME, status, figure, "" if status == "pass" else _MORE, values)


def _numbered(process: int, timed: Timed) -> Timed:
    calls, beats = timed
    return (
        [replace(call, process=process) for call in calls],
        [replace(beat, process=process) for beat in beats],
    )


def _medians(processes: Sequence[Sequence[Sample]]) -> list[float]:
    return [statistics.median(call.total_s for call in calls) for calls in processes]


def stated(values: Mapping[str, float]) -> dict[str, Any]:
    """What a certificate's summary has of the check's ``values``."""
    spread = {"sd": values[SPREAD], "freedom": values[FREEDOM]}
    if SPREAD_USUAL in values:
        spread["sd_usual"] = values[SPREAD_USUAL]
    state = {n.removeprefix(STATE): s for n, s in values.items() if n.startswith(STATE)}
    return {"between_processes": spread} | ({"usual_state": state} if state else {})


def note(check: Check) -> None:
    """Keep what the check found with what is known of this machine's spread, for later."""
    logs, usual = (
        tuple(math.log(seconds) for name, seconds in check.values.items() if name.startswith(kind))
        for kind in (MEDIAN, MEDIAN_USUAL)
    )
    if logs:
        add(Entry(SELF_TEST, time.time(), logs, usual))


def _stand_in() -> Timed:
    return in_fresh_process(one_process, (), _MOST_S)


def one_process(read: Read) -> Timed:
    """What the stand-in's calls take in this process, without their warm-up."""
    system = SystemSpec(load_spec("whisper_tiny_en"), StandIn(), Cpu(), Fixed(1))
    pipeline = Pipeline(
        warmup=WARM_UP,
        warmup_seconds=0,
        min_iterations=CALLS,
        precision=None,
        max_seconds=_MOST_S,
    )
    record = measured(Job(system, Silence([1.0]), {}, pipeline))
    return record.samples, record.beats
