"""What does the metronome cost, and what does it explain? One point in fresh processes.

    python benchmarks/metronome.py                                             # 8 processes
    python benchmarks/metronome.py model=whisper_base engine=faster_whisper engine.dtype=int8
    python benchmarks/metronome.py --coin                                      # does it disturb?
    python benchmarks/metronome.py --records FOLDER…                           # of earlier ones

Printed are each process's median as it was and at the usual state of all of them, and the share of
the variance within it that the state explains on held-out blocks; then the standard deviation of
the log medians and the time of the timed pass that beats take. With --coin a coin decides before
each call whether a beat comes, and the time of calls that follow one over that of the others is
printed with its interval (work and processes taken out); a beat that is due by time follows long
calls rather than short ones, so that its neighbours can't be compared.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from asr_scaling.core.record import RunRecord
from asr_scaling.core.sample import Beat, Sample
from asr_scaling.core.usual_state import at_usual, usual_state
from asr_scaling.records.read import readable_records

PROCESSES = 8
POINT = (
    *("profiler=[latency]", "tracking=jsonl", "sweep.selftest=false"),
    *("pipeline.precision=null", "pipeline.min_iterations=48", "pipeline.max_seconds=15"),
)


_BY_COIN = """
import random
from asr_scaling.__main__ import main
from asr_scaling.machine.metronome import Metronome
Metronome.look = lambda self: self.beat() if random.random() < 0.5 else 0.0
main()
"""


def measured(arguments: Sequence[str], coin: bool) -> list[RunRecord]:
    """The records of one process after the other."""
    found = []
    with tempfile.TemporaryDirectory() as folder:
        for k in range(PROCESSES):
            place = Path(folder) / str(k)
            options = [*POINT, *arguments, f"hydra.run.dir={place}"]
            start = ["-c", _BY_COIN] if coin else ["-m", "asr_scaling"]
            command = [sys.executable, *start, *options]
            env = {**os.environ, "HF_HUB_OFFLINE": "1"}
            done = subprocess.run(
                command, cwd=folder, env=env, capture_output=True, text=True, check=False
            )
            if done.returncode:
                sys.exit(done.stderr)
            found += readable_records(place, [])
    return found


def after_a_beat(samples: Sequence[Sample], beats: Sequence[Beat]) -> list[tuple[bool, float]]:
    """Of each call of a process: whether a beat precedes it, and its log time without its work."""
    work = np.log1p([sum(sample.tokens) for sample in samples])
    known = np.column_stack([np.ones(len(work)), work])
    logs = np.log([sample.total_s for sample in samples])
    left = logs - known @ np.linalg.lstsq(known, logs, rcond=None)[0]
    ends = [-1.0, *(sample.started_at for sample in samples)]
    follows = [
        any(ends[i] < beat.at < sample.started_at for beat in beats)
        for i, sample in enumerate(samples)
    ]
    return list(zip(follows, left.tolist(), strict=True))


def main(arguments: list[str]) -> int:
    """Measure or read, and print."""
    coin = "--coin" in arguments
    if arguments[:1] == ["--records"]:
        records = [r for place in arguments[1:] for r in readable_records(Path(place), [])]
    else:
        records = measured([word for word in arguments if word != "--coin"], coin)
    usual = usual_state(beat for record in records for beat in record.beats)
    samples = [replace(s, process=k) for k, r in enumerate(records) for s in r.samples]
    beats = [replace(b, process=k) for k, r in enumerate(records) for b in r.beats]
    found = at_usual(samples, beats, usual)
    print("process  calls  beats  median ms  at usual ms  explained within it")
    logs: tuple[list[float], list[float]] = ([], [])
    pairs = list[tuple[bool, float]]()
    spent, lasted = 0.0, 0.0
    for k, record in enumerate(records):
        both = [
            statistics.median(s.total_s for s in calls if s.process == k)
            for calls in (samples, found.samples)
        ]
        for column, value in zip(logs, both, strict=True):
            column.append(float(np.log(value)))
        own = at_usual(record.samples, record.beats, usual)
        share = "too few" if own.explained is None else f"{own.explained:.2f}"
        counts = f"{k:7} {len(record.samples):6} {len(record.beats):6}"
        print(f"{counts} {1e3 * both[0]:10.0f} {1e3 * both[1]:12.0f}  {share}")
        spent += sum(sum(beat.seconds.values()) for beat in record.beats)
        lasted += record.job_s["timed pass"]
        pairs += after_a_beat(record.samples, record.beats)
    spread = [f"{np.std(column, ddof=1):.1%}" for column in logs]
    print(f"between processes: {spread[0]} as it was, {spread[1]} at the usual state")
    share = "-" if found.explained is None else f"{found.explained:.2f}"
    print(f"all together: explained {share}, adjusted: {found.made} {found.why}")
    print(f"beats took {spent / lasted:.1%} of the timed passes")
    if not coin:
        return 0
    after, others = ([left for follows, left in pairs if follows is want] for want in (True, False))
    ratio = np.exp(np.mean(after) - np.mean(others))
    error = np.hypot(*(np.std(x, ddof=1) / np.sqrt(len(x)) for x in (after, others)))
    print(f"calls after a beat over others: {ratio:.4f} ± {1.96 * error:.4f}", end="")
    print(f" ({len(after)} and {len(others)} calls)")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
