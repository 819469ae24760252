"""How much times differ between processes of this machine: one small system in fresh processes."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from asr_scaling.batch.fixed import Fixed
from asr_scaling.core.earlier import Earlier
from asr_scaling.core.model_spec import load_spec
from asr_scaling.core.ports import SystemSpec
from asr_scaling.core.sample import Beat, Sample
from asr_scaling.core.usual_state import usual_state
from asr_scaling.device.cpu import Cpu
from asr_scaling.machine.fresh_process import Read, in_fresh_process
from asr_scaling.machine.spread_history import SELF_TEST, add
from asr_scaling.measure.job import Job
from asr_scaling.measure.pipeline import Pipeline
from asr_scaling.selftest.checks import Check, graded
from asr_scaling.selftest.clock import Silence, measured
from asr_scaling.selftest.stand_in import StandIn

NAME = "between processes"
PROCESSES, CALLS = 6, 8
WARM_UP = 3
SPREAD = "spread"
FREEDOM = "freedom"
STATE = "usual_state/"
MEDIAN, STATE_OF = "median_s/", "state_s/"
"""Names of this check's values; before a probe's name, a process's number, or both."""
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
    runs = [(timed or _stand_in)() for _ in range(processes)]
    medians = [statistics.median(call.total_s for call in calls) for calls, _ in runs]
    state = usual_state(beat for _, beats in runs for beat in beats)
    spread = statistics.stdev(map(math.log, medians))
    values = {
        SPREAD: spread,
        FREEDOM: processes - 1.0,
        **{f"{STATE}{probe}": seconds for probe, seconds in state.items()},
        **{f"{MEDIAN}{k}": seconds for k, seconds in enumerate(medians)},
        **{
            f"{STATE_OF}{k}/{probe}": seconds
            for k, (_, beats) in enumerate(runs)
            for probe, seconds in usual_state(beats).items()
        },
    }
    figure = f"medians of {processes} processes differ by {spread:.1%} (standard deviation)"
    status = graded(spread, 0.05, _USELESS)
    return Check(NAME, status, figure, "" if status == "pass" else _MORE, values)


def stated(values: Mapping[str, float]) -> dict[str, Any]:
    """What a certificate's summary has of the check's ``values``."""
    spread = {"sd": values[SPREAD], "freedom": values[FREEDOM]}
    state = {n.removeprefix(STATE): s for n, s in values.items() if n.startswith(STATE)}
    return {"between_processes": spread} | ({"usual_state": state} if state else {})


def note(check: Check) -> None:
    """Keep what the check found with what is known of this machine's spread, for later."""
    medians = {n.removeprefix(MEDIAN): s for n, s in check.values.items() if n.startswith(MEDIAN)}
    states = tuple(
        {
            n.rpartition("/")[2]: s
            for n, s in check.values.items()
            if n.startswith(f"{STATE_OF}{k}/")
        }
        for k in medians
    )
    if medians:
        logs = tuple(math.log(seconds) for seconds in medians.values())
        add(Earlier(SELF_TEST, time.time(), logs, states=states if all(states) else ()))


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
