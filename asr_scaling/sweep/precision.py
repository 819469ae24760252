"""sweep.precision: points get further rounds until their median is known well enough.

Each further round is decided once the one before has ended, from the records on disk, so that a
resumed sweep decides as the first one did.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from asr_scaling.core.record import ROUNDS_FOLDER, RunRecord
from asr_scaling.records.merge import merge
from asr_scaling.records.process_intervals import level_of
from asr_scaling.records.read import readable_files
from asr_scaling.sweep.plan import PlannedPoint
from asr_scaling.sweep.precision_plan import Worth, calls_of_next, in_words, planned_calls, worth
from asr_scaling.sweep.rounds import Rounds

_JUDGED = ("latency/p50_s", "latency/mean_s")
"""The figure that is to be known: the median, of fewer calls than it needs the mean."""
_Key = tuple[str, ...]


@dataclass(frozen=True)
class Known:
    """How well a point is known so far.

    name: of the point.
    processes: that measured it.
    calls: fewest and most timed calls of a process, where later ones were planned to make more.
    share: half of the interval over the value; None where a process failed or nothing was timed.
    would: what the precision would take; None with ``share``, and where that is narrow enough.
    """

    name: str
    processes: int
    share: float | None = None
    would: Worth | None = None
    calls: tuple[int, int] | None = None


def known(rounds: Sequence[RunRecord], precision: float) -> Known:
    """What the rounds of one point, at least one, say of its median."""
    whole = merge(rounds)
    name = next((name for name in _JUDGED if name in whole.intervals), None)
    level = None if name is None else level_of(rounds, name)
    if whole.status != "ok" or name is None or level is None:
        return Known(whole.name, len(rounds))
    share = whole.intervals[name].half(whole.values[name]) / whole.values[name]
    would = worth(rounds, name, level, precision) if share > precision else None
    made = sorted(len(record.samples) for record in rounds)
    calls = (made[0], made[-1]) if any(map(planned_calls, rounds)) else None
    return Known(whole.name, len(rounds), share, would, calls)


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
        still holds is asked there, whatever number of calls it was planned to make.
        """
        precision, records = self.rounds.precision, _by_point(folder)
        if precision is None or number >= self.rounds.most:
            return ()
        wanted = []
        for i, point in enumerate(self.points):
            rounds = records.get(_key(point.overrides), {})
            before = [record for k, record in rounds.items() if k < number]
            would = known(before, precision).would if len(before) == number else None
            calls = None if would is None else calls_of_next(before, would)
            if would is not None or number in rounds:
                wanted.append((i, point if calls is None else _with_calls(point, calls)))
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


def _with_calls(point: PlannedPoint, calls: int) -> PlannedPoint:
    return replace(point, overrides=(*point.overrides, f"+sweep.calls={calls}"))


def _sentence(state: Known, share: float, precision: float, most: int) -> str:
    several = "process" if state.processes == 1 else "processes"
    told = f"{state.name}: ± {_percent(share)} of the median, {state.processes} {several}"
    if state.calls is not None:
        told += f" of {state.calls[0]} to {state.calls[1]} calls"
    if state.would is None:
        return f"{told}."
    would = in_words(state.would, state.processes)
    stopped = f"; stopped at sweep.most_processes={most}" if state.processes >= most else ""
    return f"{told}; ± {_percent(precision)} would take {would}{stopped}."


def _percent(share: float) -> str:
    return f"{100 * share:.2g} %"


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
