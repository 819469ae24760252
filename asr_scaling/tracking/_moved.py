"""A project's folder that was moved or copied: its database says where the artifacts were.

MLflow writes an experiment's place for artifacts down as a whole path. In a copied project new
artifacts would go to the original; in a moved one to a folder that is made anew. MLflow has no
request to change that, so it is changed in the database, of this project only.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

DATABASE = "asr_scaling.database"
"""Tag of an experiment: path of the database when the place of its artifacts was written."""
_PLACES = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("trace_tags", "value"),
)
"""Tables and columns in which MLflow has places of artifacts."""


def local(location: str) -> Path | None:
    """The folder that a location names; None for one that is not on this machine."""
    parts = urlsplit(location)
    if parts.scheme not in ("", "file") or parts.netloc:
        return None
    return Path(unquote(parts.path) if parts.scheme else location)


def follow(experiment: Any, database: Path, artifacts: Path) -> bool:
    """Bring the database up to date where it was moved or copied with the artifacts beside it.

    Earlier runs are then found too. True where anything was changed.

    experiment: as MLflow gives it.
    database: path of the file.
    artifacts: where a new experiment of that name would have its artifacts.

    Raises sqlite3.Error where it can't be written.
    """
    old = local(str(experiment.artifact_location))
    new = _place_now(old, experiment.tags.get(DATABASE), database, artifacts) if old else None
    if old is None or new is None or new == old or (old.exists() and not new.exists()):
        return False
    before, after = str(experiment.artifact_location), new.as_uri()
    with closing(sqlite3.connect(database, timeout=30)) as file, file:
        for table, column in _PLACES:
            file.execute(
                f"UPDATE {table} SET {column} = ? || substr({column}, ?)"
                f" WHERE {column} = ? OR substr({column}, 1, ?) = ?",
                (after, len(before) + 1, before, len(before) + 1, f"{before}/"),
            )
        row = (DATABASE, str(database), int(experiment.experiment_id))
        file.execute(
            "INSERT OR REPLACE INTO experiment_tags (key, value, experiment_id) VALUES (?, ?, ?)",
            row,
        )
    return True


def _place_now(old: Path, said: str | None, database: Path, artifacts: Path) -> Path | None:
    """Where the artifacts in ``old`` are now; None where nothing was moved.

    said: where the database was when ``old`` was written; None in a database of an older version.
    """
    if said is not None:
        before = Path(said)
        if before == database or (before.exists() and before.samefile(database)):
            return None
        beside = old.is_relative_to(before.parent)
        return database.parent / old.relative_to(before.parent) if beside else None
    original = old.parents[1] / database.name if len(old.parents) > 1 else old
    moved = not old.exists() or original.exists()
    return artifacts if moved and artifacts.is_dir() else None
