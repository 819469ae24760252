"""Changes of latency and RTFx, paired by speech, at the levels of calls, processes and hours.

The tables are process × block: what each process took for each block of speech. A system's figure
is the mean over its processes; how these differ, and what the machine's processes are known to
differ by, is one part of the error (core/levels.py). How unlike the blocks change is the other:
the blocks' changes vary with the speech and with the calls (Student's t over blocks). With fewer
than six blocks the calls' repeats stand for them where there are any, and the interval is about
this very speech. Where one side has too few repeats, the calls of both are taken to vary alike.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from asr_scaling.analysis.comparison.blocks import Block, Repeats
from asr_scaling.core.levels import Level, Part, combined, difference, of_processes
from asr_scaling.core.spread import Spread
from asr_scaling.core.statistics import FEWEST

_Floats = NDArray[np.float64]
_FEWEST_REPEATS = 2
"""Degrees of freedom that the repeats of a side need to tell how much calls differ."""
_FEWEST_BLOCKS = 3


@dataclass(frozen=True)
class State:
    """How the times of one side were taken.

    usual: whether they are at one machine state with the other side's.
    shift_error: standard error of the logarithm of the side's times that this brought; its
        processes share it.
    """

    usual: bool = False
    shift_error: float = 0.0


@dataclass(frozen=True)
class TimeChange:
    """B against A.

    value: the change as a share.
    level: its logarithm; None where the calls were too few to tell how sure it is.
    plan: the same of a measurement in turns, for how many processes are needed; these lessen what
        differs between calls too.
    """

    value: float
    level: Level | None
    plan: Level | None


@dataclass(frozen=True)
class _Table:
    """One side: ``figures`` are a logarithm for each process, ``cells`` process × block.

    Cells are logarithms of a block's time for the latency; for the RTFx minus the block's share of
    the process's time, times the number of blocks. The mean over the blocks of what differs in the
    cells is, but for what is of second order, what differs in the figures.

    weights: share of each block in the figure.
    repeats: logarithms of each process's repeats of each block.
    """

    figures: _Floats
    cells: _Floats
    weights: _Floats
    repeats: Sequence[Sequence[Sequence[float]]]

    @property
    def processes(self) -> int:
        return len(self.figures)

    @property
    def share(self) -> float:
        """Of the variance of a repeat's logarithm that is in a process's figure, on average."""
        counts = np.asarray([[max(1, len(x)) for x in row] for row in self.repeats])
        return float((self.weights**2 / counts).sum() / self.processes)


def time_changes(
    blocks: Sequence[Block], spread: Spread, states: tuple[State, State], apart: str
) -> tuple[TimeChange, TimeChange]:
    """Of the latency and of the RTFx.

    Latency: geometric mean over blocks of the ratio of waits, each the geometric mean of its
    repeats. RTFx: ratio of the speeds over all blocks, whose times are means over repeats.
    """
    waits = _waits([block.wait_a for block in blocks]), _waits([block.wait_b for block in blocks])
    works = _speeds([block.work_a for block in blocks]), _speeds([block.work_b for block in blocks])
    longer = _change(*waits, spread, states, apart)
    return longer, _change(*works, spread, states, apart)


def _waits(blocks: Sequence[Repeats]) -> _Table:
    repeats = _logs(blocks)
    cells = _filled([[float(np.mean(x)) if len(x) else np.nan for x in row] for row in repeats])
    weights = np.full(cells.shape[1], 1 / cells.shape[1])
    return _Table(cells.mean(axis=1), cells, weights, repeats)


def _speeds(blocks: Sequence[Repeats]) -> _Table:
    repeats = _logs(blocks)
    means = _filled(
        [[math.log(np.mean(np.exp(x))) if len(x) else np.nan for x in row] for row in repeats]
    )
    times = np.exp(means)
    total = times.sum(axis=1, keepdims=True)
    shares = times / total
    return _Table(-np.log(total[:, 0]), -shares * shares.shape[1], shares.mean(axis=0), repeats)


def _logs(blocks: Sequence[Repeats]) -> list[list[list[float]]]:
    """process × block × repeat, of the processes that finished a block."""
    rows = [[list(map(math.log, times)) for times in row] for row in zip(*blocks, strict=True)]
    return [row for row in rows if any(row)]


def _filled(cells: Sequence[Sequence[float]]) -> _Floats:
    """Logarithms with missing ones as the block's mean, shifted as the process's others are."""
    table = np.asarray(cells, dtype=float)
    of_blocks = np.nanmean(table, axis=0, keepdims=True)
    shifts = np.nanmean(table - of_blocks, axis=1, keepdims=True)
    return np.where(np.isnan(table), of_blocks + shifts, table)


def _change(
    a: _Table, b: _Table, spread: Spread, states: tuple[State, State], apart: str
) -> TimeChange:
    value, sides = math.expm1(float(b.figures.mean() - a.figures.mean())), (a, b)
    speech = _of_speech(a, b)
    if speech is None:
        return TimeChange(value, None, None)
    noises = [_residual(side) for side in sides]
    in_processes = math.fsum(n / side.processes for n, side in zip(noises, sides, strict=True))
    rest = max(0.0, speech.variance - in_processes)
    single = sum(side.processes == 1 for side in sides)
    levels, plans = list[Level](), list[Level]()
    for side, noise, state in zip(sides, noises, states, strict=True):
        planned = rest / single if side.processes == 1 else noise
        for found, variance, how in ((levels, noise, apart), (plans, planned, "")):
            errors = [math.sqrt(variance)] * side.processes
            logs = side.figures.tolist()
            found.append(of_processes(logs, errors, spread, state.usual, how))
    shifts = math.fsum(state.shift_error for state in states) ** 2  # at worst they go together
    level = difference(*levels).with_part(shifts, math.inf).with_part(rest, speech.freedom)
    plan = difference(*plans).with_part(shifts, math.inf)
    return TimeChange(value, level, plan if single else plan.with_part(rest, speech.freedom))


def _residual(side: _Table) -> float:
    """Squared standard error of a process's figure, by what its cells differ from the others'.

    The residual mean square of a two-way table without replication (Montgomery, Design and
    Analysis of Experiments, section 4.1). 0 of one process; then the blocks' changes hold it.
    """
    processes, blocks = side.cells.shape
    if processes == 1:
        return 0.0
    if blocks == 1:
        found = _of_repeats(side)
        return found[0].variance if found else 0.0
    left = side.cells - side.cells.mean(axis=0, keepdims=True)
    left -= left.mean(axis=1, keepdims=True)
    return float((left**2).sum() / ((processes - 1) * (blocks - 1)) / blocks)


def _of_speech(a: _Table, b: _Table) -> Part | None:
    """Variance of the change by speech and calls, processes left out; None with too few calls."""
    blocks = a.cells.shape[1]
    if blocks < FEWEST:
        own, its = _of_repeats(a), _of_repeats(b)
        repeats = [*own, *its] if own and its else _of_repeats(a, b)
        if repeats:
            sizes = (a.processes, b.processes)
            parts = [
                replace(part, variance=part.variance / size)
                for part, size in zip(repeats, sizes, strict=True)
            ]
            return Part(*combined(parts))
        if blocks < _FEWEST_BLOCKS:
            return Part(0.0, math.inf) if min(a.processes, b.processes) > 1 else None
    changes = b.cells.mean(axis=0) - a.cells.mean(axis=0)
    return Part(float(changes.var(ddof=1)) / blocks, blocks - 1)


def _of_repeats(*sides: _Table) -> list[Part]:
    """Variance of a process's figure of each side by what repeats of the same speech differ by.

    Pooled over blocks, processes and ``sides``, so that the parts of two rest on one estimate;
    nothing where repeats are too few.
    """
    cells = [np.asarray(x) for side in sides for row in side.repeats for x in row if len(x)]
    freedom = sum(len(x) - 1 for x in cells)
    if freedom < _FEWEST_REPEATS:
        return []
    pooled = math.fsum(((x - x.mean()) ** 2).sum() for x in cells) / freedom
    source = "calls" if len(sides) > 1 else ""
    return [Part(pooled * side.share, freedom, source) for side in sides]
