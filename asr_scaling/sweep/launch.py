"""The process that launched: waits for every point and writes the record of those that can't write their own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from asr_scaling.core.record import RECORD_FILE, RunRecord
from asr_scaling.errors import AsrScalingError
from asr_scaling.launchers import Cluster, Work, elsewhere
from asr_scaling.measure.job import keep
from asr_scaling.measure.record_builder import lost
from asr_scaling.sweep.context import ENDED, State

_CLUSTERS = {"slurm": "Slurm", "ray": "Ray", "joblib": "Joblib"}
_CANCELLED = "cancelled by the user before it ended"
_SILENT = "its process ended well and left no record"


@dataclass(frozen=True)
class _Seen:
    """What is where a point's record belongs. ``file`` changes whenever it is written: it is a new file every time."""

    file: tuple[int, int] | None = None
    record: RunRecord | None = None

    @classmethod
    def of(cls, work: Work) -> _Seen:
        path = work.folder / RECORD_FILE
        try:
            found = path.stat()
            return cls((found.st_ino, found.st_mtime_ns), RunRecord.read(path))
        except (OSError, AsrScalingError):
            return cls()


def launch(name: str, options: Mapping[str, Any], works: Sequence[Work]) -> None:
    """Have the cluster of that ``name`` measure ``works``: when this returns each has a record, in the sink too.

    ConfigError, MissingExtraError before anything is launched; after KeyboardInterrupt too each has a record.
    """
    cluster: Cluster = getattr(import_module(f"asr_scaling.launchers.{name}"), _CLUSTERS[name])(
        **options
    )
    left = {work.folder: (work, _Seen.of(work)) for work in works}
    here = not elsewhere({"cluster": name})
    if State.display is not None:
        State.display.begin("")
    try:
        with closing(cluster.run(works)) as ends:
            for work, reason in ends:
                _ended(work, reason, left.pop(work.folder)[1], here)
    except KeyboardInterrupt:
        for work, before in left.values():
            _ended(work, _CANCELLED, before, here)
        raise


def _ended(work: Work, reason: str | None, before: _Seen, here: bool) -> None:
    """See to the record of a point whose process has ended; ``before``: what was there before it was launched."""
    now, display = _Seen.of(work), State.display
    record, old = now.record, now.file == before.file
    if old and work.resumed and not reason and record is not None:
        old = False  # a job of an earlier client, which was waited for, had just written it
    if record is None or old:
        reason = reason or _SILENT
        if work.resumed and record is not None and record.status in ENDED:
            State.failed = True  # what was measured stays, and a sweep that goes on once more looks at it again
            if display is not None:
                display.say(f"{work.name}: {reason}; its earlier record is kept, unchecked.")
            return
        found = lost(work.name, reason, work.options, host_known=here)
        record = keep(found, work.folder, State.sink, State.parent)
    if display is None:
        return
    if before.record is not None and record.started_at == before.record.started_at:
        display.reused(record)
    else:
        display.end(record)
    display.begin("")  # the time left is learnt from how fast points end, however many run at once
