"""What a report on ten thousand records costs: time and peak memory of the whole command.

python benchmarks/report.py [--records 10000] [--keep FOLDER]

The records are made up (tests/support/studies.py): 20 systems on two devices, five lengths, five
batches, each repeated; as large as real ones. Exits with 1 when the command takes more than 60 s or
2 GB.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import count, islice
from pathlib import Path
from tempfile import TemporaryDirectory

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from support.studies import GPU_TINY, TINY, WAV2VEC2, Law, study

from asr_scaling.core.record import RunRecord

MOST_S, MOST_BYTES = 60.0, 2e9
LENGTHS, BATCHES = (5.0, 10.0, 15.0, 30.0, 60.0), (1, 2, 4, 8, 16)
WORDS = "the invention of movable metal letters in the middle of the fifteenth century " * 4


def laws() -> list[Law]:
    """Ten models, from tiny ones to a hundred times their size, each on a CPU and a GPU;
    a third of them random."""
    found = []
    for i in range(10):
        factor = 1.6**i
        for base in (WAV2VEC2 if i % 3 == 2 else TINY, GPU_TINY):
            wer = None if i % 3 == 2 else 0.12 * 0.85**i
            scaled = {
                name: getattr(base, name) * factor for name in ("flops", "window_cost_s", "per_s")
            }
            found.append(
                replace(base, model=f"model_{i}", parameters=int(2e7 * factor), wer=wer, **scaled)
            )
    return found


def records() -> Iterator[RunRecord]:
    """Without end: study after study, with two settings of the engine in turn,
    as if each had been run again."""
    for seed in count():
        for one in study(laws(), LENGTHS, BATCHES, calls=24, noise=0.05, seed=seed):
            engine = {**one.config["engine"], "dtype": ("float32", "bfloat16")[seed % 2]}
            texts = tuple(
                {**row, "reference": WORDS, "hypothesis": WORDS} for row in one.transcripts
            )
            yield replace(one, config={**one.config, "engine": engine}, transcripts=texts)


def write(folder: Path, wanted: int) -> float:
    """``wanted`` records as a sweep's folder; returns the mean size of one in bytes."""
    for i, one in enumerate(islice(records(), wanted)):
        one.write(folder / f"{i}_point")
    return sum(path.stat().st_size for path in folder.glob("*/record.json")) / wanted


def measured(folder: Path, out: Path) -> tuple[int, float, float]:
    """Exit status, seconds and peak bytes of the command in a process of its own."""
    command = [
        sys.executable,
        "-m",
        "asr_scaling",
        "report",
        str(folder),
        "-o",
        str(out),
        "--no-mlflow",
    ]
    clock = time.perf_counter()
    process = subprocess.Popen(command, env={**os.environ, "PYTHONWARNINGS": "error::UserWarning"})
    _, status, usage = os.wait4(process.pid, 0)
    return os.waitstatus_to_exitcode(status), time.perf_counter() - clock, usage.ru_maxrss * 1024.0


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--records", type=int, default=10_000)
    parser.add_argument(
        "--keep", type=Path, metavar="FOLDER", help="where records and report are made, and stay"
    )
    options = parser.parse_args(arguments)
    with TemporaryDirectory() as scratch:
        place = options.keep or Path(scratch)
        size = write(place / "sweep", options.records)
        status, seconds, peak = measured(place / "sweep", place / "report")
        page = (place / "report" / "report.html").stat().st_size if status == 0 else 0
    sys.stdout.write(
        f"{options.records:,} records of {size / 1e3:.0f} kB: {seconds:.1f} s (limit {MOST_S:g}), "
        f"{peak / 1e9:.2f} GB (limit {MOST_BYTES / 1e9:g}), page of {page / 1e6:.1f} MB, "
        f"exit status {status}\n"
    )
    return 0 if status == 0 and seconds <= MOST_S and peak <= MOST_BYTES else 1


if __name__ == "__main__":
    sys.exit(main())
