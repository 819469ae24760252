"""``sweep.json``: what the folder of a sweep knows of it, so that it can be found, resumed, stored and reported."""

from __future__ import annotations

import json
import platform
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from asr_scaling.core.checksum import signed, verified
from asr_scaling.core.schema import build, finite, read
from asr_scaling.errors import DataError
from asr_scaling.util.cache import write_atomic
from asr_scaling.util.redact import redact

SWEEP_FILE = "sweep.json"
RUNNING = "RUNNING"
_MLFLOW = "asr_scaling.tracking.mlflow.Mlflow"
_CLOSED = '\n "closed": true'
_NOT_PART = ("sweep.resume=", "hydra.sweep.dir=", "-m", "--multirun")
"""Arguments that say how to run a command, not what it measures."""


@dataclass(frozen=True)
class SweepFile:
    """``command``: the arguments, sorted. ``points``: what tells each from the others, in the order they are measured.

    ``parent``: the sink's token. ``tracking``: the sink's options. ``sweep_id``: what it is known by in every store.
    ``options``: of the sweep, as the sink has them. ``host``: where the client runs. ``status``: how the client ended,
    "RUNNING" until it did. ``closed``: whether the store knows that.
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
    def store(self) -> dict[str, Any] | None:
        """Options of the store in MLflow that the sweep is tracked in, None when it is tracked elsewhere or nowhere."""
        found = self.tracking or {}
        return (
            {k: v for k, v in found.items() if k != "_target_"}
            if found.get("_target_") == _MLFLOW
            else None
        )

    @property
    def here(self) -> bool:
        """Whether its client ran on this machine."""
        return self.host == platform.node()

    def write(self, folder: Path) -> None:
        """Into ``folder``, whole or not at all."""
        values = signed(finite(asdict(self)))
        text = json.dumps(values, indent=1, allow_nan=False, ensure_ascii=False, default=str)
        write_atomic(folder / SWEEP_FILE, text.encode(errors="backslashreplace"))

    @classmethod
    def read(cls, folder: Path) -> SweepFile | None:
        """The file of ``folder``, None when it has none. DataError when it can't be read."""
        path = folder / SWEEP_FILE
        if not path.exists():
            return None
        try:
            return build(cls, verified(read(path)))
        except (OSError, ValueError, TypeError, AttributeError) as error:
            raise DataError(
                f"{path} can't be read ({error}): begin the sweep anew, without sweep.resume."
            ) from error


def ended(folder: Path, status: str, closed: bool) -> None:
    """Write into the sweep's file how it ended, and whether the store knows; not into one that is gone or damaged."""
    try:
        file = SweepFile.read(folder)
    except DataError:
        return
    if file is not None:
        replace(file, status=status, closed=closed).write(folder)


def not_closed(root: Path) -> Iterator[tuple[Path, SweepFile]]:
    """The sweeps in <root>/<day>/<time> whose end the store may not know. Thousands that it does know cost little."""
    for path in root.glob(f"*/*/{SWEEP_FILE}"):
        try:
            if _CLOSED in path.read_text(encoding="utf-8"):
                continue
            file = SweepFile.read(path.parent)
        except (OSError, ValueError, DataError):
            continue
        if file is not None:
            yield path.parent, file


def command(arguments: Sequence[str]) -> tuple[str, ...]:
    """What makes two command lines the same sweep; written down, so without secrets."""
    return tuple(
        sorted(redact(argument) for argument in arguments if not argument.startswith(_NOT_PART))
    )


def latest(root: Path, arguments: Sequence[str]) -> Path | None:
    """The folder below ``root`` of the newest sweep of this command line, None when there is none."""
    wanted, found = command(arguments), list[tuple[float, Path]]()
    for path in root.glob(f"**/{SWEEP_FILE}"):
        try:
            file = SweepFile.read(path.parent)
        except DataError:
            continue  # a damaged one is no sweep to go on with
        if file is not None and file.command == wanted:
            found.append((path.stat().st_mtime, path.parent))
    return max(found)[1] if found else None
