"""Do intervals and verdicts hold when the command is typed again? One command, many times.

    python benchmarks/between_processes.py measure multirun/between   # 75 minutes on two cores
    python benchmarks/between_processes.py judge multirun/between     # a minute, from what was kept

Each run is ``-m engine=transformers,slowed device.steady=false,true sweep.processes=3``:
whisper_tiny_en at batch 1, and the same slowed by 10 % on purpose (benchmarks/slowed), three fresh
processes each, in turn. The last third of the runs measures ``engine=transformers
device.steady=false`` alone, so there are 20 steady runs beside 30 plain ones. A run knows of this
machine what the self-test and the runs before it showed. What is judged was never seen by a run:

- of the runs' intervals of 95 %, how many hold the median of all processes of all runs;
- of pairs of runs of the same system, how many ``compare`` calls faster or slower;
- of the slowed systems, how many ``compare`` calls slower than the plain one of their run.

The same is judged of single processes, every process of a run taken alone, as if the command had
been typed without ``sweep.processes``, and of both with ``device.steady=true``. A run that is there
already is not measured again. What a run knows of the machine is computed anew before it is judged,
from the self-test and the runs before it, as a measurement by this version would have had it.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console
from rich.table import Table

from asr_scaling.analysis.comparison import compare
from asr_scaling.analysis.comparison.verdict import LATENCY, RTFX
from asr_scaling.core.learned_state import KEY
from asr_scaling.core.record import ROUNDS_FOLDER, RunRecord
from asr_scaling.core.statistics import percentile
from asr_scaling.core.time_intervals import of_one_process
from asr_scaling.core.typed_json import build
from asr_scaling.core.usual_figures import with_usual
from asr_scaling.machine.spread_history import note
from asr_scaling.measure.record_builder import machine_facts
from asr_scaling.records.merge import merge
from asr_scaling.records.read import readable_files
from asr_scaling.selftest.between_processes import note as note_self_test
from asr_scaling.selftest.checks import Check

HERE = Path(__file__).parent
RUNS, WITH_SLOWED, PAIRS = 30, 20, 60
POINT = ("model=whisper_tiny_en", "profiler=[latency]", "tracking=jsonl", "sweep.processes=3")
FIGURES = (LATENCY, f"usual/{LATENCY}", RTFX, f"usual/{RTFX}")
SURE = ("faster", "slower")


@dataclass(frozen=True)
class Run:
    """What one run of the command measured: the rounds of each system, one process each."""

    plain: tuple[RunRecord, ...]
    slowed: tuple[RunRecord, ...]


def measure(folder: Path, runs: int, arguments: Sequence[str]) -> None:
    """Run the command until there are ``runs`` of it below ``folder``."""
    trusted = {"ASR_SCALING_PARTS": "slowed_engine", "HF_HUB_OFFLINE": "1"}
    path = os.pathsep.join(filter(None, (str(HERE / "slowed"), os.environ.get("PYTHONPATH"))))
    for number in range(runs):
        place = folder / f"{number:02}"
        if (place / "done").exists():
            continue
        whole = number < WITH_SLOWED
        engines = "transformers,slowed" if whole else "transformers"
        kept = f"tracking.path={folder / 'records.jsonl'}"
        swept = [f"engine={engines}", f"device.steady=false{',true' if whole else ''}"]
        options = [*POINT, kept, *swept, f"hydra.sweep.dir={place}", *arguments]
        command = [sys.executable, "-m", "asr_scaling", "-m", f"--config-dir={HERE / 'slowed'}"]
        done = subprocess.run(
            [*command, *options],
            env={**os.environ, **trusted, "PYTHONPATH": path},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            sys.exit(done.stderr)
        (place / "done").touch()


def runs_in(folder: Path) -> tuple[list[Run], list[Run]]:
    """The finished runs below ``folder``, in order: what was measured plain, and steady."""
    plain, steady = list[Run](), list[Run]()
    for systems in taught([mark.parent for mark in sorted(folder.glob("*/done"))]):
        for is_steady, found in ((False, plain), (True, steady)):
            own, slowed = (
                tuple(systems.get((is_steady, is_slowed), ())) for is_slowed in (False, True)
            )
            if own:
                found.append(Run(own, slowed))
    return plain, steady


def taught(places: Sequence[Path]) -> Iterator[dict[tuple[bool, bool], list[RunRecord]]]:
    """Of each run its rounds by whether they are steady and slowed, with what it knew before.

    Only what was measured on this very machine teaches.
    """
    with tempfile.TemporaryDirectory() as cache:
        os.environ["ASR_SCALING_CACHE"] = cache
        checks = json.loads((places[0] / "certificate.json").read_text())["checks"]
        note_self_test(next(build(Check, c) for c in checks if c["name"] == "between processes"))
        for place in places:
            systems: dict[tuple[bool, bool], list[RunRecord]] = {}
            rounds = [record for _, record in readable_files(place / ROUNDS_FOLDER, [])]
            for record in sorted(rounds, key=lambda record: record.started_at):
                key = bool(record.config["device"]["steady"]), record.engine != "transformers"
                systems.setdefault(key, []).append(as_known(record))
            for own in systems.values():
                note(merge(own))
            yield systems


def as_known(record: RunRecord) -> RunRecord:
    """The record with what the runs before it say of the machine, and its figures with that."""
    before = {k: v for k, v in record.environment.items() if k not in ("spread", KEY)}
    facts = machine_facts(before, record.device, record.identity)
    return with_usual(replace(record, environment=facts))


def held(records: Sequence[RunRecord], truth: Callable[[str], float | None]) -> dict[str, str]:
    """Figure → how many of the records' intervals hold its true value, of those that have one."""
    said = {}
    for name in FIGURES:
        value = truth(name)
        ends = [record.intervals[name] for record in records if name in record.intervals]
        if value is not None and ends:
            said[name] = f"{sum(end.low <= value <= end.high for end in ends)} of {len(ends)}"
    return said


