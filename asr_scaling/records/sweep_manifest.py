"""The manifest of a sweep, ``sweep.json``, by which it is found, resumed and stored."""

from __future__ import annotations

import json
import platform
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from asr_scaling.core.checksum import signed, verified
from asr_scaling.core.typed_json import build, finite, read
from asr_scaling.errors import DataError
from asr_scaling.util.cache import write_atomic
from asr_scaling.util.redact import redact

SWEEP_FILE = "sweep.json"
RUNNING = "RUNNING"
_CLOSED = '\n "closed": true'
_NOT_PART = ("sweep.resume=", "hydra.sweep.dir=", "-m", "--multirun")
"""Arguments that say how to run a command, not what it measures."""


@dataclass(frozen=True)
class SweepManifest:
    """What is written down of a sweep.

    command: the arguments, sorted.
    points: what tells each point from the others, in the order in which they are measured.
    parent: the token that the sink gave for the sweep.
    tracking: the sink's options.
    sweep_id: what the sweep is known by in every store.
    options: the sweep's options, as the sink has them.
    host: name of the machine where the client runs.
    status: how the client ended, "RUNNING" until it did.
    closed: whether the store knows how it ended.
    """

    command: tuple[str, ...]
    points: tuple[str, ...] = ()
    parent: str | None = None
    tracking: Mapping[str, Any] | None = None
    sweep_id: str = field(default_factory=lambda: uuid.uuid4().hex)
    options: Mapping[str, Any] = field(default_factory=dict)
    host: str = field(default_factory=platform.node)
    status: str = RUNNING
    closed: bool = False

    @property
    def here(self) -> bool:
        """Whether its client ran on this machine."""
        return self.host == platform.node()

    def write(self, folder: Path) -> None:
        """Write the file into ``folder``, whole or not at all."""
        values = signed(finite(asdict(self)))
        text = json.dumps(values, indent=1, allow_nan=False, ensure_ascii=False, default=str)
        write_atomic(folder / SWEEP_FILE, text.encode(errors="backslashreplace"))

    @classmethod
    def read(cls, folder: Path) -> SweepManifest | None:
        """The manifest of ``folder``, or None when it has none.

        Raises DataError when it can't be read.
        """
        path = folder / SWEEP_FILE
        if not path.exists():
            return None
        try:
            return build(cls, verified(read(path)))
        except (OSError, ValueError, TypeError, AttributeError) as error:
            raise DataError(
                f"{path} can't be read ({error}): begin the sweep anew, without sweep.resume."
            ) from error


def mark_ended(folder: Path, status: str, closed: bool) -> None:
    """Write into the manifest how the sweep ended, and whether the store knows.

    Nothing is written where the manifest is gone or damaged.
    """
    try:
        manifest = SweepManifest.read(folder)
    except DataError:
        return
    if manifest is not None:
        replace(manifest, status=status, closed=closed).write(folder)


def not_closed(root: Path) -> Iterator[tuple[Path, SweepManifest]]:
    """The sweeps in <root>/<day>/<time> whose end the store may not know.

    Closed ones are told by their text, without parsing: there may be thousands.
    """
    for path in root.glob(f"*/*/{SWEEP_FILE}"):
        try:
            if _CLOSED in path.read_text(encoding="utf-8"):
                continue
            manifest = SweepManifest.read(path.parent)
        except (OSError, ValueError, DataError):
            continue
        if manifest is not None:
            yield path.parent, manifest


def command(arguments: Sequence[str]) -> tuple[str, ...]:
    """The arguments by which two command lines are the same sweep, without secrets."""
    kept = (text for text in arguments if not text.lstrip("+").startswith(_NOT_PART))
    return tuple(sorted(redact(argument) for argument in kept))


def latest(root: Path, arguments: Sequence[str]) -> Path | None:
    """The folder below ``root`` of the newest sweep of this command line, or None."""
    wanted = command(arguments)
    sweeps: list[tuple[float, Path]] = []
    for path in root.glob(f"**/{SWEEP_FILE}"):
        try:
            manifest = SweepManifest.read(path.parent)
        except DataError:
            continue  # a damaged one is no sweep to go on with
        if manifest is not None and manifest.command == wanted:
            sweeps.append((path.stat().st_mtime, path.parent))
    return max(sweeps)[1] if sweeps else None
