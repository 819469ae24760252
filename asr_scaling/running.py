"""The sweep that this process takes part in: its store, its display, its certificate, and how it ends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from asr_scaling.errors import AsrScalingError
from asr_scaling.keeping import Shelf
from asr_scaling.record import RECORD_FILE, RunRecord
from asr_scaling.rounds import Rounds, merge_rounds

_ENDED = ("ok", "out_of_memory")
"""What a point that is measured again would come to again."""


class State:
    """One sweep at a time, so one of each."""

    command: tuple[str, ...] = ()
    parent: str | None = None
    folder: Path | None = None
    sink: Any = None
    display: Any = None
    rounds: Rounds | None = None
    certificate: Mapping[str, Any] | None = None
    files: Sequence[Path] = ()
    remarks: Sequence[str] = ()
    report: bool = False
    failed: bool = False
    shelf: Shelf | None = None

    @classmethod
    def certify(cls, folder: Path) -> dict[str, Any]:
        """Have the self-test's certificate, a new one or a day's old, and store it with the sweep; its summary."""
        from asr_scaling.cache import write_atomic
        from asr_scaling.selftest import certificate

        found = certificate.obtain(cls.display.say)
        write_atomic(folder / certificate.FILE, certificate.to_bytes(found))
        cls.files, cls.remarks = (folder / certificate.FILE,), certificate.remarks(found)
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
        from asr_scaling.records.read import readable_records

        display.close()
        title = f"of {display.total} points"
        if cls.rounds is not None:
            merge_rounds(folder, sink, parent)
            title = f"of {display.total // cls.rounds.count} points in {cls.rounds.count} rounds"
        records = readable_records(folder)
        tracked = all(c.kind != "NotTracked" for record in records for c in record.cautions)
        cls.failed = cls.failed or not tracked or any(map(_failed, records))
        hints = [f"Records: {folder}", *cls._reported(folder)]
        if sink is not None and parent is not None:
            try:
                sink.close(parent, status, cls.files)
                hints.append(sink.hint)
            except AsrScalingError as error:
                cls.failed = True
                hints.append(str(error))
        display.results(records, f"{len(records)} {title}", hints, cls.remarks)

    @classmethod
    def _reported(cls, folder: Path) -> list[str]:
        """Write the report of the sweep; where to find it, or how to have it."""
        if not cls.report:
            return [f"Report: python -m asr_scaling.report {folder}"]
        from asr_scaling.records.read import Damaged
        from asr_scaling.report.answer.scenarios import Budgets
        from asr_scaling.report.build import document, first_words, write
        from asr_scaling.report.load import points
        from asr_scaling.report.optimise.section import outcome_of

        try:
            damaged: Damaged = []
            found = points([str(folder)], damaged=damaged)
            made = document(found, Budgets(), outcome_of([str(folder)]), damaged)
            page, *_ = write(made, found, folder / "report")
        except Exception as error:  # whatever a report trips over, the records are there
            cls.failed = True
            return [f"The report failed ({type(error).__name__}: {error}): python -m asr_scaling.report {folder}"]
        cls.files = (*cls.files, page.parent)
        return [first_words(made), f"Report: {page}"]


def measured_before(folder: Path, identity: str) -> RunRecord | None:
    """The record that an earlier, cut sweep left of this very point; None when it has to be measured."""
    path = folder / RECORD_FILE
    if not path.exists():
        return None
    try:
        record = RunRecord.read(path)
    except AsrScalingError:
        return None  # damaged: measure it again
    if record.identity != identity or record.status not in _ENDED:
        return None
    return replace(record, cautions=tuple(c for c in record.cautions if c.kind != "NotTracked"))


def _failed(record: RunRecord) -> bool:
    """Whether the sweep failed with it; a candidate of a search that can't run is an answer, and its report says so."""
    searched = (record.config.get("optimiser") or {}).get("stage") in ("alone", "together")
    return record.status == "interrupted" or (record.status != "ok" and not searched)
