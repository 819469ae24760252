"""Does advice keep its word? Each offer of a report is tried, and what it promised stands beside.

    python benchmarks/advice.py measure results.jsonl --minutes 2   # goes on where it was cut
    python benchmarks/advice.py show results.jsonl more.jsonl
    python benchmarks/advice.py learn   # what analysis/bottlenecks/measured_effects.py has

A cell is a plain system (engine, model) on speech of one length in calls of one batch. It is
measured once for the advice, as a report's point is; what the report would offer is written down
with its interval and its bound. Then the system with each offer and without it are measured in
turns: a block has the plain system and up to three offers once, each in a fresh process that loads
it anew, in random order, and the second block of the same ones has the reverse order. What an
offer brought is the geometric mean over its blocks of RTFx with it over RTFx without it. Cells come
in random order; those that would take too long are left out and counted. Promises rest on what the
package knew when the cell was begun: what is learned from these measurements later is no promise
about them.
"""

from __future__ import annotations

import argparse
import json
import math
import multiprocessing
import random
import statistics
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from asr_scaling.analysis.bottlenecks.lever_facts import learned, pairs_of
from asr_scaling.analysis.bottlenecks.measured_effects import SOURCES
from asr_scaling.analysis.bottlenecks.offers import offers
from asr_scaling.analysis.bottlenecks.timed import Timed
from asr_scaling.analysis.load_points import points
from asr_scaling.analysis.points import to_point
from asr_scaling.core.record import RunRecord
from asr_scaling.measure.pipeline import Pipeline

RESULTS = Path(__file__).parents[1] / "docs" / "results"
ENGINES = ("transformers", "faster_whisper", "onnxruntime", "openvino")
MODELS = ("whisper_tiny_en", "whisper_base", "wav2vec2")
LENGTHS, BATCHES, BLOCKS, OFFERS = (5, 15, 30, None), (1, 4, 16), 2, 3
CALLS = {1: 4, 4: 2, 16: 1}
"""Batch → timed calls of a process, of different utterances."""
MOST_AUDIO_S = 130.0
"""Cells whose calls have more audio are left out."""
FORK = multiprocessing.get_context("fork")


def cells() -> list[dict[str, Any]]:
    """All of them, in random order, without those that take too long."""
    found = [
        {"engine": engine, "model": model, "length_s": length, "batch": batch}
        for engine in ENGINES
        for model in MODELS
        for length in LENGTHS
        for batch in BATCHES
        if model != "wav2vec2" or engine == "transformers"
    ]
    kept = [cell for cell in found if _audio_s(cell) <= MOST_AUDIO_S]
    print(f"{len(kept)} cells; {len(found) - len(kept)} of {len(found)} would take too long")
    return random.Random(20).sample(kept, len(kept))


def _audio_s(cell: dict[str, Any]) -> float:
    """Seconds of audio of a call, twice and four times as many for the larger models."""
    slower = {"whisper_base": 2.0, "wav2vec2": 4.0}.get(cell["model"], 1.0)
    each: float = cell["batch"] * (cell["length_s"] or 8.0)
    return slower * each


def overrides(cell: dict[str, Any], option: str = "") -> list[str]:
    """The command line of a cell's system, with an offer's option."""
    length = "null" if cell["length_s"] is None else cell["length_s"]
    given = {
        "model": cell["model"],
        "engine": cell["engine"],
        "dataset.length_s": length,
        "batch": cell["batch"],
    }
    if option:
        key, _, value = option.partition("=")
        given[key] = value
    given["batch.size"] = given.pop("batch")
    return [*(f"{key}={value}" for key, value in given.items()), "~tracking"]


def measured(cell: dict[str, Any], option: str = "") -> RunRecord:
    """The record of a system, made in this process."""
    from hydra import compose, initialize_config_dir

    from asr_scaling import run
    from asr_scaling.profiler.latency import Latency
    from asr_scaling.sweep.instantiate import build_job, options
    from asr_scaling.util.config_dir import conf_dir

    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        plain = options(compose("config", overrides(cell, option)))
    batch = int(plain["batch"]["size"])
    calls = CALLS[batch]
    budget = Pipeline(
        utterances=calls * batch,
        warmup=1,
        warmup_seconds=0.0,
        min_iterations=calls,
        precision=None,
        max_seconds=0.1,
    )
    plain.pop("tracking", None)
    job = replace(build_job(plain), profiler={"latency": Latency()}, pipeline=budget)
    return replace(run(job), config=plain)


