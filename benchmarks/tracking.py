"""What a tracking server costs: several processes that log at once,
and reports on ten thousand runs.

    make server  # in another shell, and its two exports in this one
    python benchmarks/tracking.py http://127.0.0.1:5000
    python benchmarks/tracking.py http://127.0.0.1:5000 --writers 4 --runs 250 --many 10000

First ``--writers`` processes store ``--runs`` points each, as sweeps beside each other do: params,
metrics, tags, dataset, hypotheses, record, operators, a Chrome trace and a trace of stages. Every
run is then read back: none may be lost or there twice. Then ``--many`` points of one sweep, whose
runs have their record as only artifact; timed are a sweep that goes on and finds them all measured,
the report from the store, and the command that asks the store for what it lacks. The records are
those of docs/results, one after the other, with other times. Seconds are wall time.
"""

from __future__ import annotations

import argparse
import gzip
import multiprocessing
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

from asr_scaling.core.record import RunRecord
from asr_scaling.records.read import each_record
from asr_scaling.records.sweep_end import closing_files, end_abandoned
from asr_scaling.records.sweep_manifest import SweepManifest
from asr_scaling.sweep.sweep_run import SweepRun
from asr_scaling.tracking import _mlflow_run
from asr_scaling.tracking._mlflow_client import search
from asr_scaling.tracking._stored_runs import remember
from asr_scaling.tracking._tags import params
from asr_scaling.tracking.mlflow import Mlflow

RESULTS = (
    Path(__file__).resolve().parents[1]
    / "docs"
    / "results"
    / "amd-epyc-2-cores"
    / "records.jsonl.gz"
)
TRACE_BYTES, OPERATORS_BYTES = 250_000, 6_000
TRACE, OPERATORS = "trace.json.gz", "operators.csv"


def records(count: int) -> Iterator[RunRecord]:
    """``count`` points that were really measured, each at another time."""
    known = [record for record, _ in each_record(RESULTS)]
    for i in range(count):
        record = known[i % len(known)]
        shift = 1000.0 * (i + 1)
        yield replace(
            record, started_at=record.started_at + shift, ended_at=record.ended_at + shift
        )


