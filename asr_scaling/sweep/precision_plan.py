"""How many processes, and calls in each, a precision is worth: a plan made of a point's rounds."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from asr_scaling.core.call_summary import summarise
from asr_scaling.core.levels import MOST_PROCESSES, Level, known_freedom, processes_needed
from asr_scaling.core.record import RunRecord
from asr_scaling.core.statistics import samples_needed
from asr_scaling.core.variance_components import Components, Plan, components, plan
from asr_scaling.machine.interference import by_input

START_S = 5.0
"""Seconds of a process before and after its point: its start, with all imports, and its end."""
_OF_MEDIAN = math.pi / 2
"""Variance of a median of many normal values, over that of their mean."""
_SAVES = 0.8
"""Another number of calls is advised where it takes less than this share of the time."""

_MORE = 2
"""A further process makes at most so many times the calls of the one with fewest."""


@dataclass(frozen=True)
class Worth:
    """What a precision would take.

    calls: that each process made, as a median.
    process_s: seconds of one more such process.
    needed: processes of so many calls; None where more than are ever advised.
    better: another number of calls in each, measured anew, which takes clearly less time.
    call_s: seconds of a call, between calls included.
    """

    calls: int
    process_s: float
    needed: int | None
    better: Plan | None = None
    call_s: float = 0.0


def worth(rounds: Sequence[RunRecord], name: str, level: Level, precision: float) -> Worth:
    """What it would take to know a figure of time within ± ``precision`` of it.

    rounds: of one point, each of a process.
    name: of the figure, which all rounds have; ``level``: of these rounds.

    Variances are taken as they are known so far, that between processes moderated by the machine's
    as in ``level``. Components of variance are those of means. Where the figure is a median, π/2
    times the calls' component stands for its variance, which is right for many normal values and an
    approximation for others. The interval over all calls, which holds what speech differs by, must
    be narrow enough too: it asks for a number of calls in all processes together.
    """
    calls = max(1, round(statistics.median(len(record.samples) for record in rounds)))
    took_s = statistics.median(record.ended_at - record.started_at for record in rounds) + START_S
    reach, in_all = math.log1p(precision), _calls_in_all(rounds, name, precision)
    least = max(len(rounds) + 1, math.ceil(in_all / calls))
    needed = processes_needed(level, reach, least) if least <= MOST_PROCESSES else None
    timed_s = statistics.median(record.job_s.get("timed pass", 0.0) for record in rounds)
    of = _components(rounds, name, level, calls)
    if of is None or not 0 < timed_s < took_s:
        return Worth(calls, took_s, needed)
    costs_s = (timed_s / calls, took_s - timed_s)
    best = plan(
        of,
        costs_s,
        reach,
        known_freedom=known_freedom(level),
        fewest_calls=samples_needed(50),
        calls_in_all=in_all,
    )
    all_s = math.inf if needed is None else needed * took_s
    better = best if best is not None and best.seconds < _SAVES * all_s else None
    return Worth(calls, took_s, needed, better, costs_s[0])


def planned_calls(record: RunRecord) -> int | None:
    """The number of timed calls that a round was planned to make; None: what ``pipeline`` says."""
    calls = (record.config.get("sweep") or {}).get("calls")
    return calls if isinstance(calls, int) else None


def calls_of_next(rounds: Sequence[RunRecord], would: Worth) -> int | None:
    """Timed calls of a point's next process; None: as ``pipeline`` says, as in the first ones.

    As many as in the cheapest plan, but never fewer than the user's budgets give, and at most twice
    those of the process that made fewest. A merged figure weighs calls alike and its interval
    processes alike: with at most twice the calls it is at most 6 % too narrow, and that only where
    calls differ by nothing (docs/decisions.md, 4.13).
    """
    fewest = min(len(record.samples) for record in rounds)
    before = max(planned_calls(record) or 0 for record in rounds)
    wanted = max(before, would.better.calls if would.better else 0)
    calls = min(wanted, _MORE * fewest)
    given = max(len(record.samples) for record in rounds if planned_calls(record) is None)
    return calls if calls > given else None


def _calls_in_all(rounds: Sequence[RunRecord], name: str, precision: float) -> float:
    """How many calls would bring the interval over all calls to the precision."""
    samples = [sample for record in rounds for sample in record.samples]
    figures = {metric.name: metric for metric in summarise(samples).metrics}
    pooled = figures.get(name)
    if pooled is None or pooled.interval is None:
        return 0.0
    return len(samples) * (pooled.interval.half(pooled.value) / pooled.value / precision) ** 2


def _components(
    rounds: Sequence[RunRecord], name: str, level: Level, calls: int
) -> Components | None:
    """Components of the figure's variance, moderated; None where no process repeats another's work.

    The machine's share is known + error² within a process, as in core/levels.py; that error holds
    what speech differs by.
    """
    logs = [
        {key: [math.log(s.total_s) for s in own] for key, own in by_input(record.samples).items()}
        for record in rounds
    ]
    shared = set.intersection(*map(set, logs))  # others would confuse speech with processes
    if not shared:
        return None
    means = {key: statistics.fmean(statistics.fmean(own[key]) for own in logs) for key in shared}
    left = [[x - means[key] for key in sorted(shared) for x in own[key]] for own in logs]
    try:
        found = components(left, fitted=max(0, len(shared) - 1))
    except ValueError:  # too few calls of the same speech
        return None
    (side,) = level.sides
    freedom = known_freedom(level)
    machine = freedom / (freedom + side.freedom)
    shape = _OF_MEDIAN if name == "latency/p50_s" else 1.0
    return Components(
        (1 - machine) * shape * found.calls + machine * calls * side.within,
        (1 - machine) * found.processes + machine * (side.known or 0.0),
    )


def in_words(of: Worth, made: int) -> str:
    """What it would take, of a point that ``made`` processes have measured."""
    each = f"of {of.calls} {'call' if of.calls == 1 else 'calls'} each"
    if of.needed is None:
        would = f"more than {MOST_PROCESSES} processes {each}"
    else:
        more_s = (of.needed - made) * of.process_s
        would = f"about {of.needed} processes {each}, {_duration(more_s)} more"
    if of.better is None:
        return would
    calls, seconds = of.better.calls, math.ceil(of.better.calls * of.call_s)
    options = f"pipeline.precision=null pipeline.min_iterations={calls} "
    options += f"pipeline.max_seconds={seconds}"
    anew = f"{of.better.processes} of {calls} calls each, {_duration(of.better.seconds)} in all"
    return f"{would}, or about {anew}, measured anew with {options}"


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} minutes"
