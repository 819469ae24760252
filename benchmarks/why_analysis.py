"""What benchmarks/why_processes_differ.py found: the parts of the variance, and what changes them.

Everything is of logarithms, so that 0.01 is about 1 %. A turn's calls are compared with those that
the other processes of the batch made in the same round, with the same utterances: what is left is
the process's own, and does not hold what the host did to all of them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from scipy import stats

Floats = NDArray[np.float64]
_NORMAL = 1.253
"""Standard error of a median over that of a mean, of normal values: the root of pi / 2."""


@dataclass(frozen=True)
class Batch:
    """Processes that were called in turn, after one load.

    on: process → its treatments.
    anew: the system had been loaded a second time.
    logs: log of seconds, shape [processes, calls]; a column has one round and utterance.
    faults: page faults, shape [processes, calls].
    utterances: of each column, shape [calls].
    """

    on: Sequence[Sequence[str]]
    anew: bool
    logs: Floats
    faults: Floats
    utterances: NDArray[np.int64]

    @property
    def own(self) -> Floats:
        """Logs less what is common to the processes in a round, shape [processes, calls]."""
        left: Floats = self.logs - np.median(self.logs, axis=0)
        return left

    @property
    def figures(self) -> Floats:
        """Each process's log median, against the others of the batch, shape [processes]."""
        own: Floats = np.median(self.own, axis=1)
        own -= own.mean()
        return own

    @property
    def errors(self) -> Floats:
        """Standard errors of ``figures``, from the calls of a process, shape [processes]."""
        scale = stats.median_abs_deviation(self.own, axis=1, scale="normal")
        found: Floats = _NORMAL * scale / np.sqrt(self.own.shape[1])
        return found


def batches(results: Path, system: str) -> list[Batch]:
    """The batches of a system whose every process had every turn."""
    turns: dict[tuple[int, bool], dict[int, list[Mapping[str, Any]]]] = {}
    for line in results.read_text("utf-8").splitlines():
        found = json.loads(line)
        if found["kind"] == "turn" and found["system"] == system:
            batch = turns.setdefault((found["batch"], found["anew"]), {})
            batch.setdefault(found["process"], []).append(found)
    return [_batch(anew, processes) for (_, anew), processes in turns.items()]


def _batch(anew: bool, processes: Mapping[int, Sequence[Mapping[str, Any]]]) -> Batch:
    ordered = [processes[i] for i in sorted(processes)]
    rounds = min(map(len, ordered))  # the last round may be cut
    calls = [[call for turn in turns[:rounds] for call in turn["calls"]] for turns in ordered]
    return Batch(
        [turns[0]["on"] for turns in ordered],
        anew,
        np.log([[call["s"] for call in each] for each in calls]),
        np.array([[call["faults"] for call in each] for each in calls], float),
        np.array([call["utterance"] for call in calls[0]]),
    )


def sd(value: float, freedom: float) -> str:
    """A standard deviation in %, with its 95 % interval (chi-square)."""
    low, high = (value * np.sqrt(freedom / q) for q in stats.chi2.ppf((0.975, 0.025), freedom))
    return f"{100 * value:.2f} ({100 * low:.2f} to {100 * high:.2f})"


def show(results: Path) -> None:
    """Print the tables of each system that was measured."""
    for system in ("transformers", "faster_whisper"):
        if found := batches(results, system):
            Console(width=150).print(_parts(system, found), _each(found), *_effects(system, found))


def _parts(system: str, found: Sequence[Batch]) -> Table:
    """Standard deviations of the host, of processes, of loads in a process and of calls."""
    first = [batch for batch in found if not batch.anew]
    table = Table("sd of the log of a call's time, % (95 %)", "", "rests on", title=system)
    hosts = [_host(batch) for batch in first]
    freedom = sum(len(host) - 1 for host in hosts)
    if freedom > 1:
        value = np.sqrt(sum(np.sum((host - host.mean()) ** 2) for host in hosts) / freedom)
        table.add_row("the host, between turns of 14 s", sd(float(value), freedom), f"{freedom}")
    figures = np.concatenate([batch.figures for batch in first])
    errors = np.concatenate([batch.errors for batch in first])
    freedom = len(figures) - len(first)
    value = float(np.sqrt(np.sum(figures**2) / freedom))
    table.add_row("processes, all treatments", sd(value, freedom), f"{len(figures)} processes")
    table.add_row("of it: calls within", f"{100 * np.sqrt(np.mean(errors**2)):.2f}", "")
    calls = np.concatenate([(b.own - b.own.mean(axis=1)[:, None]).ravel() for b in first])
    scale = stats.median_abs_deviation(calls, scale="normal")
    table.add_row("a call, within a process and round", f"{100 * scale:.2f}", f"{len(calls)} calls")
    pairs = list(zip(first, (batch for batch in found if batch.anew), strict=False))
    if pairs:
        moved = np.concatenate([again.figures - batch.figures for batch, again in pairs])
        moved_sd = float(np.sqrt(np.sum(moved**2) / (len(moved) - len(pairs)) / 2))
        table.add_row(
            "the same process, loaded anew",
            sd(moved_sd, len(moved) - len(pairs)),
            f"{len(moved)} processes",
        )
    slope, error, explained = _faults(first)
    table.add_row(
        "10,000 page faults of a call cost, %", f"{slope:.2f} ± {1.96 * error:.2f}", "within"
    )
    table.add_row("share of processes' variance that faults explain", f"{explained:.2f}", "")
    return table


