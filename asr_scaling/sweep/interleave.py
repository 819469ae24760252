"""Interleaving: the points of a sweep measured in rounds, each in another order, so that drift spreads over all."""

from __future__ import annotations

import random
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from asr_scaling.core.ports import Measurement, Sink
from asr_scaling.core.record import ROUNDS_FOLDER
from asr_scaling.errors import ConfigError
from asr_scaling.measure.job import keep
from asr_scaling.records.merge import merge, rounds_by_place
from asr_scaling.records.read import readable_files
from asr_scaling.sweep.order import weight


@dataclass(frozen=True)
class Rounds:
    """``count``: how often every point is measured. ``seed``: of the order within the rounds."""

    count: int
    seed: int

    def __post_init__(self) -> None:
        if not isinstance(self.count, int) or self.count < 2:
            raise ConfigError(f"sweep.rounds must be 2 or more to interleave; got {self.count}.")

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> Rounds | None:
        """What a sweep's ``options`` ask for, None when its points are measured one after the other. ConfigError."""
        sweep = options.get("sweep") or {}
        return (
            cls(sweep.get("rounds", 3), options.get("seed", 0)) if sweep.get("interleave") else None
        )

    def jobs(self, points: Sequence[Sequence[str]], subdir: str) -> list[list[str]]:
        """The overrides of every job: each round has each of ``points`` once, in an order of its own.

        ``subdir``: Hydra's pattern of a point's folder; the number of the job in it becomes that of the point, so that
        the rounds of a point have one name.
        """
        dice, jobs = random.Random(self.seed), list[list[str]]()
        for k in range(self.count):
            order = list(enumerate(points))
            dice.shuffle(order)
            for i, point in order:
                place = f"{ROUNDS_FOLDER}/{k}/{subdir.replace('${hydra.job.num}', str(i))}"
                jobs.append([*point, f"+sweep.round={k}", f"hydra.sweep.subdir='{place}'"])
        return jobs


def weights(points: Sequence[Sequence[str]], rounds: Rounds | None) -> list[float]:
    """Roughly what each measurement of ``points`` costs (plan.weight), in the order they are taken."""
    return [weight(job) for job in (rounds.jobs(points, "") if rounds else points)]


def measurements(profiler: Mapping[str, Measurement], number: int | None) -> dict[str, Measurement]:
    """What round ``number`` measures: after the first only what reads the timed pass, since the rest does not drift."""
    return {name: found for name, found in profiler.items() if not number or found.phase == "timed"}


def merge_rounds(folder: Path, sink: Sink | None, parent: str | None) -> None:
    """Write and store the record of every point whose rounds lie below ``folder``; unreadable rounds are left out."""
    for place, rounds in rounds_by_place(readable_files(folder / ROUNDS_FOLDER, [])).items():
        record = merge([each for _, each in rounds])
        place.mkdir(parents=True, exist_ok=True)
        for name in record.artifacts:
            sources = [path.with_name(name) for path, _ in rounds if path.with_name(name).exists()]
            for source in sources[:1]:
                shutil.copyfile(source, place / name)
        keep(record, place, sink, parent)
