"""The folder of two sides that are measured in turn, and how a later command finds it again."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from asr_scaling.core.checksum import signed, verified
from asr_scaling.core.option_checks import writable
from asr_scaling.core.typed_json import read
from asr_scaling.errors import ConfigError
from asr_scaling.machine.environment import environment
from asr_scaling.records.sweep_lock import SweepLock
from asr_scaling.sweep import places
from asr_scaling.sweep.sides import Side
from asr_scaling.util.cache import write_atomic

TURNS_FILE = "turns.json"
_MACHINE = ("host", "cpu", "cpu_cores", "python", "versions")
"""Facts of the environment without which rounds are not those of one measurement."""


def contents(sides: Sequence[Side], overrides: Sequence[str]) -> dict[str, Any]:
    """What the file of a measurement says, by which a later command is the same one."""
    facts = environment()
    return {
        "sides": [{"name": side.name, "state": side.state} for side in sides],
        "overrides": list(overrides),
        "machine": {key: facts[key] for key in _MACHINE},
    }


def latest(root: Path, wanted: dict[str, Any]) -> Path | None:
    """The newest folder below ``root`` whose file says what is ``wanted``, None without one."""
    found = []
    for path in root.glob(f"*/*/{TURNS_FILE}"):
        try:
            said = verified(read(path))
        except (OSError, ValueError, TypeError, AttributeError):
            continue  # a damaged one is nothing to go on with
        if said == wanted:
            found.append((path.stat().st_mtime, path.parent))
    return max(found)[1] if found else None


@contextmanager
def held(folder: Path | None, root: Path, said: dict[str, Any]) -> Iterator[Path]:
    """Yield the folder, a new one below ``root`` where it is None, which no other process has.

    said: what its file says. Raises ConfigError when it can't be written or another process
    works in it.
    """
    with writable(root, "make room, or run the command in another folder"):
        if folder is None:
            now = datetime.now()
            folder = places.next_free(root / f"{now:%Y-%m-%d}" / f"{now:%H-%M-%S}")
            text = json.dumps(signed(said), indent=1, ensure_ascii=False, allow_nan=False)
            write_atomic(folder / TURNS_FILE, text.encode(errors="backslashreplace"))
        lock = SweepLock.take(folder)
    if lock is None:
        raise ConfigError(
            f"Another process measures in {folder}: wait for it, or leave out --resume."
        )
    try:
        yield folder
    finally:
        lock.release()