def _host(batch: Batch) -> Floats:
    """What is common to all processes, of each 4 columns (two rounds: one hold of the machine)."""
    common = np.median(batch.logs, axis=0)
    for utterance in np.unique(batch.utterances):
        same = batch.utterances == utterance
        common[same] -= common[same].mean()
    whole = len(common) // 4 * 4
    means: Floats = common[:whole].reshape(-1, 4).mean(axis=1)
    return means


def _faults(found: Sequence[Batch]) -> tuple[float, float, float]:
    """Cost of 10,000 page faults, in %, its standard error, from calls within processes; R² between

    processes of their figures on their faults.
    """
    x = np.concatenate([_within(batch.faults).ravel() for batch in found]) / 1e4
    y = np.concatenate([_within(batch.logs).ravel() for batch in found])
    keep = np.abs(y) < 0.1  # a call that was interrupted says nothing of faults
    x, y = x[keep], y[keep]
    slope = float(x @ y / (x @ x))
    error = float(np.sqrt(np.sum((y - slope * x) ** 2) / (len(x) - 1) / (x @ x)))
    figures = np.concatenate([batch.figures for batch in found])
    means = np.concatenate([b.faults.mean(axis=1) - b.faults.mean() for b in found])
    return 100 * slope, 100 * error, float(np.corrcoef(means, figures)[0, 1] ** 2)


def _within(values: Floats) -> Floats:
    """Values less the means of their process and of their column."""
    left: Floats = values - values.mean(axis=1, keepdims=True) - values.mean(axis=0) + values.mean()
    return left


def _each(found: Sequence[Batch]) -> Table:
    """Every process: how its calls and their page faults compare with those beside it."""
    title = "each process against the median of its batch; ± is the standard error of its calls"
    table = Table("treatments", "loaded", "slower by, %", "faults of a call", "range", title=title)
    for batch in found:
        figures = np.median(batch.own, axis=1)
        for on, figure, error, faults in zip(
            batch.on, figures, batch.errors, batch.faults, strict=True
        ):
            counted = f"{faults.mean():,.0f}", f"{faults.min():,.0f} to {faults.max():,.0f}"
            change = f"{100 * figure:+.1f} ± {100 * error:.1f}"
            table.add_row(", ".join(on), "anew" if batch.anew else "first", change, *counted)
    return table


def _effects(system: str, found: Sequence[Batch]) -> list[Table]:
    """What each treatment does to the mean, and the spread of the processes with and without it.

    No table where the processes are too few to tell the treatments apart.
    """
    first = [batch for batch in found if not batch.anew]
    every = [on for batch in first for on in batch.on]
    names = sorted({name for on in every for name in on})
    on = np.array([[name in each for name in names] for each in every], float)
    own = [np.full(len(batch.on), k) for k, batch in enumerate(first)]
    of_batch = np.concatenate(own)[:, None] == np.arange(len(first))
    design = np.column_stack([of_batch, on])
    figures = np.concatenate([batch.figures for batch in first])
    freedom = len(figures) - design.shape[1]
    if freedom < 2 or np.linalg.matrix_rank(design) < design.shape[1]:
        return []
    fitted = np.linalg.lstsq(design, figures, rcond=None)[0]
    left = figures - design @ fitted
    faults = np.concatenate([batch.faults.mean(axis=1) for batch in first])
    title = f"{system}, {len(figures)} processes; sd once effects are taken out"
    title += f": {sd(float(np.sqrt(np.sum(left**2) / freedom)), freedom)}"
    table = Table("treatment", "n with", "slower by, %", title=title)
    for name in ("sd with / without, %", "ratio (95 %)", "faults of a call"):
        table.add_column(name)
    inverse = np.linalg.pinv(design.T @ design)
    variance, quantile = np.sum(left**2) / freedom, stats.t.ppf(0.975, freedom)
    for k, name in enumerate(names):
        has, place = on[:, k] > 0, len(first) + k
        error = quantile * np.sqrt(variance * inverse[place, place])
        change = f"{100 * fitted[place]:+.2f} ± {100 * error:.2f}"
        counted = f"{faults[has].mean():,.0f} / {faults[~has].mean():,.0f}"
        table.add_row(name, str(int(has.sum())), change, *_ratio(left, has, freedom), counted)
    return [table]


def _ratio(left: Floats, has: NDArray[np.bool_], freedom: float) -> tuple[str, str]:
    """Spread with and without a treatment, and their ratio with its interval (F, two-sided).

    freedom: of all residuals; each side has its share.
    """
    sides = [left[has], left[~has]]
    each = [freedom * len(side) / len(left) for side in sides]
    with_it, without = (
        float(np.sqrt(np.sum(side**2) / n)) for side, n in zip(sides, each, strict=True)
    )
    ratio = with_it / without
    low, high = (ratio / float(np.sqrt(stats.f.ppf(q, *each))) for q in (0.975, 0.025))
    shown = f"{100 * with_it:.2f} / {100 * without:.2f}"
    return shown, f"{ratio:.2f} ({low:.2f} to {high:.2f})"
