"""A sweep in rounds: each measures every point once, in a fresh process, in another order.

What differs between processes is then seen, and what drifts on the machine affects all points
alike.
"""

from __future__ import annotations

import random
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any

from asr_scaling.core.option_checks import must_be
from asr_scaling.core.ports import Measurement, Sink
from asr_scaling.core.record import ROUNDS_FOLDER
from asr_scaling.core.search_stage import search_stage
from asr_scaling.machine.spread_history import note
from asr_scaling.measure.job import Job
from asr_scaling.measure.keep import keep
from asr_scaling.measure.pipeline import Pipeline
from asr_scaling.records.merge import merge, rounds_by_place
from asr_scaling.records.read import readable_files
from asr_scaling.sweep.places import numbered
from asr_scaling.sweep.plan import PlannedPoint
from asr_scaling.util.quoting import quoted

_FIRST = 3
"""Processes of every point before it is planned how many more are worth their time."""


@dataclass(frozen=True)
class Rounds:
    """The rounds of a sweep that measures each point in several processes.

    count: processes of every point; with ``precision`` those that every point has at least.
    seed: of the order within the rounds.
    precision: share of the median within which it is to be known; None: ``count`` are enough.
    most: processes of a point at most, where ``precision`` asks for more than ``count``.
    """

    count: int
    seed: int
    precision: float | None = None
    most: int = 10

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> Rounds | None:
        """The rounds that a sweep's options ask for, None where each point has one process.

        Raises ConfigError for less than one process, and for what is no share.
        """
        sweep, seed = options.get("sweep") or {}, options.get("seed", 0)
        count, share = sweep.get("processes", 1), sweep.get("precision")
        must_be("sweep.processes", count, count >= 1, "1 or more")
        if share is None:
            return cls(count, seed) if count > 1 else None
        number = isinstance(share, int | float) and not isinstance(share, bool)
        must_be("sweep.precision", share, number and 0 < share < 1, "between 0 and 1, or null")
        first, most = max(count, _FIRST), sweep.get("most_processes", cls.most)
        must_be("sweep.most_processes", most, most >= first, f"{first} or more")
        return cls(first, seed, share, most)

    @property
    def asked(self) -> str:
        """The option that asks for them."""
        if self.precision is None:
            return f"sweep.processes={self.count}"
        return f"sweep.precision={self.precision}"

    def jobs(
        self, points: Sequence[PlannedPoint], subdir: str, name: str = "asr_scaling"
    ) -> tuple[PlannedPoint, ...]:
        """What is measured, in order: each round has each of ``points`` once, shuffled.

        subdir: Hydra's pattern of a point's folder. The number of the job in it becomes that of the
        point, so that a point's folder has one name in all rounds.
        name: of the program, which is part of a job's id.
        """
        all_of_them = list(enumerate(points))
        rounds = (self.round(k, all_of_them, subdir, name) for k in range(self.count))
        return tuple(chain.from_iterable(rounds))

    def round(
        self, k: int, points: Sequence[tuple[int, PlannedPoint]], subdir: str, name: str
    ) -> tuple[PlannedPoint, ...]:
        """The jobs of round ``k``, shuffled. points: each with its number in the sweep."""
        order, jobs = list(points), list[PlannedPoint]()
        random.Random(f"seed {self.seed}, round {k}").shuffle(order)
        for i, point in order:
            place = f"{ROUNDS_FOLDER}/{k}/{numbered(subdir, i, name)}"
            more = [f"+sweep.round={k}", f"hydra.sweep.subdir={quoted(place)}"]
            more += [] if self.precision is None else [f"sweep.processes={self.count}"]
            jobs.append(replace(point, overrides=(*point.overrides, *more)))
        return tuple(jobs)


def has_its_process(options: Mapping[str, Any]) -> bool:
    """Whether a point's process measures nothing else: that of a round; blocks of a search share.

    options: those of the point.
    """
    return "round" in options["sweep"] and "processes" in options["sweep"]


def of_round(job: Job, options: Mapping[str, Any]) -> Job:
    """The job as the round measures it that the point's ``options`` name.

    Each round of a search has its texts scored.
    """
    sweep = options["sweep"]
    always = ("quality",) if search_stage(options) else ()
    profiler = measurements(job.profiler, sweep.get("round"), always)
    return replace(job, profiler=profiler, pipeline=budgets(job.pipeline, sweep.get("calls")))


def measurements(
    profiler: Mapping[str, Measurement], number: int | None, always: Sequence[str] = ()
) -> dict[str, Measurement]:
    """What round ``number`` measures; None: the sweep has no rounds.

    After the first round only what reads the timed pass is taken, and what is ``always``: the rest
    is the same in every process.
    """
    return {
        name: measurement
        for name, measurement in profiler.items()
        if not number or measurement.phase == "timed" or name in always
    }


def budgets(pipeline: Pipeline, calls: int | None) -> Pipeline:
    """The budgets of a round that is planned to make so many timed calls; None: those of the point.

    The time that calls may take grows with their number.
    """
    if calls is None:
        return pipeline
    longer = max(1.0, calls / pipeline.min_iterations)
    seconds = longer * pipeline.max_seconds
    return replace(pipeline, precision=None, min_iterations=calls, max_seconds=seconds)


def merge_rounds(folder: Path, sink: Sink | None, parent: str | None) -> None:
    """Write and store one record for every point whose rounds are below ``folder``.

    Rounds that can't be read are left out. What processes differed by is kept for later sweeps.
    """
    for place, rounds in rounds_by_place(readable_files(folder / ROUNDS_FOLDER, [])).items():
        record = merge([part for _, part in rounds])
        place.mkdir(parents=True, exist_ok=True)
        for name in record.artifacts:
            sources = [path.with_name(name) for path, _ in rounds if path.with_name(name).exists()]
            if sources:
                shutil.copyfile(sources[0], place / name)
        keep(record, place, sink, parent)
        if record.processes > 1:
            note(record)
