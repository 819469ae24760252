"""How a sweep ends in its store: closed by its client, or by another process once that is gone."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from asr_scaling.core.ports import ANSWER_FILE, RunStore, Sink
from asr_scaling.records.sweep_lock import SweepLock
from asr_scaling.records.sweep_manifest import RUNNING, SweepManifest, mark_ended, not_closed

_FILES = ("certificate*.json", ANSWER_FILE, "recommended.yaml", "report")
"""What is stored with a sweep: certificates of the machines that measured, the answer, a search's
YAML of it, and the report."""


def close_sweep(sink: Sink, folder: Path, parent: str, status: str) -> None:
    """End the sweep's run ``parent``, with its files, and write down that the store knows of it.

    Raises TrackingError when the store fails; the manifest then says that the sweep is not closed.
    """
    mark_ended(folder, status, closed=False)
    sink.close(parent, status, closing_files(sink, folder, parent))
    mark_ended(folder, status, closed=True)


def closing_files(sink: Sink, folder: Path, parent: str) -> list[Path]:
    """Files and folders of a sweep that are stored with its run when it ends."""
    files = [path for pattern in _FILES for path in sorted(folder.glob(pattern))]
    points = sink.points_file(folder, parent) if isinstance(sink, RunStore) else None
    return [*files, points] if points else files


def end_abandoned(root: Path, sink: Sink | None, tracking: Mapping[str, Any] | None) -> None:
    """End the sweeps in <root>/<day>/<time> whose client ran on this machine and is gone.

    Their records stay on disk, for ``sweep.resume`` and ``asr_scaling sync``. Only sweeps of
    the same store are ended: ``tracking`` are the options of ``sink``.

    Raises TrackingError when the store fails.
    """
    if not isinstance(sink, RunStore):
        return
    for folder, manifest in not_closed(root):
        if manifest.tracking != tracking or not manifest.here:
            continue
        try:
            lock = SweepLock.take(folder)
        except OSError:  # of another user, or on a disk that may only be read
            continue
        if lock is None:
            continue
        try:
            if lock.sure:
                status, known_by = last_status(manifest), manifest.parent or manifest.sweep_id
                sink.end(known_by, manifest.sweep_id, status)
                mark_ended(folder, status, closed=True)
        finally:
            lock.release()


def last_status(manifest: SweepManifest) -> str:
    """The status of a sweep whose client is gone: one that did not end was killed."""
    return "KILLED" if manifest.status == RUNNING else manifest.status
