"""The files that options name, by whatever key, as far as a point's identity needs them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from asr_scaling.core.record import RECORD_FILE
from asr_scaling.util.cache import cache_root
from asr_scaling.util.files import user_path

_WRITTEN = ("tracking", "sweep", "hydra", "optimiser")
"""Groups of options that say where results go, and how a sweep is run."""
_NO_PATHS = ("_target_", "experiment")
"""Options of tracking that name no file."""
_OWN_FILES = ("sweep.json", RECORD_FILE)
"""Folders with one of these are results."""
_BESIDE = ("", "-wal", "-shm", "-journal", ".lock")
"""Ends of the files that a store writes beside its own."""

NamedFile = tuple[str, int, int]
"""Path, size in bytes and time of change in nanoseconds."""


def named_files(
    options: Mapping[str, Any], speech: Sequence[Path] | None = None
) -> list[NamedFile]:
    """Every file that an option names, or that is below a folder which one names.

    An option names a file or folder when its value, or an entry of it at any depth, is a text that
    is the path of one, relative to the working directory or with ``~``. Links are followed.
    Results are left out where they lie below such a folder: those of a sweep or a point, what
    ``tracking`` names, and the cache.

    speech: the files that the dataset reads; they count instead of all that is below the folders
        that its options name. None where it does not say.

    Raises OSError when a file can't be examined.
    """
    results = set(_results(options))
    shaping = {group: value for group, value in options.items() if group not in _WRITTEN}
    found: dict[str, NamedFile] = {}
    named = [
        path
        for group, value in shaping.items()
        for text in _texts(value)
        for path in _files(text, results, below=group != "dataset" or speech is None)
    ]
    for path in (*named, *map(str, speech or ())):
        status = os.stat(path)
        found[path] = (path, status.st_size, status.st_mtime_ns)
    return sorted(found.values())


def _texts(value: Any) -> Iterator[str]:
    """Every text in ``value``, at any depth."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, entry in value.items():
            if key != "_target_":
                yield from _texts(entry)
    elif isinstance(value, (list, tuple)):
        for entry in value:
            yield from _texts(entry)


def _results(options: Mapping[str, Any]) -> Iterator[str]:
    """Where results and the cache are, as absolute paths."""
    yield os.path.abspath(cache_root())
    tracking = options.get("tracking")
    for key, value in tracking.items() if isinstance(tracking, Mapping) else ():
        if key not in _NO_PATHS:
            for text in _texts(value):
                place = os.path.abspath(user_path(text.removeprefix("sqlite:///")))
                yield from (f"{place}{end}" for end in _BESIDE)


def _files(text: str, results: Iterable[str], below: bool) -> Iterator[str]:
    """The path of the file that ``text`` names, or those ``below`` the folder that it names."""
    place = str(user_path(text)) if text.strip() else ""
    try:
        folder, file = os.path.isdir(place), os.path.isfile(place)
    except ValueError:  # a null character
        return
    if file:
        yield place
    if not (below and folder) or os.path.realpath(place) == os.path.sep:
        return
    seen: set[str] = set()
    for path, folders, names in os.walk(place, followlinks=True):
        real = os.path.realpath(path)
        inner = path != place
        if real in seen or (inner and any(name in names for name in _OWN_FILES)):
            folders.clear()
            continue
        seen.add(real)
        folders[:] = [
            name for name in folders if os.path.join(os.path.abspath(path), name) not in results
        ]
        for name in names:
            inside = os.path.join(path, name)
            if os.path.abspath(inside) not in results and os.path.isfile(inside):
                yield inside
