"""What a search expects before it measures anything, made from committed measurements.

    python benchmarks/search_priors.py > asr_scaling/search/priors.json

For each class of processor, engine and size of batch: what the bare engine gains over plain
transformers, and what each optimisation adds to whatever else was measured with and without it, as
the mean and the standard deviation of the logarithm of speed over compositions and models; and the
seconds that loading and compiling took. The search orders its trials by this and by nothing else.
"""

from __future__ import annotations

import json
import statistics
import sys
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from math import log
from pathlib import Path
from typing import Any

from exhaustive_table import BASELINE, Measured

from asr_scaling.analysis.load_points import points

RESULTS = Path(__file__).parents[1] / "docs" / "results"
RECORDS = {
    "amd-epyc-2-cores-optimisations/records.jsonl.gz": "avx512_bf16",
}
"""File below docs/results → class of its processor (machine/instructions.py)."""
TABLES = {
    "amd-epyc-2-cores/exhaustive": "avx512_bf16",
    "intel-xeon-amx-2-cores/exhaustive": "amx",
}
"""Folder of benchmarks/exhaustive.py below docs/results → class of its processor."""
_THROUGHPUT = 4
_ALONE = 0.15
"""Standard deviation, in log speed, of what was seen in one pair of compositions only."""


@dataclass(frozen=True)
class Seen:
    """The speed of one composition."""

    where: str
    """The model, and all else that must be equal in what is compared."""
    engine: str
    optimisations: frozenset[str]
    batch: int
    log_speed: float
    load_s: float
    compile_s: float


def main() -> None:
    """Print the table."""
    seen: dict[str, list[Seen]] = defaultdict(list)
    for name, processor in RECORDS.items():
        seen[processor] += from_records(RESULTS / name)
    for name, processor in TABLES.items():
        for path in sorted((RESULTS / name).glob("*.jsonl*")):
            seen[processor] += from_table(path)
    table = {processor: learned(those) for processor, those in sorted(seen.items()) if those}
    sys.stdout.write(json.dumps(table, indent=1, sort_keys=True) + "\n")


def from_records(path: Path) -> Iterator[Seen]:
    """Of the records of a sweep."""
    for point in points([str(path)]):
        speed = point.judged("throughput/rtfx")
        if not point.ok or not speed:
            continue
        yield Seen(
            where=f"{path} {point.model} {point.dataset} {point.length_s} {point.device}",
            engine=point.engine,
            optimisations=frozenset(point.optimisations),
            batch=point.batch,
            log_speed=log(speed),
            load_s=float(point.facts.get("load_s") or 0.0),
            compile_s=float(point.facts.get("compile_s") or 0.0),
        )


def from_table(path: Path) -> Iterator[Seen]:
    """Of an exhaustive table."""
    measured = Measured.read(path.with_name(path.name.removesuffix(".gz")))
    for entry, rows in measured.rows.items():
        if measured.works(entry):
            good = measured.good(entry)
            yield Seen(
                where=path.name,
                engine=entry.engine,
                optimisations=frozenset(entry.optimisations),
                batch=entry.batch,
                log_speed=log(measured.speed(entry)),
                load_s=statistics.median(row["load_s"] or 0.0 for row in good),
                compile_s=max(row["compile_s"] or 0.0 for row in rows),
            )


def learned(seen: list[Seen]) -> dict[str, Any]:
    """What is expected of engines and optimisations, as asr_scaling/search/priors.py reads it."""
    bare: dict[tuple[str, str], list[float]] = defaultdict(list)
    added: dict[tuple[str, str, str], list[float]] = defaultdict(list)
    compiling: dict[tuple[str, str, str], list[float]] = defaultdict(list)
    at = {(s.where, s.engine, s.optimisations, s.batch): s for s in seen}
    for s in seen:
        base = at.get((s.where, BASELINE, frozenset(), s.batch))
        if base and not s.optimisations:
            bare[s.engine, _size(s)].append(s.log_speed - base.log_speed)
        for name in s.optimisations:
            less = at.get((s.where, s.engine, s.optimisations - {name}, s.batch))
            if less:
                added[s.engine, name, _size(s)].append(s.log_speed - less.log_speed)
                compiling[s.engine, name, _size(s)].append(s.compile_s - less.compile_s)
    loading = {s.engine: [o.load_s for o in seen if o.engine == s.engine] for s in seen}
    engines: dict[str, Any] = defaultdict(dict)
    for (engine, size), gains in sorted(bare.items()):
        engines[engine][size] = [*_known(gains), round(statistics.median(loading[engine]), 2)]
    options: dict[str, Any] = defaultdict(lambda: defaultdict(dict))
    for (engine, name, size), gains in sorted(added.items()):
        extra_s = statistics.median(compiling[engine, name, size])
        options[engine][name][size] = [*_known(gains), round(max(0.0, extra_s), 1)]
    return {"engines": engines, "options": options}


def _size(seen: Seen) -> str:
    return "many" if seen.batch >= _THROUGHPUT else "one"


def _known(gains: list[float]) -> tuple[float, float]:
    """Their mean, and how far another one may be from it."""
    mean = statistics.fmean(gains)
    return round(mean, 3), round(statistics.stdev(gains) if len(gains) > 2 else _ALONE, 3)


if __name__ == "__main__":
    main()
