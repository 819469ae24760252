"""The turns as files: RTTM of what was found, and one JSON file with the references' too."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from asr_scaling.profiler._turns.recordings import Recording
from asr_scaling.util.cache import write_atomic

TABLE = "turns.json"
MOST_FILES = 100
"""Recordings that get an RTTM file of their own; the rest is in the table only."""


def write_files(folder: Path, recordings: Sequence[Recording]) -> tuple[str, ...]:
    """Write ``turns.json`` and, for each recording, ``turns-<n>.rttm``; returns their names.

    The table has id → seconds of audio, the turns of the reference, those found, and the name of
    the RTTM file, numbered from 1.
    """
    table: dict[str, dict[str, Any]] = {}
    names: list[str] = []
    for recording in recordings:
        row: dict[str, Any] = {"audio_s": recording.audio_s}
        if len(names) < MOST_FILES:
            row["rttm"] = f"turns-{len(names) + 1}.rttm"
            names.append(row["rttm"])
            _write(folder / row["rttm"], rttm(recording))
        row["reference"] = [asdict(turn) for turn in recording.reference]
        row["found"] = [asdict(turn) for turn in recording.found]
        table[recording.id] = row
    _write(folder / TABLE, json.dumps(table, indent=1, ensure_ascii=False) + "\n")
    return (TABLE, *names)


def rttm(recording: Recording) -> str:
    """The turns found, in the order of their starts: NIST's Rich Transcription Time Marked format.

    The name of a speaker who is not known is "unknown"; spaces in names become "_".
    """
    lines = [
        f"SPEAKER {_one_word(recording.id)} 1 {turn.start_s:.3f} {turn.duration_s:.3f} <NA> <NA> "
        f"{_one_word(turn.speaker or 'unknown')} <NA> <NA>\n"
        for turn in sorted(recording.found, key=lambda turn: (turn.start_s, turn.end_s))
    ]
    return "".join(lines)


def _one_word(name: str) -> str:
    return "_".join(name.split()) or "_"


def _write(path: Path, text: str) -> None:
    write_atomic(path, text.encode(errors="backslashreplace"))  # half surrogates, of file names
