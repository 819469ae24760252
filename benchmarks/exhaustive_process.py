"""What one process of benchmarks/exhaustive.py does: load a system, call it, score its texts."""

from __future__ import annotations

import hashlib
import json
import os
import select
import signal
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from exhaustive_table import Entry

from asr_scaling.batch.fixed import Fixed
from asr_scaling.core.ports import NullProbe, System, SystemSpec
from asr_scaling.core.workload import AudioBatch, Utterance
from asr_scaling.errors import AsrScalingError
from asr_scaling.machine.interference import read_counters
from asr_scaling.machine.memory import peak_resident, release_memory
from asr_scaling.measure.job import Job
from asr_scaling.profiler.quality import normaliser, score

TIMED, TIMED_SLOW = 10, 4
"""Utterances of the timed calls at batch 1, and of those that are slow."""
SLOW_S = {1: 5.0, 16: 12.0}
"""A first call of so many seconds is slow, at batch 1 and in batches."""
WORDS_S = 80.0
"""Processor seconds in which texts are made for their WER."""
_ENDED = "the process was ended after {:.0f} s"


class Menu:
    """What can be composed for a model: a job for each engine, with every optimisation built.

    ``names``: of all optimisations.
    """

    def __init__(self, model: str, engines: Sequence[str], names: Sequence[str]) -> None:
        self.names = tuple(names)
        self._jobs = {engine: _job(model, engine, names) for engine in engines}

    def system(self, entry: Entry) -> SystemSpec:
        """The composed system. Raises AsrScalingError when it is refused or changes nothing."""
        system = self._jobs[entry.engine].system
        chosen = {name: system.optimisation[name] for name in entry.optimisations}
        asked = replace(system, batch=Fixed(entry.batch), optimisation=chosen)
        whole = asked.composed()
        if whole.applied != entry.optimisations:
            raise AsrScalingError(f"This is {whole.called}.")
        if idle := asked.idle_optimisations:
            raise AsrScalingError(f"{idle[0]} changes nothing here.")
        whole.engine.check(whole.model)
        return whole


def _job(model: str, engine: str, names: Sequence[str]) -> Job:
    from hydra import compose, initialize_config_dir

    from asr_scaling.sweep.instantiate import build_job
    from asr_scaling.sweep.instantiate import options as plain
    from asr_scaling.util.config_dir import conf_dir

    chosen = f"optimisation=[{','.join(names)}]"
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        config = compose("config", [f"model={model}", f"engine={engine}", chosen, "~tracking"])
        return build_job(plain(config))


def texts_key(system: SystemSpec) -> str:
    """Equal where the same texts come out: all but the heap and the threads' cores is the same."""
    threads = getattr(system.device, "threads", None)
    whole = repr((system.model.name, system.engine, system.batch, threads))
    return hashlib.sha256(whole.encode()).hexdigest()[:12]


