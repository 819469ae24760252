"""sweep.precision: points get further rounds until their median is known well enough.

Each further round is decided once the one before has ended, from the records on disk, so that a
resumed sweep decides as the first one did.
"""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from asr_scaling.core.levels import MOST_PROCESSES, processes_needed
from asr_scaling.core.record import ROUNDS_FOLDER, RunRecord
from asr_scaling.records.merge import merge
from asr_scaling.records.process_intervals import level_of
from asr_scaling.records.read import readable_files
from asr_scaling.sweep.plan import PlannedPoint
from asr_scaling.sweep.rounds import Rounds

_JUDGED = ("latency/p50_s", "latency/mean_s")
"""The figure that is to be known: the median, of fewer calls than it needs the mean."""
_START_S = 5.0
"""Seconds of a process before and after its point: its start, with all imports, and its end."""
_Key = tuple[str, ...]


@dataclass(frozen=True)
class Known:
    """How well a point is known so far.

    name: of the point.
    processes: that measured it.
    share: half of the interval over the value; None where a process failed or nothing was timed.
    needed: processes that the precision would take; None where more than are ever advised.
    process_s: seconds that one more process takes.
    """

    name: str
    processes: int
    share: float | None
    needed: int | None
    process_s: float


def known(rounds: Sequence[RunRecord], precision: float) -> Known:
    """What the rounds of one point, at least one, say of its median."""
    whole = merge(rounds)
    name = next((name for name in _JUDGED if name in whole.intervals), None)
    took_s = statistics.median(record.ended_at - record.started_at for record in rounds) + _START_S
    level = None if name is None else level_of(rounds, name)
    if whole.status != "ok" or name is None or level is None:
        return Known(whole.name, len(rounds), None, None, took_s)
    share = whole.intervals[name].half(whole.values[name]) / whole.values[name]
    needed = processes_needed(level, math.log1p(precision), least=len(rounds) + 1)
    return Known(whole.name, len(rounds), share, needed, took_s)


@dataclass(frozen=True)
class Planner:
    """Decides which points are measured once more.

    rounds: of the sweep, with the precision that is wanted.
    points: of the sweep, each once, in order.
    subdir: Hydra's pattern of a point's folder.
    program: name of the program.
    """

    rounds: Rounds
    points: tuple[PlannedPoint, ...]
    subdir: str
    program: str

    def further(self, folder: Path, number: int) -> tuple[PlannedPoint, ...]:
        """The jobs of round ``number``, the next one; none when no point needs it.

        A point that an earlier run of the sweep measured in that round is in it: whether its record
        still holds is asked there.
        """
        precision, records = self.rounds.precision, _by_point(folder)
        if precision is None or number >= self.rounds.most:
            return ()
        wanted = []
        for i, point in enumerate(self.points):
            rounds = records.get(_key(point.overrides), {})
            before = [record for k, record in rounds.items() if k < number]
            state = known(before, precision) if len(before) == number else None
            open_ = state is not None and state.share is not None and state.share > precision
            if open_ or number in rounds:
                wanted.append((i, point))
        return self.rounds.round(number, wanted, self.subdir, self.program)

    def done(self, plan: Sequence[PlannedPoint]) -> int:
        """How many rounds a plan has."""
        return max(self._processes(plan))

    def title(self, plan: Sequence[PlannedPoint]) -> str:
        """How many points there are, and in how many processes each was to be measured."""
        counts = self._processes(plan)
        fewest, most = min(counts), max(counts)
        several = f"{fewest}" if fewest == most else f"{fewest} to {most}"
        return f"of {len(self.points)} points in {several} processes each"

    def _processes(self, plan: Sequence[PlannedPoint]) -> tuple[int, ...]:
        """The number of rounds of each point."""
        return tuple(Counter(_key(job.overrides) for job in plan).values())

    def sentences(self, folder: Path) -> list[str]:
        """What was reached for each point, and what it would take to reach what was not."""
        precision, found = self.rounds.precision, []
        if precision is None:
            return []
        for rounds in _by_point(folder).values():
            state = known([rounds[k] for k in sorted(rounds)], precision)
            if state.share is not None:
                found.append(_sentence(state, state.share, precision, self.rounds.most))
        return found


def _sentence(state: Known, share: float, precision: float, most: int) -> str:
    several = "process" if state.processes == 1 else "processes"
    told = f"{state.name}: ± {_percent(share)} of the median, {state.processes} {several}"
    if share <= precision:
        return f"{told}."
    if state.needed is None:
        would = f"more than {MOST_PROCESSES} processes"
    else:
        more_s = (state.needed - state.processes) * state.process_s
        would = f"about {state.needed} processes, {_duration(more_s)} more"
    stopped = f"; stopped at sweep.most_processes={most}" if state.processes >= most else ""
    return f"{told}; ± {_percent(precision)} would take {would}{stopped}."


def _percent(share: float) -> str:
    return f"{100 * share:.2g} %"


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} minutes"


def _by_point(folder: Path) -> dict[_Key, dict[int, RunRecord]]:
    """Point → number of a round → its record, of all rounds that can be read."""
    found: dict[_Key, dict[int, RunRecord]] = {}
    for _, record in readable_files(folder / ROUNDS_FOLDER, []):
        hydra = record.config.get("hydra")
        made = hydra.get("overrides", ()) if isinstance(hydra, Mapping) else ()
        if record.round is not None:
            found.setdefault(_key(made), {})[record.round] = record
    return found


def _key(overrides: Sequence[str]) -> _Key:
    """What tells points apart, in all their rounds."""
    return PlannedPoint.of(overrides).without(("sweep", "hydra"))