def write_point(folder: Path, record: RunRecord) -> RunRecord:
    """The record on disk, with a trace and operators of the usual size."""
    folder.mkdir(parents=True)
    (folder / TRACE).write_bytes(random.Random(1).randbytes(TRACE_BYTES))
    (folder / OPERATORS).write_text("aten::linear,1,0.5\n" * (OPERATORS_BYTES // 19))
    record = replace(record, artifacts=(TRACE, OPERATORS))
    record.write(folder)
    return record


def logged(task: tuple[Mlflow, Path, int, int]) -> tuple[str, list[float]]:
    """One writer: a sweep of its own. The sweep's run, and the seconds of logging of each point."""
    sink, folder, first, runs = task
    parent, seconds = sink.open(folder.name, {}), []
    points = [(f"{first + i}_point", record) for i, record in enumerate(records(runs))]
    for name, record in points:
        whole = write_point(folder / name, record)
        start = time.perf_counter()
        sink.write(whole, folder / name, parent)
        seconds.append(time.perf_counter() - start)
    sink.close(parent, "FINISHED")
    return parent, seconds


def filled(task: tuple[Mlflow, str, Path, list[tuple[str, RunRecord]]]) -> None:
    """The runs of many points: params, metrics, tags and the record, nothing else."""
    from asr_scaling.tracking._mlflow_client import client

    sink, parent, folder, points = task
    store = client(sink.uri)
    experiment = store.get_experiment_by_name(sink.experiment).experiment_id
    for name, record in points:
        record.write(folder / name)
        slim = replace(record, samples=(), transcripts=(), artifacts=(), dataset={})
        remember(
            folder / name,
            record,
            parent,
            _mlflow_run.store(store, experiment, slim, folder / name, parent),
        )


def shares(sink: Mlflow, parent: str, folder: Path, count: int, writers: int) -> list[Any]:
    """A share of the points for each writer."""
    points = [(f"{i}_point", record) for i, record in enumerate(records(count))]
    return [(sink, parent, folder, points[i::writers]) for i in range(writers)]


def load(uri: str, writers: int, runs: int, root: Path) -> None:
    sink, count = Mlflow(uri, f"load {time.time():.0f}"), writers * runs
    tasks = [(sink, root / f"writer {i}", i * runs, runs) for i in range(writers)]
    start = time.perf_counter()
    with multiprocessing.get_context("spawn").Pool(writers) as pool:
        done = pool.map(logged, tasks, chunksize=1)
    seconds = sorted(each for _, one in done for each in one)
    wall = time.perf_counter() - start
    median, p95 = statistics.median(seconds), seconds[int(0.95 * len(seconds))]
    print(
        f"{writers} writers x {runs} runs: {wall:.0f} s in all, {count / wall:.1f} runs/s",
        flush=True,
    )
    print(
        f"logging a run: median {median:.3f} s, 95 % within {p95:.3f} s, "
        f"slowest {seconds[-1]:.3f} s"
    )
    verify(sink, [parent for parent, _ in done], runs)


def verify(sink: Mlflow, parents: Sequence[str], runs: int) -> None:
    """SystemExit unless every point is there once and whole."""
    import mlflow

    client = mlflow.MlflowClient(sink.uri)
    known, count = list(records(runs)), runs * len(parents)
    expected = {f"{i}_point": known[i % runs] for i in range(count)}
    experiment = client.get_experiment_by_name(sink.experiment)
    assert experiment is not None, "the server has no experiment of the benchmark"
    found = list(search(client, experiment.experiment_id, "tags.asr_scaling.kind = 'point'"))
    writers = {parent: i for i, parent in enumerate(parents)}
    places = Counter(run.data.tags["asr_scaling.place"] for run in found)
    faults = [name for name in expected if places[name] != 1]
    for run in found:
        place = run.data.tags["asr_scaling.place"]
        if writers[run.data.tags["mlflow.parentRunId"]] != int(place.partition("_")[0]) // runs:
            faults.append(run.info.run_id)
        record = expected[place]
        values = record.values | {
            f"{k}.{end}": v for k, i in record.intervals.items() for end, v in asdict(i).items()
        }
        whole = (
            run.data.metrics == values and run.data.params.keys() == params(record.config).keys()
        )
        files = {file.path for file in client.list_artifacts(run.info.run_id)}
        whole = (
            whole and files >= {"record.json", TRACE, OPERATORS} and run.info.status != "RUNNING"
        )
        faults += [] if whole else [run.info.run_id]
    traces, token = 0, None
    while True:
        some = client.search_traces(
            locations=[experiment], max_results=500, page_token=token, include_spans=False
        )
        traces, token = traces + len(some), some.token
        if not token:
            break
    timed = sum(bool(record.samples) for record in expected.values())
    print(
        f"read back: {len(found)} runs for {count} points, {len(faults)} lost, "
        "twice there or not whole; "
        f"{traces} traces for {timed} points with timed calls"
    )
    if faults or traces != timed:
        sys.exit(1)


def many(uri: str, writers: int, count: int, root: Path) -> None:
    sink, folder = Mlflow(uri, f"many {time.time():.0f}"), root / "multirun" / "day" / "time"
    file = SweepManifest(
        (), tracking={"_target_": "asr_scaling.tracking.mlflow.Mlflow", **asdict(sink)}
    )
    parent = sink.open("many", {"sweep_id": file.sweep_id})
    start = time.perf_counter()
    with multiprocessing.get_context("spawn").Pool(writers) as pool:
        pool.map(filled, shares(sink, parent, folder, count, writers), chunksize=1)
    print(f"{count} points of one sweep: stored in {time.perf_counter() - start:.0f} s")
    timed(
        "ending the sweep",
        lambda: sink.close(parent, "FINISHED", closing_files(sink, folder, parent)),
    )
    replace(file, parent=parent, status="FINISHED", closed=True).write(folder)

    def find() -> None:
        for i, record in enumerate(records(count)):
            place = folder / f"{i}_point"
            before = SweepRun().measured_before(place, record.identity)
            if before is None:
                assert record.status not in ("ok", "out_of_memory")
            else:
                sink.write(before, place, parent)

    timed(f"a sweep that goes on finds its {count} points", find)
    for source in (f"mlflow:{parent}", f"mlflow:{sink.experiment}", str(folder)):
        command = [
            sys.executable,
            "-m",
            "asr_scaling",
            "report",
            source,
            "--tracking-uri",
            uri,
            "--no-mlflow",
        ]
        command += ["-o", str(root / "report")]
        about = (
            "disk"
            if source == str(folder)
            else ("sweep's run" if source.endswith(parent) else "experiment")
        )
        timed(f"the report on {count} points from the {about}", partial(run, command))
    timed(
        "sync of that sweep",
        lambda: run([sys.executable, "-m", "asr_scaling", "sync", str(folder)]),
    )
    ended = root / "ended"
    for i in range(count):
        replace(file, closed=True, status="FINISHED").write(ended / str(i % 100) / str(i))
    timed(
        f"a start beside {count} ended sweeps looks for unended ones",
        lambda: end_abandoned(ended, sink, file.tracking),
    )


def run(command: list[str]) -> None:
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def timed(what: str, call: Callable[[], object]) -> None:
    start = time.perf_counter()
    call()
    print(f"{what}: {time.perf_counter() - start:.1f} s", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("uri")
    parser.add_argument("--writers", type=int, default=4)
    parser.add_argument("--runs", type=int, default=250, help="of each writer")
    parser.add_argument(
        "--many", type=int, default=10_000, help="runs of one sweep; 0 leaves that part out"
    )
    options = parser.parse_args()
    with gzip.open(RESULTS) as file:
        size = len(file.readline())
    print(
        f"{os.cpu_count()} cores; a record of {size / 1e3:.0f} kB, "
        f"a trace of {TRACE_BYTES / 1e3:.0f} kB"
    )
    with tempfile.TemporaryDirectory() as root:
        if options.runs:
            load(options.uri, options.writers, options.runs, Path(root))
        if options.many:
            many(options.uri, options.writers, options.many, Path(root))


if __name__ == "__main__":
    main()