def answer(connection: Any, cell: dict[str, Any], option: str, advise: bool) -> None:
    """What one process finds: the figures of a system and, for the advice, what is offered."""
    record = measured(cell, option)
    if record.status != "ok":
        connection.send({"failed": record.outcome})
        return
    point = to_point(record)
    timed = Timed.of(point)
    found: dict[str, Any] = {
        "rtfx": record.values["throughput/rtfx"],
        "stages": dict(timed.stages),
        "audio_s": timed.audio_s,
        "window_s": timed.window_s,
        "faults_per_s": timed.faults_per_s,
        "family": timed.family,
        "processor": timed.processor,
        "at": record.started_at,
    }
    if advise:
        found["offers"] = [
            {
                "option": offer.option,
                "gain": offer.gain,
                "low": offer.interval.low,
                "high": offer.interval.high,
                "bound": offer.bound,
                "elsewhere": offer.elsewhere,
            }
            for offer in offers(point)
        ]
    connection.send(found)


def in_fresh_process(
    cell: dict[str, Any], option: str = "", advise: bool = False
) -> dict[str, Any]:
    """``answer`` of a process of its own."""
    here, there = FORK.Pipe()
    process = FORK.Process(target=answer, args=(there, cell, option, advise))
    process.start()
    there.close()
    try:
        found: dict[str, Any] = here.recv()
    except EOFError:
        found = {"failed": "the process ended"}
    process.join()
    return found


def measure(path: Path, minutes: float) -> None:
    """Cell after cell, block after block, until the time is over."""
    import torch  # noqa: F401  # once for all processes, which are forked from this one
    import transformers.models.whisper.modeling_whisper  # noqa: F401

    until = time.monotonic() + 60 * minutes
    rows = read(path)
    for cell in cells():
        own = [row for row in rows if row["cell"] == cell]
        if not own:
            if time.monotonic() > until:
                return
            own = [{"cell": cell, **in_fresh_process(cell, advise=True)}]
            write(path, own)
        promised = [offer["option"] for offer in own[0].get("offers", ())]
        done = {(row["block"], row["option"]) for row in own if "block" in row}
        for first in range(0, len(promised), OFFERS):
            options = promised[first : first + OFFERS]
            for block in range(BLOCKS):
                if (block, options[0]) in done:
                    continue
                if time.monotonic() > until:
                    return
                write(path, _block(cell, options, block))


def _block(cell: dict[str, Any], options: Sequence[str], block: int) -> list[dict[str, Any]]:
    order = random.Random(f"{cell} {options}").sample(["", *options], len(options) + 1)
    began, found = time.monotonic(), []
    for option in order if block % 2 == 0 else order[::-1]:
        row = in_fresh_process(cell, option)
        found.append({"cell": cell, "block": block, "of": options, "option": option, **row})
    print(f"{time.monotonic() - began:.0f} s for {len(found)} processes, {cell}", flush=True)
    return found


def write(path: Path, rows: Iterable[dict[str, Any]]) -> None:
    """Appended, a block at once."""
    with path.open("a", encoding="utf-8") as file:
        file.write("".join(json.dumps(row) + "\n" for row in rows))


def read(path: Path) -> list[dict[str, Any]]:
    """The rows of a file; none without one."""
    lines = path.read_text("utf-8").splitlines() if path.exists() else []
    return [json.loads(line) for line in lines]