def in_turns(utterances: Sequence[Utterance], count: int) -> list[Utterance]:
    """``count`` utterances from all quantiles of length, so ordered that every run of 16 has them.

    So have the first ten, and nearly so the first three.
    """
    ordered = sorted(utterances, key=lambda u: (u.duration_s, u.id))
    chosen = [ordered[int((k + 0.5) * len(ordered) / count)] for k in range(count)]
    step = max(1, count // 16)
    runs = (chosen[first::step] for first in range(step))
    return [run[k * 7 % len(run)] for run in runs for k in range(len(run))]


@dataclass
class Process:
    """One process's calls of one system.

    ``speech``: in the order in which it is read.
    ``whole``: whether every batch of it is timed once; otherwise one is timed twice.
    """

    system: System
    spec: SystemSpec
    speech: Sequence[Utterance]
    whole: bool = False
    calls: list[dict[str, Any]] = field(default_factory=list)
    texts: dict[str, str] = field(default_factory=dict)

    def time(self) -> dict[str, Any]:
        """Warm up and time; what the line of JSON says of it."""
        batch: Any = self.spec.batch
        batches = batch.batches(self.speech)
        timed = self._warm(batches, batch.size)
        before = read_counters()
        for each in timed:
            self._call(each, "timed")
        after = read_counters()
        cores_s = (after.wall_s - before.wall_s) * after.cores
        own_s = after.own_s - before.own_s
        steal_s = (after.steal_s or 0.0) - (before.steal_s or 0.0)
        return {
            "others": round(max(0.0, after.busy_s - before.busy_s - own_s) / cores_s, 3),
            "steal": round(steal_s / cores_s, 3),
            "calls": self.calls,
            "words": words(self.speech, self.texts),
        }

    def _warm(self, batches: Sequence[AudioBatch], size: int) -> list[AudioBatch]:
        """Warm-up calls, and the batches to time, of which there are fewer where calls are slow."""
        if size > 1:
            took = self._call(batches[0], "warm")
            by_length = type(self.spec.batch) is not Fixed
            again = 1 if took > SLOW_S[16] else 2
            return list(batches) if self.whole or by_length else again * [batches[0]]
        ordered = sorted(batches[:TIMED], key=lambda each: each.audio_s)
        took = max(self._call(each, "warm") for each in (ordered[0], ordered[-1]))
        if self.whole:
            return list(batches)
        count = TIMED_SLOW if took > SLOW_S[1] else TIMED
        count = min(count, len(ordered))
        step = len(ordered) / count
        return [ordered[int((k + 0.5) * step)] for k in range(count)]

    def _call(self, batch: AudioBatch, what: str) -> float:
        began = time.perf_counter()
        texts = self.system.transcribe(batch, NullProbe()).texts
        took = time.perf_counter() - began
        ids = [u.id for u in batch.utterances]
        self.texts |= dict(zip(ids, texts, strict=True))
        self.calls.append({"pass": what, "s": round(took, 5), "utterances": ids})
        return took

    def read(self) -> dict[str, Any]:
        """Make texts as long as there is time; what the line of JSON says of it."""
        batch: Any = self.spec.batch
        began = before = time.process_time()
        took = 0.0
        for each in batch.batches(self.speech):
            if before - began + took > WORDS_S:
                break
            self._call(each, "words")
            took, before = time.process_time() - before, time.process_time()
        return {"words": words(self.speech, self.texts)}


def words(speech: Sequence[Utterance], texts: dict[str, str]) -> dict[str, list[int]]:
    """Utterance's id → words wrong and words of the reference, as the profiler quality counts."""
    pairs = [(u.id, u.reference, texts[u.id]) for u in speech if u.id in texts]
    facts = {u.id: {"audio_s": u.duration_s, "language": "en"} for u in speech if u.id in texts}
    rows = score(pairs, normaliser("auto")[0], {}, facts).transcripts
    edits = ("substitutions", "deletions", "insertions")
    return {row["id"]: [sum(row[e] for e in edits), row["words"]] for row in rows if "words" in row}


def timed(spec: SystemSpec, speech: Sequence[Utterance], whole: bool = False) -> dict[str, Any]:
    """What this process finds of a system's time and memory.

    whole: whether every batch of the speech is timed, as what regroups utterances needs.
    Raises what loading and calling raise.
    """
    with peak_resident() as peak:
        setup = dict(spec.device.setup())
        began = time.perf_counter()
        system = spec.engine.load(spec.model, spec.device)
        load_s = time.perf_counter() - began
        release_memory()
        found = Process(system, spec, speech, whole).time()
    facts = system.facts
    return {
        "outcome": "ok",
        "load_s": round(load_s, 3),
        "read_s": round(facts.load_s, 3),
        "compile_s": None if facts.compile_s is None else round(facts.compile_s, 2),
        "weights": facts.weights,
        "dtype": facts.dtype,
        "threads": setup.get("threads"),
        "peak_rss": peak.bytes,
        **found,
    }


def read(spec: SystemSpec, speech: Sequence[Utterance]) -> dict[str, Any]:
    """What this process finds of a system's texts. Raises what loading and calling raise."""
    spec.device.setup()
    system = spec.engine.load(spec.model, spec.device)
    return {"outcome": "ok", **Process(system, spec, speech).read()}


def forked(work: Callable[[], dict[str, Any]], limit_s: float) -> dict[str, Any]:
    """What ``work`` gives in a process that is forked; its failure is an outcome as well.

    limit_s: seconds after which the process is ended.
    """
    began = time.perf_counter()
    reads, writes = os.pipe()
    child = os.fork()
    if child == 0:
        os.setpgid(0, 0)
        os.close(reads)
        _answer(work, writes)
    os.close(writes)
    told = bytearray()
    while True:
        left = began + limit_s - time.perf_counter()
        if not select.select([reads], [], [], max(0.0, left))[0]:
            os.killpg(child, signal.SIGKILL)
            os.waitpid(child, 0)
            os.close(reads)
            return {"outcome": "failed", "why": _ENDED.format(limit_s)}
        part = os.read(reads, 1 << 20)
        if not part:
            break
        told += part
    os.close(reads)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if not told:
        return {"outcome": "failed", "why": f"the process ended with status {status}"}
    found: dict[str, Any] = json.loads(told)
    return {**found, "process_s": round(time.perf_counter() - began, 2)}


def _answer(work: Callable[[], dict[str, Any]], writes: int) -> None:
    """The child's side: it says what it found and ends without cleaning up."""
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 1)
    os.dup2(nothing, 2)
    try:
        found = work()
    except BaseException as error:  # whatever ended it is what is said
        why = " ".join(f"{type(error).__name__}: {error}".split())[:300]
        found = {"outcome": "failed", "why": why}
    with os.fdopen(writes, "w", encoding="utf-8") as pipe:
        json.dump(found, pipe)
    sys.stdout.flush()
    os._exit(0)
