"""What the framework costs around the engine:
wall time of a sweep against the time spent inside engine calls.

    python benchmarks/overhead.py            # the demo's six points with short workloads
    python benchmarks/overhead.py engine=fake

Everything else is counted: Python, imports, the tracking store's creation, loading models,
measurements, records, tracking. Goal on 2 cores: at most 12 s for the first point and 2 s for each
after it.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

from asr_scaling.records.read import readable_records

SWEEP = ("model=whisper_tiny_en,wav2vec2", "batch=1,8,16")
SHORT = (
    "pipeline.utterances=2",
    "pipeline.warmup=0",
    "pipeline.min_iterations=1",
    "pipeline.precision=null",
    "dataset.length_s=5",
    "sweep.selftest=false",
)
FIRST_S, LATER_S = 12.0, 2.0


def main(arguments: list[str]) -> int:
    """Run the sweep in an empty folder with a new tracking store and print where its time went."""
    with tempfile.TemporaryDirectory() as folder:
        began, clock = time.time(), time.perf_counter()
        command = [sys.executable, "-m", "asr_scaling", "-m", *SWEEP, *SHORT, *arguments]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        env = {**os.environ, "HF_HUB_OFFLINE": "1"}
        subprocess.run(  # type: ignore[call-overload]
            command, cwd=folder, env=env, check=True, **quiet
        )
        wall = time.perf_counter() - clock
        records = readable_records(Path(folder) / "multirun", [])
    edges = [began, *(record.ended_at for record in records[:-1]), began + wall]
    table = Table("point", "wall s", "engine calls s", "everything else s", "goal s", "most of it")
    worst = True
    for i, record in enumerate(records):
        spent = edges[i + 1] - edges[i]
        engine = record.job_s["engine_calls"]
        goal = FIRST_S if i == 0 else LATER_S
        worst = worst and spent - engine <= goal
        laps = sorted(
            ((s, name) for name, s in record.job_s.items() if name != "engine_calls"), reverse=True
        )
        most = ", ".join(f"{name} {s:.1f}" for s, name in laps[:4])
        table.add_row(
            record.name,
            f"{spent:.1f}",
            f"{engine:.1f}",
            f"{spent - engine:.1f}",
            f"{goal:.0f}",
            most,
        )
    console = Console(width=140)
    console.print(table)
    console.print(
        "laps include the engine calls made in them; the first point's wall time begins with "
        "Python's start"
    )
    return 0 if worst else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
