"""``sweep.json``: what the folder of a sweep knows of it, so that it can be found, gone on with and reported."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from asr_scaling.cache import write_atomic
from asr_scaling.errors import DataError
from asr_scaling.plain import build, finite, read

SWEEP_FILE = "sweep.json"
_NOT_PART = ("sweep.resume=", "hydra.sweep.dir=", "-m", "--multirun")
"""Arguments that say how to run a command, not what it measures."""


@dataclass(frozen=True)
class SweepFile:
    """``command``: the arguments, sorted. ``points``: what tells each from the others, in the order they are measured.

    ``parent``: the sink's token. ``tracking``: the sink's options.
    """

    command: tuple[str, ...]
    points: tuple[str, ...] = ()
    parent: str | None = None
    tracking: Mapping[str, Any] | None = None

    def write(self, folder: Path) -> None:
        """Into ``folder``, whole or not at all."""
        text = json.dumps(finite(asdict(self)), indent=1, allow_nan=False, ensure_ascii=False, default=str)
        write_atomic(folder / SWEEP_FILE, text.encode(errors="backslashreplace"))

    @classmethod
    def read(cls, folder: Path) -> SweepFile | None:
        """The file of ``folder``, None when it has none. DataError when it can't be read."""
        path = folder / SWEEP_FILE
        if not path.exists():
            return None
        try:
            return build(cls, read(path))
        except (OSError, ValueError, TypeError) as error:
            raise DataError(f"{path} can't be read ({error}): begin the sweep anew, without sweep.resume.") from error


def command(arguments: Sequence[str]) -> tuple[str, ...]:
    """What makes two command lines the same sweep."""
    return tuple(sorted(argument for argument in arguments if not argument.startswith(_NOT_PART)))


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
