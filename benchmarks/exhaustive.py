"""Every engine with every sensible composition of optimisations, measured once and for all.

    python benchmarks/exhaustive.py measure FOLDER --model whisper_base --minutes 10
    python benchmarks/exhaustive.py read FOLDER --model whisper_base --minutes 10
    python benchmarks/exhaustive.py show FOLDER

``measure`` goes on where it stopped and begins nothing new after so many minutes. It appends a line
of JSON to FOLDER/<model>.jsonl for each entry and process: the seconds of every call with its
utterances, seconds to load and to compile, words wrong by utterance, memory, and what other
processes took of the machine meanwhile. At batch 1 ten utterances of the bundled speech, from all
quantiles of length, are timed; at batch 16 one batch twice. Refusals and failures are lines too.
benchmarks/exhaustive_plan.py says what is measured and in which order. ``read`` makes the texts of
48 utterances, or of those that 80 s of a processor are enough for, for the WER of what was
measured; it may run beside other work. Systems that differ in heap or cores alone share their
texts.

An entry is measured in a process that is forked from one which has imported every engine and
computed nothing, so that its start costs nothing and its peak memory holds all their libraries; the
seconds of these imports are in the session's line. Every ten entries three calls of plain
transformers show how fast the host is by then.

``show`` prints the tables, fastest first, with speeds as the host's usual state would give them.
There ``spread`` is the standard deviation of the logarithm of RTFx between processes.
"""

from __future__ import annotations

import argparse
import gc
import importlib
import json
import os
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from exhaustive_plan import BATCHES, next_entry
from exhaustive_process import Menu, forked, in_turns, read, texts_key, timed
from exhaustive_table import BASELINE, Entry, Measured, Row, drift, refused, rtfx, shown
from rich.console import Console

from asr_scaling.dataset.demo import Demo
from asr_scaling.errors import AsrScalingError
from asr_scaling.machine.environment import environment, version
from asr_scaling.util.config_dir import conf_dir

UTTERANCES, CALIBRATED, BETWEEN = 48, 3, 10
LIMIT_S, READ_LIMIT_S = 150.0, 600.0
"""Seconds after which a process is ended that is timed, or that reads, maybe beside other work."""
LIBRARIES = {
    "torch": "torch",
    "transformers": "transformers",
    "onnxruntime": "onnxruntime",
    "openvino": "openvino",
    "ctranslate2": "ctranslate2",
    "faster_whisper": "faster-whisper",
    "pywhispercpp": "pywhispercpp",
}
"""Module → package of what the engines import."""
FLAGS = ("avx2", "avx_vnni", "avx512f", "avx512_vnni", "avx512_bf16", "amx_bf16", "amx_int8")


def session() -> dict[str, Any]:
    """Imports every engine; says how long that took, and what this machine and version are."""
    seconds = {}
    for module in LIBRARIES:
        began = time.perf_counter()
        importlib.import_module(module)
        seconds[module] = round(time.perf_counter() - began, 3)
    cpuinfo = Path("/proc/cpuinfo")
    flags = cpuinfo.read_text("utf-8").split("flags", 1)[-1].split("\n", 1)[0].split()
    facts = environment()
    told = {key: facts[key] for key in ("cpu", "cpu_cores", "memory_bytes", "python", "commit")}
    packages = {name: version(name) for name in LIBRARIES.values()}
    return {
        "kind": "session",
        "at": _now(),
        "imports_s": seconds,
        **told,
        "niceness": os.nice(0),
        "features": [flag for flag in FLAGS if flag in flags],
        "versions": packages,
    }


