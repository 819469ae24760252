"""A new SQLite database that appears whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

_SCHEME = "sqlite:///"


def database(uri: str) -> Path | None:
    """The file of an SQLite store; None for any other store."""
    file = Path(uri.removeprefix(_SCHEME).partition("?")[0])
    return file.resolve() if uri.startswith(_SCHEME) else None


def missing_database(uri: str) -> Path | None:
    """The file of an SQLite store that is not there yet; None for any other store."""
    file = Path(uri.removeprefix(_SCHEME).partition("?")[0])
    return file if uri.startswith(_SCHEME) and not file.exists() else None


def make_whole(file: Path, fill: Callable[[str], object]) -> None:
    """Have ``fill`` make the database at an address beside ``file``, then move it there.

    So a process that is killed while MLflow makes its tables leaves no unusable database. Of two
    processes that do this at once, the first wins.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    fresh = file.with_name(f".{file.name}-{os.getpid()}")
    try:
        fill(f"{_SCHEME}{fresh}")
        os.link(fresh, file)
    except FileExistsError:
        return
    finally:
        fresh.unlink(missing_ok=True)
