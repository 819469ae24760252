"""Sources of a report → its points: a record is in memory only while its point is made."""

from __future__ import annotations

from collections.abc import Sequence

from asr_scaling.analysis.points import Point, to_point
from asr_scaling.analysis.system_names import named
from asr_scaling.records.read import Damaged
from asr_scaling.records.record_sources import records_of


def points(
    sources: Sequence[str], uri: str | None = None, damaged: Damaged | None = None
) -> list[Point]:
    """The points of ``sources`` (records/record_sources.py), in their order, told apart by name.

    uri: MLflow's store, if another than where none is named.
    damaged: takes what can't be read, and the rest is read.
    Raises ConfigError, DataError or TrackingError when a source can't be read or has no record.
    """
    return named(
        to_point(record, again)
        for source in sources
        for record, again in records_of(source, uri, light=True, damaged=damaged)
    )
