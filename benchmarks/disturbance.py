"""Does measuring everything disturb the timing? The same point with profiler=latency alone and with profiler=all.

    python benchmarks/disturbance.py                          # whisper_tiny_en, three rounds
    python benchmarks/disturbance.py model=wav2vec2 batch=4   # any other point

Each round is two processes, in turn first and second, so that drift of the machine falls on both alike. Printed are
both latencies, their change with its interval, and the noise floor that the change is held against. Exit status 1 when
they differ beyond noise.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.table import Table

from asr_scaling.compare import compare
from asr_scaling.record import RunRecord
from asr_scaling.report.merge import merge
from asr_scaling.report.read import read_records

ROUNDS = 3
PROFILERS = ("latency", "all")
POINT = ("model=whisper_tiny_en", "pipeline.precision=null", "pipeline.min_iterations=32", "tracking=jsonl")


def main(arguments: list[str]) -> int:
    """Measure in turn, compare, print."""
    found: dict[str, list[RunRecord]] = {name: [] for name in PROFILERS}
    with tempfile.TemporaryDirectory() as folder:
        for k in range(ROUNDS):
            for name in PROFILERS if k % 2 == 0 else PROFILERS[::-1]:
                place = Path(folder) / f"{k}_{name}"
                options = [*POINT, *arguments, f"profiler={name}", f"hydra.run.dir={place}"]
                run = subprocess.run(
                    [sys.executable, "-m", "asr_scaling", *options],
                    cwd=folder, env={**os.environ, "HF_HUB_OFFLINE": "1"}, capture_output=True, text=True, check=False,
                )  # fmt: skip
                if run.returncode:
                    sys.stderr.write(run.stderr)
                    return 1
                found[name] += read_records(place)
    between = compare(*(merge(records) for records in found.values()))
    table = Table("", "p50 ms", "calls", "of each round, ms")
    for name, record in zip(PROFILERS, (between.a, between.b), strict=True):
        rounds = ", ".join(f"{1000 * each.values['latency/p50_s']:.0f}" for each in found[name])
        p50, interval = record.values["latency/p50_s"], record.intervals["latency/p50_s"]
        shown = f"{1000 * p50:.1f} ± {1000 * interval.half(p50):.1f}"
        table.add_row(f"profiler={name}", shown, str(len(record.samples)), rounds)
    row = between.row("latency/p50_s")
    assert row.relative is not None
    assert row.interval is not None
    console = Console(width=120)
    console.print(table)
    ends = f"{100 * row.interval.low:+.1f} to {100 * row.interval.high:+.1f} %"
    console.print(
        f"change {100 * row.relative:+.1f} % ({ends}); noise floor {100 * between.floor:.1f} %; {row.verdict}"
    )
    return 0 if row.verdict.startswith("no difference") else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