def verdicts(pairs: Iterable[tuple[RunRecord, RunRecord]], metric: str) -> Counter[str]:
    """How often each verdict was given, without its figures."""
    rows = (compare(a, b).row(metric) for a, b in pairs)
    return Counter(row.verdict.partition(":")[0].partition(" beyond")[0] for row in rows)


def neighbours(records: Sequence[RunRecord], most: int) -> list[tuple[RunRecord, RunRecord]]:
    """Pairs of records, those that follow one another first, then those one apart, and so on."""
    pairs = (
        (a, b)
        for apart in range(1, len(records))
        for a, b in zip(records, records[apart:], strict=False)
    )
    return list(itertools.islice(pairs, most))


def spread(records: Sequence[RunRecord], name: str) -> str:
    """Standard deviation and range of a figure between single processes, in per cent."""
    logs = [math.log(record.values[name]) for record in records if name in record.values]
    if len(logs) < 3:
        return "–"
    return f"{statistics.stdev(logs):.1%}, range {math.expm1(max(logs) - min(logs)):.0%}"


def alone(record: RunRecord) -> RunRecord:
    """A round as the record of one process, as without ``sweep.processes``."""
    return of_one_process(replace(record, config={**record.config, "sweep": {}}))


def judged(runs: Sequence[Run]) -> dict[str, tuple[str, str]]:
    """What was asked → the answer for runs of three processes, and for single processes."""
    singles = [alone(record) for run in runs for record in run.plain]
    merged = [merge(run.plain) for run in runs]
    with_slowed = [run for run in runs if run.slowed]
    slowed = [(merge(run.plain), merge(run.slowed)) for run in with_slowed]
    slowed_alone = [(alone(run.plain[0]), alone(run.slowed[0])) for run in with_slowed]

    def middle(name: str) -> float | None:
        values = [record.values[name] for record in singles if name in record.values]
        return percentile(values, 50) if values else None

    rows = {}
    for name in FIGURES:
        of_runs, of_singles = held(merged, middle), held(singles, middle)
        answers = of_runs.get(name, "–"), of_singles.get(name, "–")
        rows[f"intervals of {name} that hold the median of all"] = answers
    for metric in (LATENCY, RTFX):
        for what, pairs in {
            "identical systems": (neighbours(merged, PAIRS), neighbours(singles, PAIRS)),
            "slowed by 10 %": (slowed, slowed_alone),
        }.items():
            several, single = (counted(verdicts(each, metric)) for each in pairs)
            rows[f"{what}, {metric}"] = several, single
    for name in FIGURES:
        rows[f"{name} differs by (sd)"] = spread(merged, name), spread(singles, name)
    return rows


def judge(folder: Path, out: Console) -> None:
    """Print the three figures, of runs and of single processes, plain and steady."""
    plain, steady = runs_in(folder)
    first = plain[0].plain[0].environment
    out.print(f"{len(plain)} runs on {first['cpu']}, {first['cpu_cores']} cores")
    table = Table("", "three processes", "single processes", "three, steady", "single, steady")
    answers = judged(plain), judged(steady) if steady else {}
    for asked, own in answers[0].items():
        table.add_row(asked, *own, *answers[1].get(asked, ("–", "–")))
    out.print(table)


def counted(verdict: Counter[str]) -> str:
    """Each verdict with how often it was given; those that are sure first."""
    ordered = sorted(verdict.items(), key=lambda item: (item[0] not in SURE, -item[1]))
    return ", ".join(f"{count} {word}" for word, count in ordered) or "–"


def main() -> int:
    """Measure or judge."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("what", choices=("measure", "judge"))
    parser.add_argument("folder", type=Path)
    parser.add_argument("overrides", nargs="*", help="of the command, as pipeline.max_seconds=25")
    parser.add_argument("--runs", type=int, default=RUNS)
    given = parser.parse_args()
    if given.what == "measure":
        measure(given.folder.absolute(), given.runs, given.overrides)
    judge(given.folder, Console(width=160))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
