"""Reads who spoke when from RTTM, who said what when from STM, and words with their times from CTM.

RTTM: https://catalog.ldc.upenn.edu/docs/LDC2004T12/RTTM-format-v13.pdf. STM and CTM: the manual of
NIST's sclite, https://github.com/usnistgov/SCTK. Comments begin with ";;". A file may hold several
recordings: those of another name are passed over. Channels are not told apart, for audio is mono.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from asr_scaling.core.turns import Turn
from asr_scaling.errors import DataError
from asr_scaling.util.files import read_file

_MAX_BYTES = 1 << 28
_LINE_END = re.compile(r"\r\n|\n|\r")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_UNKNOWN = "<NA>"
_OTHER_TYPES = {
    *("SEGMENT", "NOSCORE", "NO_RT_METADATA", "LEXEME", "NON-LEX", "NON-SPEECH", "FILLER", "EDIT"),
    *("IP", "SU", "CB", "A/P", "SPKR-INFO"),
}
"""Lines of RTTM that don't say who speaks when."""
_UNSCORED = "ignore_time_segment_in_scoring"
_LABEL = re.compile(r"<(NA|[oO]|[^<>\s]*,[^<>\s]*)>")
"""What may stand before the text of STM: the groups that a segment belongs to."""
_ALTERNATIVES = re.compile(r"\{([^{}/]*)/[^{}]*\}")
_NOTHING = "@"
"""An alternative of no words."""
_NO_WORDS = ("non-lex", "misc", "noscore")
"""Types of CTM's tokens that are no words."""

_Rows = list[tuple[str, Turn]]
"""Name of the recording, and a turn of it."""


def read_rttm(path: Path, name: str) -> list[Turn]:
    """Who speaks when in a recording, in the order of starts. Their texts are empty.

    name: the recording's; it need not be the one in the file where that holds one recording only.

    Raises DataError, with its line, for what can't be used.
    """
    rows: _Rows = []
    for where, line in _lines(path):
        fields = line.split()
        kind = fields[0].upper()
        if kind in _OTHER_TYPES:
            continue
        if kind != "SPEAKER":
            raise DataError(
                f"{where}: it begins with '{fields[0]:.20}', which RTTM does not know; write "
                "SPEAKER <recording> 1 <start> <seconds> <NA> <NA> <speaker>."
            )
        _enough(fields, 8, where, "SPEAKER <recording> 1 <start> <seconds> <NA> <NA> <speaker>")
        start_s, for_s = _seconds(fields[3], "start", where), _seconds(fields[4], "length", where)
        rows.append((fields[1], _turn(where, start_s, start_s + for_s, fields[7])))
    return _own(rows, path, name)


def read_stm(path: Path, name: str) -> tuple[list[Turn], int]:
    """Who says what when in a recording, and how many stretches are not to be scored.

    Of alternatives, as in ``{ yes / yeah }``, the first is taken.

    name: as of ``read_rttm``.

    Raises DataError, with its line, for what can't be used.
    """
    rows: _Rows = []
    for where, line in _lines(path):
        fields = line.split(maxsplit=5)
        _enough(fields, 5, where, "<recording> 1 <speaker> <start> <end> <text>")
        start_s, end_s = _seconds(fields[3], "start", where), _seconds(fields[4], "end", where)
        text = fields[5] if len(fields) > 5 else ""
        if label := _LABEL.match(text):
            text = text[label.end() :]
        rows.append((fields[0], _turn(where, start_s, end_s, fields[2], _first_choice(text))))
    own = _own(rows, path, name)
    scored = [turn for turn in own if turn.text.casefold() != _UNSCORED]
    return scored, len(own) - len(scored)


def read_ctm(path: Path, name: str) -> list[Turn]:
    """Every word of a recording as a turn, in the order of starts.

    name: as of ``read_rttm``.

    Raises DataError, with its line, for what can't be used.
    """
    rows: _Rows = []
    for where, line in _lines(path):
        fields = line.split()
        _enough(fields, 5, where, "<recording> 1 <start> <seconds> <word>")
        word = fields[4]
        if word.upper().startswith("<ALT"):
            raise DataError(
                f"{where}: alternatives are not read; keep one of them, without its <ALT…> lines."
            )
        start_s, for_s = _seconds(fields[2], "start", where), _seconds(fields[3], "length", where)
        kind = fields[6].casefold() if len(fields) > 6 else ""
        if kind in _NO_WORDS or word in (_UNKNOWN, _NOTHING, "<eps>"):
            continue
        speaker = fields[7] if len(fields) > 7 else _UNKNOWN
        rows.append((fields[0], _turn(where, start_s, start_s + for_s, speaker, word)))
    return _own(rows, path, name)


def _lines(path: Path) -> Iterator[tuple[str, str]]:
    """Every line with something on it, after where it stands."""
    try:
        text = read_file(path, _MAX_BYTES).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(
            f"'{path.name}' is not UTF-8 ({error.reason}); save it as UTF-8."
        ) from error
    for number, line in enumerate(_LINE_END.split(text), start=1):
        if (plain := line.strip()) and not plain.startswith(";;"):
            yield f"{path.name}, line {number}", plain


def _enough(fields: Sequence[str], count: int, where: str, form: str) -> None:
    if len(fields) < count:
        raise DataError(f"{where}: it has {len(fields)} of {count} fields; write {form}.")


def _seconds(text: str, what: str, where: str) -> float:
    seconds = float(text) if _NUMBER.fullmatch(text) else math.nan
    if not (math.isfinite(seconds) and seconds >= 0):
        raise DataError(
            f"{where}: its {what} is '{text:.20}'; give seconds from 0 upwards, as in 12.5."
        )
    return seconds


def _turn(where: str, start_s: float, end_s: float, speaker: str, text: str = "") -> Turn:
    if end_s < start_s:
        raise DataError(
            f"{where}: it ends at {end_s:g} s and begins at {start_s:g} s; correct the times."
        )
    return Turn(start_s, end_s, None if speaker == _UNKNOWN else speaker, text)


def _first_choice(text: str) -> str:
    """``text`` with single spaces, and with the first one of alternatives."""
    plain = _ALTERNATIVES.sub(lambda found: found[1].replace(_NOTHING, " "), text)
    return " ".join(plain.split())


def _own(rows: _Rows, path: Path, name: str) -> list[Turn]:
    """The turns of the recording ``name``, in the order of their starts."""
    names = {recording for recording, _ in rows}
    if len(names) > 1 and name not in names:
        some = ", ".join(sorted(names)[:3])
        raise DataError(
            f"'{path.name}' holds {len(names)} recordings ({some} …) and none is called '{name}'; "
            "call the recording in it as the audio file is called."
        )
    own = (turn for recording, turn in rows if len(names) == 1 or recording == name)
    return sorted(own, key=lambda turn: (turn.start_s, turn.end_s))
