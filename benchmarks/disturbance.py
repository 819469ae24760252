"""Does measuring everything disturb the timing? The same point with profiler=latency and
with profiler=all.

    python benchmarks/disturbance.py                          # whisper_tiny_en, three rounds
    python benchmarks/disturbance.py model=wav2vec2 batch=4   # any other point

Each round has three processes: latency alone, latency alone once more (A/A: what differs between
processes anyway), and everything; their order turns from round to round, so that drift of the
machine falls on all alike. Printed are the latencies, and the changes against the first with their
intervals and the noise floor that they are held against. Exit status 1 when everything differs from
latency alone beyond noise.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.table import Table

from asr_scaling.analysis.comparison import compare
from asr_scaling.core.record import RunRecord
from asr_scaling.records.merge import merge
from asr_scaling.records.read import readable_records

ROUNDS = 3
RUNS = {"latency": "latency", "latency again": "latency", "all": "all"}
POINT = (
    "model=whisper_tiny_en",
    "pipeline.precision=null",
    "pipeline.min_iterations=32",
    "tracking=jsonl",
)


def measured(place: Path, profiler: str, arguments: list[str]) -> list[RunRecord]:
    """The records of a process of its own."""
    options = [*POINT, *arguments, f"profiler={profiler}", f"hydra.run.dir={place}"]
    command = [sys.executable, "-m", "asr_scaling", *options]
    env = {**os.environ, "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(
        command, cwd=place.parent, env=env, capture_output=True, text=True, check=False
    )
    if done.returncode:
        sys.exit(done.stderr)
    return readable_records(place, [])


def main(arguments: list[str]) -> int:
    """Measure in turn, compare, print."""
    found: dict[str, list[RunRecord]] = {name: [] for name in RUNS}
    names = list(RUNS)
    with tempfile.TemporaryDirectory() as folder:
        for k in range(ROUNDS):
            for name in names[k % 3 :] + names[: k % 3]:
                found[name] += measured(Path(folder) / f"{k} {name}", RUNS[name], arguments)
    points = {name: merge(records) for name, records in found.items()}
    table = Table(
        "profiler",
        "p50 ms",
        "calls",
        "of each round, ms",
        "change",
        "95 % interval",
        "spread",
        "verdict",
    )
    verdict = ""
    for name, record in points.items():
        p50, interval = record.values["latency/p50_s"], record.intervals["latency/p50_s"]
        rounds = ", ".join(f"{1000 * each.values['latency/p50_s']:.0f}" for each in found[name])
        cells = [
            name,
            f"{1000 * p50:.0f}±{1000 * interval.half(p50):.0f}",
            str(len(record.samples)),
            rounds,
        ]
        if name != "latency":
            between = compare(points["latency"], record)
            row = between.row("latency/p50_s")
            if row.relative is None or row.interval is None:
                sys.exit("Too few calls to compare: raise pipeline.min_iterations.")
            ends = f"{100 * row.interval.low:+.1f} to {100 * row.interval.high:+.1f} %"
            cells += [
                f"{100 * row.relative:+.1f} %",
                ends,
                f"{100 * between.machine.between:.1f} %",
                row.verdict,
            ]
            verdict = row.verdict
        table.add_row(*cells)
    Console(width=140).print(table)
    return 0 if verdict.startswith("no difference") else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
