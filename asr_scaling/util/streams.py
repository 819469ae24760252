"""Standard output and standard error that take any text and outlive their reader."""

from __future__ import annotations

import codecs
import os
import sys
import unicodedata
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, TextIO, cast

_HANDLER = "asr_scaling.nearest"
_PLAIN = str.maketrans(
    {"–": "-", "—": "-", "→": "->", "×": "x", "±": "+-", "·": ".", "•": "*", "≥": ">=", "≤": "<="}
)
"""What a terminal that has no such character shows instead."""


class LastingStream:
    """A text stream whose writes go nowhere once its reader is gone, as after ``| head``.

    The work goes on: what it would have written to disk is written, and its exit status stays.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write, or drop ``text`` when nobody reads any more; the number of its characters."""
        try:
            return self._stream.write(text)
        except BrokenPipeError:
            self._drop()
            return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        """Write all ``lines``."""
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """Hand over what was written, or drop it when nobody reads any more."""
        try:
            self._stream.flush()
        except BrokenPipeError:
            self._drop()

    def _drop(self) -> None:
        """The file itself goes nowhere from now on, for what is still buffered too."""
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self._stream.fileno())
        os.close(nowhere)
        self._stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextmanager
def lasting_streams() -> Iterator[None]:
    """In this block nothing that is printed can end the work.

    A character that the terminal does not have is shown by its nearest one, a reader that went
    away or a stream that was closed before the start takes nothing.
    """
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = map(_lasting, before)
    try:
        yield
    finally:
        for stream, old in zip((sys.stdout, sys.stderr), before, strict=True):
            stream.flush()
            if old is None:
                stream.close()
        sys.stdout, sys.stderr = before


def _lasting(stream: TextIO | None) -> TextIO:
    if stream is None:  # closed by the shell, as with >&-
        return open(os.devnull, "w", encoding="utf-8")
    if isinstance(stream, LastingStream):
        return stream
    reconfigure = getattr(stream, "reconfigure", None)
    if reconfigure is not None:
        codecs.register_error(_HANDLER, _nearest)
        reconfigure(errors=_HANDLER)
    return cast(TextIO, LastingStream(stream))


def _nearest(error: UnicodeError) -> tuple[str, int]:
    """For ``codecs.register_error``: ASCII for what an encoding does not have."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    text = error.object[error.start : error.end].translate(_PLAIN)
    plain = unicodedata.normalize("NFKD", text)
    kept = (letter for letter in plain if not unicodedata.combining(letter))
    return "".join(letter if letter.isascii() else "?" for letter in kept), error.end
