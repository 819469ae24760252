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
from scipy import stats

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
HOLD = 4
"""Columns of two rounds, for which the machine is held once: about 14 s."""
_NORMAL = 1.253
"""Standard error of a median over that of a mean, of normal values: the root of pi / 2."""


@dataclass(frozen=True)
class Batch:
    """Processes that were called in turn, in one stage.

    number: of the batch, 100 times the seed of its series and more; its stages have the same one.
    stage: "first"; "later", the same processes minutes later; "anew", after a second load.
    on: process → its treatments.
    logs: log of seconds, shape [processes, calls]; a column has one round and utterance.
    faults: page faults, shape [processes, calls].
    utterances: of each column, shape [calls].
    probes: name → log of seconds before each turn, shape [processes, rounds].
    """

    number: int
    stage: str
    on: Sequence[Sequence[str]]
    logs: Floats
    faults: Floats
    utterances: NDArray[np.int64]
    probes: Mapping[str, Floats]

    @property
    def common(self) -> Floats:
        """What the processes have in common in a round, whatever their own speed, shape [calls]."""
        levels = np.median(self.logs, axis=1, keepdims=True)
        found: Floats = np.median(self.logs - levels, axis=0)
        return found

    @property
    def own(self) -> Floats:
        """Logs less what the processes have in common in a round, shape [processes, calls]."""
        return self.logs - self.common

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
    """The batches of a system whose every process had every turn, a stage each."""
    turns: dict[tuple[int, str], dict[int, list[Mapping[str, Any]]]] = {}
    for line in results.read_text("utf-8").splitlines():
        found = json.loads(line)
        if found["kind"] == "turn" and found["system"] == system:
            stage = found.get("stage") or ("anew" if found["anew"] else "first")
            batch = turns.setdefault((found["batch"], stage), {})
            batch.setdefault(found["process"], []).append(found)
    return [_batch(number, stage, processes) for (number, stage), processes in turns.items()]


