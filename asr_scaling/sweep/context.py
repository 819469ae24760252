"""The sweep that this process takes part in: its store, its display, its certificate, and how it ends."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from asr_scaling.core.record import RECORD_FILE, RunRecord
from asr_scaling.errors import AsrScalingError, ConfigError, TrackingError
from asr_scaling.measure.model_cache import Shelf
from asr_scaling.records.ending import close_sweep, end_abandoned
from asr_scaling.records.sweep_lock import SweepLock
from asr_scaling.records.sweep_manifest import SWEEP_FILE, SweepManifest
from asr_scaling.sweep.interleave import Rounds, merge_rounds
from asr_scaling.tracking import as_tracked, untracked

SWEEPS = Path("multirun")
"""Where sweeps are, unless the options say otherwise."""
ENDED = ("ok", "out_of_memory")
"""What a point that is measured again would come to again."""
_NODE = "certificate-"
"""Begins the name of the certificate of a machine that isn't the one the sweep was started on."""


class State:
    """One sweep at a time, so one of each."""

    command: tuple[str, ...] = ()
    parent: str | None = None
    folder: Path | None = None
    sink: Any = None
    display: Any = None
    rounds: Rounds | None = None
    certificate: Mapping[str, Any] | None = None
    hold: SweepLock | None = None
    remarks: Sequence[str] = ()
    report: bool = False
    failed: bool = False
    shelf: Shelf | None = None

    @classmethod
    def begin(cls, folder: Path, file: SweepManifest, earlier: SweepManifest | None) -> str | None:
        """Begin the sweep of ``file`` in the sink, or go on with an ``earlier`` one; the sink's token for its points.

        The folder belongs to this process from here on, and its file is there before the store has a run. ConfigError
        when another process works on it, TrackingError when the store is away.
        """
        cls.hold = SweepLock.take(folder)
        if cls.hold is None:
            raise ConfigError(
                f"The sweep in {folder} is being worked on by another process: wait for it, or end it."
            )
        if earlier is not None:
            file = replace(file, sweep_id=earlier.sweep_id, parent=earlier.parent)
        file.write(folder)
        if cls.sink is None:
            return None
        token = (earlier.parent or earlier.sweep_id) if earlier else None
        try:
            options = {**file.options, "sweep_id": file.sweep_id}
            parent = str(cls.sink.open(f"{folder.parent.name} {folder.name}", options, token))
        except AsrScalingError:
            if earlier is None:
                (folder / SWEEP_FILE).unlink(missing_ok=True)  # nothing to go on with
            raise
        replace(file, parent=parent).write(folder)
        with suppress(TrackingError):  # the next sweep tries again
            end_abandoned(SWEEPS, cls.sink, file.tracking)
        return parent

    @classmethod
    def certify(cls, folder: Path) -> dict[str, Any]:
        """Have the self-test's certificate, a new one or a day's old, and store it with the sweep; its summary."""
        from asr_scaling.selftest import certificate
        from asr_scaling.util.cache import write_atomic

        found = certificate.obtain(cls.display.say)
        write_atomic(folder / certificate.FILE, certificate.to_bytes(found))
        cls.remarks = certificate.remarks(found)
        return certificate.summary(found)

    @classmethod
    def certify_node(cls, folder: Path) -> dict[str, Any]:
        """The same in a process that measures elsewhere: of its own machine, one process of which tests at a time."""
        from asr_scaling.selftest import certificate
        from asr_scaling.util.cache import alone, write_atomic

        with alone("selftest", socket.gethostname()):
            found = certificate.obtain(lambda line: None)
        write_atomic(folder / f"{_NODE}{socket.gethostname()}.json", certificate.to_bytes(found))
        return certificate.summary(found)

    @classmethod
    def finish(cls, status: str) -> None:
        """Show the table, write the report, end the parent run. Nothing happens the second time."""
        display, folder, sink, parent = cls.display, cls.folder, cls.sink, cls.parent
        cls.display = cls.folder = cls.sink = cls.parent = None
        if cls.shelf is not None:
            cls.shelf.clear()
        if display is None or folder is None:
            return
        from asr_scaling.records.read import Damaged, readable_records

        display.close()
        cls._nodes(folder)
        title = f"of {display.total} points"
        if cls.rounds is not None:
            merge_rounds(folder, sink, parent)
            title = f"of {display.total // cls.rounds.count} points in {cls.rounds.count} rounds"
        damaged: Damaged = []
        records = readable_records(folder, damaged)
        tracked = not any(map(untracked, records))
        cls.failed = cls.failed or bool(damaged) or not tracked or any(map(_failed, records))
        hints = [
            f"Records: {folder}",
            *(f"Left out: {error}" for error in damaged),
            *cls._reported(folder),
        ]
        if sink is not None and parent is not None:
            try:
                close_sweep(sink, folder, parent, status)
                hints.append(sink.hint)
            except AsrScalingError as error:
                tracked, cls.failed = False, True
                hints.append(str(error))
            if not tracked:
                hints.append(
                    f"What MLflow lacks is brought to it by  python -m asr_scaling sync {folder}"
                )
        if cls.hold is not None:
            cls.hold.release()
        display.results(records, f"{len(records)} {title}", hints, cls.remarks)

    @classmethod
    def _nodes(cls, folder: Path) -> None:
        """Take in the certificates that nodes left in ``folder``."""
        from asr_scaling.selftest import certificate

        for path in sorted(folder.glob(f"{_NODE}*.json")):
            host, found = path.stem.removeprefix(_NODE), json.loads(path.read_bytes())
            cls.remarks = (
                *cls.remarks,
                *(f"{host}: {remark}" for remark in certificate.remarks(found)),
            )

    @classmethod
    def _reported(cls, folder: Path) -> list[str]:
        """Write the report of the sweep; where to find it, or how to have it."""
        if not cls.report:
            return [f"Report: python -m asr_scaling report {folder}"]
        from asr_scaling.analysis.load import points
        from asr_scaling.analysis.recommendation.scenarios import Budgets
        from asr_scaling.records.read import Damaged
        from asr_scaling.report.build import document, first_words, write
        from asr_scaling.search.measured import outcome_of

        try:
            damaged: Damaged = []
            found = points([str(folder)], damaged=damaged)
            made = document(found, Budgets(), outcome_of([str(folder)]), damaged)
            page, *_ = write(made, found, folder / "report")
        except Exception as error:  # whatever a report trips over, the records are there
            cls.failed = True
            return [
                f"The report failed ({type(error).__name__}: {error}): python -m asr_scaling report {folder}"
            ]
        return [first_words(made), f"Report: {page}"]


def goes_on(display: Any) -> bool:
    """After Ctrl-C: whether the sweep goes on. A second one within two seconds ends it, and so does the last point."""
    if display.points_left <= 1:
        return False
    display.say(
        "Interrupted this point; the sweep goes on. Press Ctrl-C again within 2 s to end it."
    )
    try:
        time.sleep(2)
    except KeyboardInterrupt:
        return False
    return True


def measured_before(folder: Path, identity: str) -> RunRecord | None:
    """The record that an earlier, cut sweep left of this very point; None when it has to be measured."""
    path = folder / RECORD_FILE
    if not path.exists():
        return None
    try:
        record = RunRecord.read(path)
    except AsrScalingError as error:
        if State.display is not None:
            State.display.say(f"{path.parent.name} is measured again: {error}")
        return None
    if record.identity != identity or record.status not in ENDED:
        return None
    return as_tracked(record)


def _failed(record: RunRecord) -> bool:
    """Whether the sweep failed with it; a candidate of a search that can't run is an answer, and its report says so."""
    searched = (record.config.get("optimiser") or {}).get("stage") in ("alone", "together")
    return record.status == "interrupted" or (record.status != "ok" and not searched)
