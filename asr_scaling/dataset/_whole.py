"""Whole recordings of a manifest whose lines are stretches of them: each line becomes a turn."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from asr_scaling.core.turns import Turn, text_of
from asr_scaling.dataset._manifest import ManifestEntry
from asr_scaling.dataset._turns_beside import Turned
from asr_scaling.errors import DataError


def whole_recordings(entries: Iterable[ManifestEntry]) -> list[ManifestEntry]:
    """One entry for each file of ``entries``, in the order in which files come first.

    A line without times is a whole recording already.
    Raises DataError where lines of one file can't be its turns.
    """
    files: dict[Path, list[ManifestEntry]] = {}
    for entry in entries:
        files.setdefault(entry.audio, []).append(entry)
    return [_whole(rows) for rows in files.values()]


def _whole(rows: Sequence[ManifestEntry]) -> ManifestEntry:
    first = rows[0]
    if len(rows) == 1 and first.start_s is None:
        return first
    turns = sorted((_turn(row) for row in rows), key=lambda turn: (turn.start_s, turn.end_s))
    speakers = {row.speaker for row in rows}
    languages = {row.language for row in rows}
    return replace(
        first,
        id=first.recording,
        text=text_of(turns),
        speaker=speakers.pop() if len(speakers) == 1 else None,
        language=languages.pop() if len(languages) == 1 else None,
        start_s=None,
        end_s=None,
        claimed_s=None,
        turned=Turned(tuple(turns)),
        extra={key: value for row in rows for key, value in row.extra.items()},
    )


def _turn(row: ManifestEntry) -> Turn:
    """The turn that a line says."""
    if row.turned.files:
        raise DataError(
            f"{row.where}: it is a turn itself and names a file of turns; leave one of them out, "
            "or set dataset.whole=false."
        )
    if row.start_s is None or row.end_s is None:
        raise DataError(
            f"{row.where}: no time at which it begins and ends in '{row.audio}'; give 'offset' and "
            "'duration', or set dataset.whole=false."
        )
    return Turn(row.start_s, row.end_s, row.speaker, row.text)