def trials(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Each promise whose blocks are all there, with what it brought."""
    found = []
    for row in (row for row in rows if "offers" in row):
        blocks = [other for other in rows if other["cell"] == row["cell"] and "block" in other]
        for offer in row["offers"]:
            ratios = list(_ratios(blocks, offer["option"]))
            if len(ratios) == BLOCKS:
                brought = math.exp(statistics.fmean(map(math.log, ratios)))
                found.append({"cell": row["cell"], **offer, "brought": brought, "blocks": ratios})
    return found


def _ratios(blocks: Sequence[dict[str, Any]], option: str) -> Iterable[float]:
    for row in blocks:
        if row["option"] == option and "rtfx" in row:
            same = (other for other in blocks if (other["block"], other["of"]) == _key(row))
            without = next(other for other in same if not other["option"])
            if "rtfx" in without:
                yield row["rtfx"] / without["rtfx"]


def _key(row: dict[str, Any]) -> tuple[int, list[str]]:
    return row["block"], row["of"]


def show(paths: Sequence[Path]) -> None:
    """A line a trial, then which share of bounds and of intervals held."""
    files = [read(path) for path in paths]  # of each machine: a cell is measured on several
    rows = [row for file in files for row in file]
    found = [trial for file in files for trial in trials(file)]
    print(
        "engine          model            length batch  offer                                   "
        "  promised            at most  brought  of the blocks"
    )
    for trial in sorted(found, key=lambda t: (str(t["cell"]), t["option"])):
        print(_line(trial))
    bounded = [trial for trial in found if trial["bound"] is not None]
    kept = sum(trial["brought"] <= trial["bound"] for trial in bounded)
    for name, some in (
        ("all", found),
        ("measured on this class of processor", [t for t in found if not t["elsewhere"]]),
        ("measured elsewhere only", [t for t in found if t["elsewhere"]]),
    ):
        held = sum(trial["low"] <= trial["brought"] <= trial["high"] for trial in some)
        wide = statistics.median(t["high"] / t["low"] for t in some) if some else math.nan
        print(f"intervals, {name}: {held} of {len(some)} held; median high / low {wide:.2f}")
    print(f"bounds: {kept} of {len(bounded)} held; {len(found) - len(bounded)} had none")
    for row in rows:
        if "failed" in row and row.get("block", 0) == 0:
            print(f"failed: {row['cell']} {row.get('option', '')}: {row['failed']}")


def _line(trial: dict[str, Any]) -> str:
    cell, ends = trial["cell"], f"({trial['low']:.2f} to {trial['high']:.2f})"
    length = "natural" if cell["length_s"] is None else f"{cell['length_s']} s"
    bound = "–" if trial["bound"] is None else f"{trial['bound']:.2f}"
    out = "" if trial["low"] <= trial["brought"] <= trial["high"] else "  outside"
    blocks = " ".join(f"{ratio:.2f}" for ratio in trial["blocks"])
    return (
        f"{cell['engine']:15} {cell['model']:16} {length:>7} {cell['batch']:>4}  "
        f"{trial['option']:42} {trial['gain']:5.2f} {ends:17} {bound:>5} {trial['brought']:8.2f}  "
        f"{blocks}{out}"
    )


def timed_of(rows: Iterable[dict[str, Any]]) -> list[Timed]:
    """What the systems of measured blocks took, the mean of each over its blocks."""
    groups: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        if "block" in row and "stages" in row:
            groups.setdefault(json.dumps([row["cell"], row["option"]]), []).append(row)
    return [_timed(members) for members in groups.values()]


def _timed(rows: Sequence[dict[str, Any]]) -> Timed:
    first = rows[0]
    cell, (key, _, value) = first["cell"], first["option"].partition("=")
    names = value.strip("[]").split(",") if key == "optimisation" else ()
    stages = {
        stage: math.exp(statistics.fmean(math.log(row["stages"][stage] or 1e-9) for row in rows))
        for stage in first["stages"]
    }
    return Timed(
        model=cell["model"],
        family=first["family"],
        engine=value if key == "engine" else cell["engine"],
        processor=first["processor"],
        optimisations=frozenset(names),
        batch=int(value) if key == "batch" else cell["batch"],
        length_s=cell["length_s"],
        audio_s=first["audio_s"],
        window_s=first["window_s"],
        faults_per_s=first["faults_per_s"],
        stages=stages,
        at=first["at"],
    )


def effects() -> dict[Any, Any]:
    """What all committed results teach, as analysis/bottlenecks/measured_effects.py has it."""
    calls: list[Timed] = []
    for source, processor in SOURCES.items():
        path = RESULTS / source
        if path.suffix == ".jsonl":
            calls += timed_of(read(path))
        else:
            calls += [Timed.of(p, processor) for p in points([str(path)]) if p.ok]
    return learned(pairs_of(calls))


def learn() -> None:
    """Print them as Python."""
    for key, stages in effects().items():
        print(f"    {key!r}: {{")
        for stage, row in stages.items():
            print(f"        {stage!r}: {row!r},")
        print("    },")


def main(arguments: Sequence[str]) -> None:
    """Measure, show, or learn."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("verb", choices=("measure", "show", "learn"))
    parser.add_argument("results", type=Path, nargs="*", help="one file to measure into")
    parser.add_argument("--minutes", type=float, default=2.0)
    given = parser.parse_args(arguments)
    if given.verb == "learn":
        learn()
    elif given.verb == "show":
        show(given.results)
    elif len(given.results) == 1:
        measure(given.results[0], given.minutes)
    else:
        parser.error("measure takes one file of results.")


if __name__ == "__main__":
    main(sys.argv[1:])