def last_series(found: Sequence[Batch]) -> list[Batch]:
    """The batches that one command measured, the last one: its host is that of minutes."""
    return [batch for batch in found if batch.number // 100 == found[-1].number // 100]


def _batch(number: int, stage: str, processes: Mapping[int, Sequence[Mapping[str, Any]]]) -> Batch:
    every = [processes[i] for i in sorted(processes)]
    rounds = min(map(len, every))  # the last round may be cut
    every = [turns[:rounds] for turns in every]
    calls = [[call for turn in turns for call in turn["calls"]] for turns in every]
    probes = every[0][0].get("probes", {})
    return Batch(
        number,
        stage,
        [turns[0]["on"] for turns in every],
        np.log([[call["s"] for call in each] for each in calls]),
        np.array([[call["faults"] for call in each] for each in calls], float),
        np.array([call["utterance"] for call in calls[0]]),
        {n: np.log([[turn["probes"][n] for turn in turns] for turns in every]) for n in probes},
    )


@dataclass(frozen=True)
class Variance:
    """An estimate of a variance with its degrees of freedom."""

    value: float
    freedom: float

    def over(self, other: Variance) -> tuple[float, float, float]:
        """The ratio to another variance, with its 95 % interval (F, two-sided)."""
        ratio = self.value / other.value
        ends = stats.f.ppf((0.975, 0.025), self.freedom, other.freedom)
        return ratio, float(ratio / ends[0]), float(ratio / ends[1])

    def __str__(self) -> str:
        """The standard deviation in %, with its 95 % interval (chi-square)."""
        ends = self.value * self.freedom / stats.chi2.ppf((0.975, 0.025), self.freedom)
        low, high = np.sqrt(ends)
        return f"{100 * np.sqrt(self.value):.2f} ({100 * low:.2f} to {100 * high:.2f})"


def cost_of_faults(found: Sequence[Batch]) -> tuple[float, float]:
    """Cost of 10,000 page faults, in %, with its standard error, from calls within processes."""
    x = np.concatenate([_within(batch.faults).ravel() for batch in found]) / 1e4
    y = np.concatenate([_within(batch.logs).ravel() for batch in found])
    keep = np.abs(y) < 0.1  # a call that was interrupted says nothing of faults
    x, y = x[keep], y[keep]
    if not x.any():  # every process keeps its heap
        return float("nan"), float("nan")
    slope = float(x @ y / (x @ x))
    error = float(np.sqrt(np.sum((y - slope * x) ** 2) / (len(x) - 1) / (x @ x)))
    return 100 * slope, 100 * error


def _within(values: Floats) -> Floats:
    """Values less the means of their process and of their column."""
    left: Floats = values - values.mean(axis=1, keepdims=True) - values.mean(axis=0) + values.mean()
    return left


@dataclass(frozen=True)
class Effects:
    """What each treatment does to the mean of processes, by least squares, a constant per batch.

    names: the treatments; on: shape [processes, treatments].
    figures, left: of each process, and what the effects leave of it.
    slower, errors: effect of each treatment, and half of its 95 % interval (Student).
    freedom: degrees of freedom of ``left``.
    """

    names: Sequence[str]
    on: Bools
    figures: Floats
    left: Floats
    slower: Floats
    errors: Floats
    freedom: float

    def variance(self, chosen: Bools) -> Variance:
        """Of what is left of the chosen processes, with their share of the freedom."""
        freedom = self.freedom * float(chosen.mean())
        return Variance(float(np.sum(self.left[chosen] ** 2)) / freedom, freedom)

    def only(self, *names: str) -> Bools:
        """The processes with exactly these treatments."""
        wanted = np.array([name in names for name in self.names])
        found: Bools = (self.on == wanted).all(axis=1)
        return found

    def means(self, batch: Batch) -> float:
        """The mean effect of the batch's treatments on its processes."""
        slower = dict(zip(self.names, self.slower, strict=True))
        return float(np.mean([sum(slower[name] for name in on) for on in batch.on]))

    def less(self, *but: str) -> Floats:
        """Figures less the effects of all treatments but these."""
        taken = np.array([0.0 if name in but else 1.0 for name in self.names])
        left: Floats = self.figures - (self.on * taken) @ self.slower
        return left


def effects(found: Sequence[Batch]) -> Effects | None:
    """The effects in batches' first stages; None where the processes are too few to tell them."""
    every = [on for batch in found for on in batch.on]
    names = sorted({name for on in every for name in on})
    on = np.array([[name in each for name in names] for each in every], bool)
    own = np.concatenate([np.full(len(batch.on), k) for k, batch in enumerate(found)])
    design = np.column_stack([own[:, None] == np.arange(len(found)), on]).astype(float)
    figures = np.concatenate([batch.figures for batch in found])
    freedom = len(figures) - design.shape[1]
    if freedom < 2 or np.linalg.matrix_rank(design) < design.shape[1]:
        return None
    fitted = np.linalg.lstsq(design, figures, rcond=None)[0]
    left = figures - design @ fitted
    scales = np.sqrt(np.sum(left**2) / freedom * np.diag(np.linalg.pinv(design.T @ design)))
    errors = stats.t.ppf(0.975, freedom) * scales[len(found) :]
    return Effects(names, on, figures, left, fitted[len(found) :], errors, freedom)


def host(found: Sequence[Batch], told: Effects | None) -> tuple[Floats, NDArray[np.int64]]:
    """What is common to all processes in each hold of the machine, and the stage that it is of.

    The mean of the utterances and the effects of treatments are taken out.
    """
    columns = [
        batch.common + np.median(batch.own, axis=1).mean() - (told.means(batch) if told else 0)
        for batch in found
    ]
    common = np.concatenate(columns)
    utterances = np.concatenate([batch.utterances for batch in found])
    for utterance in np.unique(utterances):
        common[utterances == utterance] -= common[utterances == utterance].mean()
    levels: list[float] = []
    stages, at = [], 0
    for number, column in enumerate(columns):
        ends = range(at + HOLD, at + len(column) + 1, HOLD)
        levels += [float(common[end - HOLD : end].mean()) for end in ends]
        stages += [number] * len(ends)
        at += len(column)
    return np.array(levels), np.array(stages)


def host_variance(found: Sequence[Batch], told: Effects | None) -> Variance | None:
    """Variance of the host between holds of about 14 s; None from fewer than three of them.

    Holds of one stage follow one another and are alike; so that no more is claimed than the stages
    show, the degrees of freedom are those of the stages where there are three or more.
    """
    levels, stages = host(found, told)
    count = len(np.unique(stages))
    if len(levels) < 3:
        return None
    freedom = count - 1 if count > 2 else len(levels) - 1
    return Variance(float(levels.var(ddof=1)), freedom)


def explained(x: Floats, y: Floats, freedom: float) -> tuple[float, float, float]:
    """R² of y on x with its 95 % interval (Fisher's z of their correlation).

    freedom: values less 2 and less what else was fitted. The interval holds 0 if that of the
    correlation does.
    """
    r = float(np.corrcoef(x, y)[0, 1])
    z, half = np.arctanh(r), stats.norm.ppf(0.975) / np.sqrt(max(freedom - 1, 1))
    low, high = np.tanh(abs(z) - half), np.tanh(abs(z) + half)
    return r**2, float(max(low, 0) ** 2), float(max(high, -low) ** 2)
