"""What was measured on this machine earlier, for how much times differ between its processes.

The cache has a file for each machine, with figures of processes: those of the self-test's stand-in
and of systems that were measured. machine/machine_history.py says what they show together.
"""

from __future__ import annotations

import hashlib
import json
import math
import statistics
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from asr_scaling.core.checksum import signed, verified
from asr_scaling.core.earlier import Earlier
from asr_scaling.core.record import RunRecord
from asr_scaling.core.sample import Sample
from asr_scaling.core.typed_json import build, read
from asr_scaling.core.usual_state import usual_state
from asr_scaling.machine.environment import environment
from asr_scaling.machine.interference import by_input
from asr_scaling.util.cache import alone, cache_dir, write_atomic

SELF_TEST = "self-test"
"""Names the self-test's stand-in among the systems."""
MOST = 300
"""Entries that are kept: the newest."""
_KIND = "spread"


def note(record: RunRecord) -> None:
    """Keep what the processes of ``record`` showed, for later.

    The figure of a process is the mean over the inputs that all its processes timed of the
    logarithm of their median time. Nothing is kept of a failed record, of one of another machine,
    or of one that timed on an accelerator, whose times differ by other causes.
    """
    here = record.status == "ok" and _key(record.environment) == _key(environment())
    if not here or record.device != "cpu" or not record.samples:
        return
    inputs = _common(record.samples)
    speech = hashlib.sha256(json.dumps(inputs).encode()).hexdigest()[:12]
    logs, states = _figures(record.samples, inputs), _states(record)
    if logs:
        known_states = states if len(states) == len(logs) else ()
        add(Earlier(record.identity, record.started_at, logs, speech, known_states))


def add(entry: Earlier) -> None:
    """Keep ``entry``; one of the same system and time is replaced.

    Where the cache can't be written nothing is kept: it is of use for later sweeps only.
    """
    with suppress(OSError):
        _add(_path(), entry)


def _add(path: Path, entry: Earlier) -> None:
    with alone(_KIND, path.stem):
        others = [e for e in entries() if (e.timed, e.at) != (entry.timed, entry.at)]
        newest = sorted([*others, entry], key=lambda e: e.at)[-MOST:]
        kept = {"key": _key(environment()), "entries": [asdict(e) for e in newest]}
        write_atomic(path, json.dumps(signed(kept), indent=1).encode())


def entries() -> list[Earlier]:
    """What is kept of this machine; nothing where the file is missing or damaged."""
    try:
        data = verified(read(_path()))
        if data["key"] != _key(environment()):
            return []
        return [kept for entry in data["entries"] if (kept := _entry(entry)) is not None]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return []


def _entry(row: Any) -> Earlier | None:
    """None for an entry of a version that kept something else."""
    try:
        return build(Earlier, row)
    except TypeError:
        return None


def _common(samples: Sequence[Sample]) -> list[tuple[str, ...]]:
    """Inputs that every process timed, in a fixed order."""
    timed: dict[int, set[tuple[str, ...]]] = {}
    for sample in samples:
        timed.setdefault(sample.process, set()).add(sample.utterances)
    return sorted(set.intersection(*timed.values()))


def _states(record: RunRecord) -> tuple[Mapping[str, float], ...]:
    """The median state of each process."""
    processes = sorted({sample.process for sample in record.samples})
    found = [usual_state(b for b in record.beats if b.process == number) for number in processes]
    return tuple(found) if all(found) else ()


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
