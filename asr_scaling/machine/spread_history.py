"""What was measured on this machine earlier, for how much times differ between its processes.

The cache has a file for each machine with the figures of processes: of the self-test's stand-in and
of systems that were measured. They say more of the machine's spread than the self-test alone.
"""

from __future__ import annotations

import hashlib
import json
import math
import statistics
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from asr_scaling.core.checksum import signed, verified
from asr_scaling.core.record import RunRecord
from asr_scaling.core.sample import Sample
from asr_scaling.core.spread import Spread
from asr_scaling.core.spread_fit import FEWEST_SYSTEMS, between_hours, fitted
from asr_scaling.core.typed_json import build, read
from asr_scaling.machine.environment import environment
from asr_scaling.machine.interference import by_input
from asr_scaling.util.cache import alone, cache_dir, write_atomic

SELF_TEST = "self-test"
"""Names the self-test's stand-in among the systems."""
MOST = 300
"""Entries that are kept: the newest."""
_KIND = "spread"


@dataclass(frozen=True)
class Entry:
    """One measurement.

    system: what was measured, and on which speech.
    at: when, in seconds since 1970.
    logs: for each process the logarithm of its time.
    usual: the same at the machine's usual state; empty where it is not known.
    """

    system: str
    at: float
    logs: tuple[float, ...]
    usual: tuple[float, ...] = ()


def note(record: RunRecord, usual: Sequence[Sample] = ()) -> None:
    """Keep what the processes of ``record`` showed, for later.

    usual: its calls at the machine's usual state, where they are known.

    The figure of a process is the mean over the inputs that all its processes timed of the
    logarithm of their median time. Nothing is kept of a failed record, of one of another machine,
    or of one that timed on an accelerator, whose times differ by other causes.
    """
    here = record.status == "ok" and _key(record.environment) == _key(environment())
    if not here or record.device != "cpu" or not record.samples:
        return
    inputs = _common(record.samples)
    speech = hashlib.sha256(json.dumps(inputs).encode()).hexdigest()[:12]
    logs, at_usual = (_figures(samples, inputs) for samples in (record.samples, usual))
    if logs:
        add(Entry(f"{record.identity} {speech}", record.started_at, logs, at_usual))


def add(entry: Entry) -> None:
    """Keep ``entry``; one of the same system and time is replaced.

    Where the cache can't be written nothing is kept: it is of use for later sweeps only.
    """
    with suppress(OSError):
        _add(_path(), entry)


def _add(path: Path, entry: Entry) -> None:
    with alone(_KIND, path.stem):
        others = [e for e in entries() if (e.system, e.at) != (entry.system, entry.at)]
        newest = sorted([*others, entry], key=lambda e: e.at)[-MOST:]
        kept = {"key": _key(environment()), "entries": [asdict(e) for e in newest]}
        write_atomic(path, json.dumps(signed(kept), indent=1).encode())


def entries() -> list[Entry]:
    """What is kept of this machine; nothing where the file is missing or damaged."""
    try:
        data = verified(read(_path()))
        if data["key"] != _key(environment()):
            return []
        return [build(Entry, entry) for entry in data["entries"]]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return []


def known(certified: Spread) -> Spread:
    """What is known of this machine's spread: the self-test's with that of earlier records.

    certified: what the self-test measured; it is one system among the others.

    Where several processes each timed at least ``FEWEST_SYSTEMS`` systems, the self-test's among
    them, their typical variance counts, the more the more alike it is between them (Smyth 2004).
    With fewer the self-test's stands. What hours differ by is added where a system was measured
    in three hours or more.
    """
    every = entries()
    kept = [entry for entry in every if entry.system != SELF_TEST]
    raw = _typical(certified.processes, certified.freedom, {e: e.logs for e in kept})
    usual = None
    if certified.usual is not None:
        usual = _typical(certified.usual, certified.freedom, {e: e.usual for e in kept})
    times: dict[str, list[tuple[float, tuple[float, ...]]]] = {}
    for entry in every:
        times.setdefault(entry.system, []).append((entry.at, entry.logs))
    spread = certified
    if raw is not None:
        count, (variance, freedom) = raw
        spread = replace(
            certified,
            processes=math.sqrt(variance),
            freedom=min(freedom, usual[1][1]) if usual else freedom,
            source=f"{certified.source}, and {count - 1} systems measured here earlier",
        )
    if usual is not None:
        spread = replace(spread, usual=math.sqrt(usual[1][0]))
    hours = between_hours(list(times.values()), spread.processes**2)
    return spread if hours is None else replace(spread, hours=math.sqrt(hours))


def _typical(
    certified: float, freedom: float, logs: Mapping[Entry, Sequence[float]]
) -> tuple[int, tuple[float, float]] | None:
    """Number of systems, and their typical variance with its degrees of freedom."""
    squares: dict[str, list[float]] = {}
    for entry, values in logs.items():
        if len(values) > 1:
            total = statistics.variance(values) * (len(values) - 1)
            before = squares.setdefault(entry.system, [0.0, 0.0])
            squares[entry.system] = [before[0] + total, before[1] + len(values) - 1]
    variances = [certified**2, *(total / own for total, own in squares.values())]
    freedoms = [freedom, *(own for _, own in squares.values())]
    if len(variances) < FEWEST_SYSTEMS:
        return None
    return len(variances), fitted(variances, freedoms)


def _common(samples: Sequence[Sample]) -> list[tuple[str, ...]]:
    """Inputs that every process timed, in a fixed order."""
    timed: dict[int, set[tuple[str, ...]]] = {}
    for sample in samples:
        timed.setdefault(sample.process, set()).add(sample.utterances)
    return sorted(set.intersection(*timed.values()))


def _figures(samples: Sequence[Sample], inputs: Sequence[tuple[str, ...]]) -> tuple[float, ...]:
    """For each process the mean over ``inputs`` of the logarithm of their median time."""
    figures = []
    for process in sorted({sample.process for sample in samples}):
        calls = by_input(s for s in samples if s.process == process and s.total_s > 0)
        medians = [
            statistics.median(call.total_s for call in calls[key]) for key in inputs if key in calls
        ]
        if medians and len(medians) == len(inputs):
            figures.append(math.fsum(map(math.log, medians)) / len(medians))
    return tuple(figures)


def _key(facts: Mapping[str, Any]) -> dict[str, Any]:
    """What a spread depends on; the same key, the same file."""
    torch = (facts.get("versions") or {}).get("torch")
    return {name: facts.get(name) for name in ("host", "cpu", "cpu_cores")} | {"torch": torch}


def _path() -> Path:
    key = json.dumps(_key(environment())).encode()
    return cache_dir(_KIND) / f"{hashlib.sha256(key).hexdigest()[:16]}.json"
