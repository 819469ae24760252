"""The process that launches: it waits for every point, and records those that were lost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from importlib import import_module
from itertools import takewhile
from typing import Any

from asr_scaling.core.record import RECORD_FILE, RunRecord
from asr_scaling.errors import AsrScalingError, PointInterruptedError
from asr_scaling.launchers.work import Cluster, Work, runs_elsewhere
from asr_scaling.measure.keep import keep
from asr_scaling.measure.record_builder import lost
from asr_scaling.measure.signals import sigterm_interrupts
from asr_scaling.sweep.sweep_run import ENDED, SweepRun

_CLUSTERS = {"slurm": "Slurm", "ray": "Ray", "joblib": "Joblib"}
_CANCELLED = "cancelled by the user before it ended"
_SILENT = "its process ended well and left no record"


@dataclass(frozen=True)
class _Seen:
    """What is where a point's record belongs.

    file: inode and time of change of the record's file; both differ whenever it is written anew.
    """

    file: tuple[int, int] | None = None
    record: RunRecord | None = None

    @classmethod
    def of(cls, work: Work) -> _Seen:
        path = work.folder / RECORD_FILE
        try:
            status = path.stat()
            return cls((status.st_ino, status.st_mtime_ns), RunRecord.read(path))
        except (OSError, AsrScalingError):
            return cls()


def launch(sweep: SweepRun, name: str, options: Mapping[str, Any], works: Sequence[Work]) -> None:
    """Have the cluster of that ``name`` measure ``works``.

    When this returns, and after KeyboardInterrupt too, each has a record, also in the store. Rounds
    of points are measured one after the other, each in a new process; after KeyboardInterrupt,
    which SIGTERM raises too, those that had not begun have no record. When a sweep is resumed,
    neighbouring rounds that already have a finished record are given to one process, which checks
    whether these records still hold. At the first that does not hold, it measures that round and
    ends; a new process goes on with the next.

    Raises ConfigError or MissingExtraError before anything is launched.
    """
    for work in works:
        sweep.claim(work.folder, work.name)
    if not any("round" in work.options["sweep"] for work in works):
        _carry_out(sweep, name, options, works)
        return
    left = list(works)
    try:
        with sigterm_interrupts():
            while left:
                some = list(takewhile(_ended_before, left)) or left[:1]
                left = left[_carry_out(sweep, name, options, some, until_measured=True) :]
    except PointInterruptedError:
        raise KeyboardInterrupt from None


def _ended_before(work: Work) -> bool:
    """Whether an earlier run of the sweep left a record that may hold still."""
    record = _Seen.of(work).record if work.resumed else None
    return record is not None and record.status in ENDED


def _carry_out(
    sweep: SweepRun,
    name: str,
    options: Mapping[str, Any],
    works: Sequence[Work],
    until_measured: bool = False,
) -> int:
    """See to it that each of the ``works`` has a record, whatever ends it; returns how many ended.

    until_measured: those behind the first one that is measured are left for another call.
    """
    kind = getattr(import_module(f"asr_scaling.launchers.{name}"), _CLUSTERS[name])
    cluster: Cluster = kind(**options)
    left = {work.folder: (work, _Seen.of(work)) for work in works}
    here = not runs_elsewhere(name)
    sweep.display.begin(works[0].name if len(works) == 1 else "")
    try:
        with closing(cluster.run(works)) as ends:
            for work, reason in ends:
                measured = _ended(sweep, work, reason, left.pop(work.folder)[1], here)
                if until_measured and measured:
                    break
    except (KeyboardInterrupt, PointInterruptedError):
        for work, before in list(left.values())[: 1 if until_measured else None]:
            _ended(sweep, work, _CANCELLED, before, here)
        raise
    return len(works) - len(left)


def _ended(sweep: SweepRun, work: Work, reason: str | None, before: _Seen, here: bool) -> bool:
    """See to the record of a point whose process has ended; returns False if it is an earlier one.

    reason: what went wrong, None where the process ended well.
    before: what was there before it was launched.
    here: whether it ran on this machine.
    """
    now = _Seen.of(work)
    record, old = now.record, now.file == before.file
    if old and work.resumed and not reason and record is not None:
        old = False  # a job of an earlier run, which was waited for, had just written it
    if record is None or old:
        reason = reason or _SILENT
        if work.resumed and record is not None and record.status in ENDED:
            sweep.failed = True  # the record stays; resuming once more looks at it again
            sweep.display.say(f"{work.name}: {reason}; its earlier record is kept, unchecked.")
            return True
        missing = lost(work.name, reason, work.options, host_known=here)
        record = keep(missing, work.folder, sweep.sink, sweep.parent)
    reused = before.record is not None and record.started_at == before.record.started_at
    if reused:
        sweep.display.reused(record)
    else:
        sweep.display.end(record)
    sweep.display.begin("")  # points may overlap: the time left is learnt from how fast they end
    return not reused
