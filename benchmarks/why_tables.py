"""The tables of benchmarks/why_processes_differ.py."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table
from scipy import stats
from why_analysis import (
    HOLD,
    Batch,
    Bools,
    Effects,
    Floats,
    Variance,
    batches,
    cost_of_faults,
    effects,
    explained,
    host,
    host_variance,
    last_series,
)

SYSTEMS = ("transformers", "faster_whisper")


def show(results: Path) -> None:
    """Print the tables of each system that was measured."""
    out = Console(width=150)
    for system in SYSTEMS:
        if found := batches(results, system):
            first = [batch for batch in found if batch.stage == "first"]
            told = effects(first)
            out.print(f"[bold]{results.name}, {system}", _parts(found, told), _each(found))
            if told:
                out.print(_effects(first, told), _shares(found, first, told))


def _parts(found: Sequence[Batch], told: Effects | None) -> Table:
    """Standard deviations of the host, of processes, of loads in a process and of calls."""
    first = [batch for batch in found if batch.stage == "first"]
    table = Table("sd of the log of a call's time, % (95 %)", "", "rests on")
    if between := host_variance(last_series(found), told):
        table.add_row("the host, between holds of 14 s", str(between), f"{between.freedom:.0f} df")
    figures = np.concatenate([batch.figures for batch in first])
    errors = np.concatenate([batch.errors for batch in first])
    freedom = len(figures) - len(first)
    value = Variance(float(np.sum(figures**2)) / freedom, freedom)
    table.add_row("processes, all treatments", str(value), f"{len(figures)} processes")
    table.add_row("of it: calls within", f"{100 * np.sqrt(np.mean(errors**2)):.2f}", "")
    calls = np.concatenate([(b.own - b.own.mean(axis=1)[:, None]).ravel() for b in first])
    scale = stats.median_abs_deviation(calls, scale="normal")
    table.add_row("a call, within a process and round", f"{100 * scale:.2f}", f"{len(calls)} calls")
    for words, pairs in _pairs(found).items():
        moved, noise = _moved(pairs)
        count = f"{sum(len(before.on) for before, _ in pairs)} processes"
        table.add_row(f"the same process, {words}", str(moved), count)
        table.add_row("of it: calls within", f"{100 * np.sqrt(noise):.2f}", "")
    slope, error = cost_of_faults(first)
    table.add_row(
        "10,000 page faults of a call cost, %", f"{slope:.2f} ± {1.96 * error:.2f}", "within"
    )
    return table


def _pairs(found: Sequence[Batch]) -> dict[str, list[tuple[Batch, Batch]]]:
    """Two stages of the same processes, under what happened between them."""
    at = {(batch.number, batch.stage): batch for batch in found}
    pairs: dict[str, list[tuple[Batch, Batch]]] = {}
    for batch in found:
        first, later = (at.get((batch.number, stage)) for stage in ("first", "later"))
        if batch.stage == "later" and first:
            pairs.setdefault("minutes later", []).append((first, batch))
        if batch.stage == "anew" and (before := later or first):
            pairs.setdefault("loaded anew", []).append((before, batch))
    return pairs


def _moved(pairs: Sequence[tuple[Batch, Batch]]) -> tuple[Variance, float]:
    """Variance of a figure of one process between two stages, and how much of it calls make."""
    moved = np.concatenate([after.figures - before.figures for before, after in pairs])
    noise = np.concatenate([after.errors**2 + before.errors**2 for before, after in pairs])
    freedom = len(moved) - len(pairs)
    return Variance(float(np.sum(moved**2)) / freedom / 2, freedom), float(noise.mean()) / 2


def _each(found: Sequence[Batch]) -> Table:
    """Every process: how its calls and their page faults compare with those beside it."""
    title = "each process against the median of its batch; ± is the standard error of its calls"
    table = Table("treatments", "stage", "slower by, %", "faults of a call", "range", title=title)
    for batch in found:
        figures = batch.figures - np.median(batch.figures)
        for on, figure, error, faults in zip(
            batch.on, figures, batch.errors, batch.faults, strict=True
        ):
            counted = f"{faults.mean():,.0f}", f"{faults.min():,.0f} to {faults.max():,.0f}"
            change = f"{100 * figure:+.1f} ± {100 * error:.1f}"
            table.add_row(", ".join(on), batch.stage, change, *counted)
    return table


def _effects(first: Sequence[Batch], told: Effects) -> Table:
    """What each treatment does to the mean, and the spread of the processes with and without."""
    left = told.variance(np.ones(len(told.left), bool))
    title = f"{len(told.left)} processes; sd once effects are taken out: {left}"
    table = Table("treatment", "n with", "slower by, %", title=title)
    for name in ("sd with / without, %", "faults of a call"):
        table.add_column(name)
    faults = np.concatenate([batch.faults.mean(axis=1) for batch in first])
    for name, has, slower, error in zip(
        told.names, told.on.T, told.slower, told.errors, strict=True
    ):
        with_it, without = (100 * np.sqrt(told.variance(side).value) for side in (has, ~has))
        table.add_row(
            name,
            str(int(has.sum())),
            f"{100 * slower:+.2f} ± {100 * error:.2f}",
            f"{with_it:.2f} / {without:.2f}",
            f"{faults[has].mean():,.0f} / {faults[~has].mean():,.0f}",
        )
    return table


def _shares(found: Sequence[Batch], first: Sequence[Batch], told: Effects) -> Table:
    """Rows of docs/method.md: each cause with its share of the variance, and what of."""
    title = "rows of docs/method.md: share of the variance between processes, % (95 %)"
    table = Table("cause", "share", "of processes", "rests on", title=title)
    for words, chosen in (("plain", told.only()), ("heap kept", told.only("kept_heap"))):
        if chosen.sum() > 2:
            _whole(table, words, found, told, chosen)
    every = told.variance(np.ones(len(told.left), bool))
    for words, pairs in _pairs(found).items():
        moved, noise = _moved(pairs)
        shown = _less(moved.over(every), noise / every.value)
        row = f"the same process, {words}, less calls", shown, "all, effects out"
        table.add_row(*row, f"{len(told.left)}")
    plain, kept = told.only(), told.only("kept_heap")
    if min(plain.sum(), kept.sum()) > 2:
        own = told.variance(plain)
        shown = _less(told.variance(kept).over(own), _calls(first, kept) / own.value)
        table.add_row("all but heap and calls", shown, "plain", f"{kept.sum()} and {plain.sum()}")
    for name, has in zip(told.names, told.on.T, strict=True):
        ratio, low, high = told.variance(has).over(told.variance(~has))
        shown = _percent(1 - ratio, 1 - high, 1 - low)
        table.add_row(name, shown, "those without it", f"{has.sum()} and {(~has).sum()}")
    means = np.concatenate([batch.faults.mean(axis=1) - batch.faults.mean() for batch in first])
    known = explained(means, told.less("kept_heap"), told.freedom - 1)
    table.add_row("page faults (R²)", _percent(*known), "all", f"{len(means)}")
    probed = [batch for batch in first if batch.probes]
    has = np.concatenate([np.full(len(batch.on), bool(batch.probes)) for batch in first])
    for name in probed[0].probes if probed else ():
        own_probe = np.concatenate([_own(batch.probes[name]) for batch in probed])
        freedom = told.freedom * float(has.mean()) - 1
        known = explained(own_probe, told.left[has], freedom)
        table.add_row(f"probe {name} (R²)", _percent(*known), "all, effects out", f"{has.sum()}")
        if host_variance(last_series(found), told):
            times, known = _host_explained(last_series(found), told, name)
            row = _percent(*known), "the host", f"{times} holds of 14 s"
            table.add_row(f"probe {name} (R²)", *row)
    return table


def _whole(table: Table, words: str, found: Sequence[Batch], told: Effects, chosen: Bools) -> None:
    """Shares of the host and of calls, of the chosen processes alone."""
    own, count = told.variance(chosen), f"{chosen.sum()}"
    if minutes := host_variance(last_series(found), told):
        value, low, high = (ratio / (1 + ratio) for ratio in minutes.over(own))
        table.add_row("the minute", _percent(value, low, high), f"{words}, minutes apart", count)
    calls = _calls([batch for batch in found if batch.stage == "first"], chosen)
    table.add_row("calls within", f"{100 * calls / own.value:.0f}", words, count)


def _calls(first: Sequence[Batch], chosen: Bools) -> float:
    """Variance of the chosen processes' figures that their calls alone make."""
    return float(np.mean(np.concatenate([batch.errors for batch in first])[chosen] ** 2))


def _own(probes: Floats) -> Floats:
    """Each process's probes against those of the others in a round, shape [processes]."""
    own: Floats = np.median(probes - np.median(probes, axis=0), axis=1)
    own -= own.mean()
    return own


def _host_explained(
    found: Sequence[Batch], told: Effects, name: str
) -> tuple[int, tuple[float, float, float]]:
    """How many levels of the host there are, and their R² on a probe."""
    levels, _ = host(found, told)
    means: list[float] = []
    for batch in found:
        common = np.median(batch.probes[name], axis=0)  # a turn is two calls, half of a hold's
        ends = range(HOLD // 2, len(common) + 1, HOLD // 2)
        means += [float(common[end - HOLD // 2 : end].mean()) for end in ends]
    return len(levels), explained(np.array(means), levels, len(levels) - 2)


def _less(ratio: tuple[float, float, float], calls: float) -> str:
    """A share and its interval without what calls make of it."""
    value, low, high = ratio
    return _percent(value - calls, low - calls, high - calls)


def _percent(value: float, low: float, high: float) -> str:
    return f"{100 * value:.0f} ({100 * low:.0f} to {100 * high:.0f})"