class Measuring:
    """Measures one model until the time is over."""

    def __init__(self, path: Path, model: str) -> None:
        self._path, self._known = path, Measured.read(path)
        groups = ("engine", "optimisation")
        engines, names = (sorted(p.stem for p in (conf_dir() / g).glob("*.yaml")) for g in groups)
        self._engines = [BASELINE, *(e for e in engines if e not in ("fake", BASELINE))]
        begun = session()
        self._menu = Menu(model, self._engines, names)
        self._speech = in_turns(Demo().load(None).utterances, UTTERANCES)
        audio_s = {u.id: round(u.duration_s, 3) for u in self._speech}
        self._append({**begun, "model": model, "audio_s": audio_s})
        gc.collect()
        gc.freeze()  # what children would copy when they collect

    def run(self, minutes: float) -> None:
        """Measure entry after entry."""
        until, since = time.monotonic() + 60 * minutes, BETWEEN
        while time.monotonic() < until:
            entry = next_entry(self._known, self._engines, self._menu.names)
            if entry is None:
                print("Everything is measured.")
                return
            if since >= BETWEEN:
                since = 0
                self._calibrate()
            since += self._measure(entry)

    def read(self, minutes: float) -> None:
        """Make texts, system after system, the fastest first."""
        until = time.monotonic() + 60 * minutes
        for entry in self._known.unread():
            if time.monotonic() > until:
                return
            key = self._known.good(entry)[0]["texts_key"]
            spec = self._menu.system(entry)
            found = forked(partial(read, spec, self._speech), READ_LIMIT_S)
            self._append({"kind": "texts", "at": _now(), "texts_key": key, **found})
            print(f"{entry.label} at batch {entry.batch}: {len(found.get('words', ()))} utterances")
        print("Everything that was measured is read.")

    def _calibrate(self) -> None:
        spec, speech = self._menu.system(Entry(BASELINE, (), 1)), self._speech[:CALIBRATED]
        found = forked(partial(timed, spec, speech), LIMIT_S)
        self._append({"kind": "calibration", "at": _now(), **found})

    def _measure(self, entry: Entry) -> bool:
        """Append the entry's line; whether a process was needed."""
        row: dict[str, Any] = {
            "kind": "entry",
            "engine": entry.engine,
            "optimisations": list(entry.optimisations),
            "batch": entry.batch,
            "session": self._known.sessions[-1]["at"],
            "at": _now(),
        }
        try:
            spec = self._menu.system(entry)
        except AsrScalingError as error:
            self._append({**row, "outcome": "refused", "why": str(error)})
            return False
        found = forked(partial(timed, spec, self._speech), LIMIT_S)
        self._append({**row, "texts_key": texts_key(spec), **found})
        print(f"{entry.label} at batch {entry.batch}: {self._said(found)}", flush=True)
        return True

    def _said(self, found: Row) -> str:
        if found["outcome"] != "ok":
            return f"{found['outcome']}, {found['why']}"
        return f"{rtfx(found, self._known.audio_s):.1f} RTFx, {found['process_s']:.0f} s"

    def _append(self, row: dict[str, Any]) -> None:
        self._known.add(row)
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row, separators=(",", ":")) + "\n")


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def show(folder: Path, out: Console) -> None:
    """Print the tables of every model in the folder."""
    names = {path.name.partition(".")[0] for path in folder.glob("*.jsonl*")}
    for model in sorted(names):
        known = Measured.read(folder / f"{model}.jsonl")
        last = known.sessions[-1]
        out.print(f"{model} on {last['cpu']}, {last['cpu_cores']} cores, {last['features']}")
        out.print(drift(known))
        for batch in BATCHES:
            out.print(shown(known, batch, f"{model} at batch {batch}"))
            reasons = refused(known, batch)
            out.print(f"{len(reasons)} entries were refused or failed:", *reasons, sep="\n  ")


def main(arguments: Sequence[str]) -> int:
    """Measure, read or show."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("what", choices=("measure", "read", "show"))
    parser.add_argument("folder", type=Path)
    parser.add_argument("--model", default="whisper_base")
    parser.add_argument("--minutes", type=float, default=10)
    given = parser.parse_args(arguments)
    if given.what == "show":
        show(given.folder, Console(width=170, markup=False))
        return 0
    given.folder.mkdir(parents=True, exist_ok=True)
    measuring = Measuring(given.folder / f"{given.model}.jsonl", given.model)
    (measuring.read if given.what == "read" else measuring.run)(given.minutes)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
