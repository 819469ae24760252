"""Sweeps whose client is gone without having ended them: their runs don't stay running for ever."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from asr_scaling.core.ports import Ending
from asr_scaling.records.sweep_lock import Hold
from asr_scaling.records.sweep_manifest import RUNNING, SweepFile, ended, not_closed


def end_stale(root: Path, sink: Any, tracking: Mapping[str, Any] | None) -> None:
    """End in ``sink``, whose options are ``tracking``, the sweeps below ``root`` whose client on this machine is gone.

    TrackingError. Their records stay on disk, for ``sweep.resume`` and ``asr_scaling sync``.
    """
    if not isinstance(sink, Ending):
        return
    for folder, file in not_closed(root):
        if file.tracking != tracking or not file.here or (hold := Hold.take(folder)) is None:
            continue
        try:
            if hold.sure:
                sink.end(file.parent or file.sweep_id, file.sweep_id, last_status(file))
                ended(folder, last_status(file), closed=True)
        finally:
            hold.release()


def last_status(file: SweepFile) -> str:
    """How a sweep ended whose client is gone."""
    return "KILLED" if file.status == RUNNING else file.status
