"""A record goes to disk and into the store, without secrets."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from asr_scaling.core.cautions import NOT_TRACKED, caution
from asr_scaling.core.ports import Sink
from asr_scaling.core.record import RECORD_FILE, RunRecord
from asr_scaling.errors import TrackingError
from asr_scaling.util.redact import redacted

_MEASURED = ("samples", "metrics", "repeats", "transcripts", "loads")
"""Fields of a record that hold what was measured and said: nothing in them is ever a secret."""


def keep(record: RunRecord, folder: Path, sink: Sink | None, parent: str | None) -> RunRecord:
    """Write ``record.json`` and store the record in ``sink``; what is kept has no secrets.

    A record that the store refuses says so, on disk too.
    Raises TrackingError when the disk refuses it, after the store was given it.
    """
    record = redacted(record, but=_MEASURED)
    refused = _written(record, folder)
    try:
        if sink is not None:
            sink.write(record, folder, parent)
    except (TrackingError, OSError) as error:
        lost = caution(NOT_TRACKED, reason=str(error))
        record = replace(record, cautions=(*record.cautions, lost))
        refused = _written(record, folder)
    if refused is not None:
        raise TrackingError(
            f"{folder / RECORD_FILE} can't be written ({refused.strerror or refused}): make room "
            "there, or set hydra.sweep.dir; sweep.resume=true goes on with what was measured."
        ) from refused
    return record


def _written(record: RunRecord, folder: Path) -> OSError | None:
    """Write ``record.json``; why it can't be, None where it was."""
    try:
        record.write(folder)
    except OSError as error:
        return error
    return None
