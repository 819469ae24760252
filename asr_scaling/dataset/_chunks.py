"""The audio chunk of WAV, RF64, W64, AIFF, CAF and AU files, and what stands after it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import BinaryIO, NamedTuple

from asr_scaling.dataset._containers import (
    JOINED,
    UnusableError,
    cut_off,
    meaningless,
    pieces,
    read_at,
    size_of,
)

_STREAMED_BYTES = 0x7FFF_0000
"""Programs that write WAV to a pipe announce about 2 or 4 GiB, as they don't know the length."""
_BENIGN_BYTES = 64
"""So many bytes after the last chunk are no loss: less than two milliseconds of speech."""
_AUDIO, _DATA_SIZES = (b"data", b"SSND"), b"ds64"
_BEFORE_SAMPLES = {"aiff": 8, "caf": 4}
"""Bytes of the audio's chunk that are no audio."""
_FILES = (b"RIFF", b"RIFX", b"RF64", b"FORM", b"caff", b"riff")
_OPEN = (1 << 32) - 1


class Extent(NamedTuple):
    """Where the audio is.

    size: bytes of it.
    bytes_per_s: that a WAV announces; 0 where it does not.
    open_ended: the file says that it holds none, and the audio goes on to the end of the file.
    """

    size: int
    bytes_per_s: int = 0
    open_ended: bool = False


class _Chunk(NamedTuple):
    """name: its four letters. begin: of its contents. size: announced, in bytes."""

    name: bytes
    begin: int
    size: int


class _Layout(NamedTuple):
    """start: byte of the first chunk. head: bytes before its contents. align: of a chunk's end.

    chunk: the name and size that a head states.
    """

    start: int
    head: int
    align: int
    chunk: Callable[[bytes], tuple[bytes, int]]


def _little(head: bytes) -> tuple[bytes, int]:
    return head[:4], int.from_bytes(head[4:8], "little")


def _big(head: bytes) -> tuple[bytes, int]:
    return head[:4], int.from_bytes(head[4:8], "big")


def _caf(head: bytes) -> tuple[bytes, int]:
    return head[:4], int.from_bytes(head[4:12], "big", signed=True)


def _w64(head: bytes) -> tuple[bytes, int]:
    return head[:4], int.from_bytes(head[16:24], "little") - 24


_LAYOUTS = {
    "wav": _Layout(12, 8, 2, _little),
    "aiff": _Layout(12, 8, 2, _big),
    "caf": _Layout(8, 12, 1, _caf),
    "w64": _Layout(40, 24, 8, _w64),
}


def audio_extent(file: BinaryIO, name: str) -> Extent | None:
    """Where the audio of a file called ``name`` by FFmpeg is; None for one without any.

    Raises UnusableError when the file ends before the audio does, holds audio twice, or goes on
    after the audio that it announces with what is no chunk.
    """
    if name == "au":
        return _au(file)
    layout = _LAYOUTS[name]
    if name == "wav" and read_at(file, 0, 4) == b"RIFX":
        layout = layout._replace(chunk=_big)
    size, facts = size_of(file), dict[bytes, bytes]()
    for chunk in _chunks(file, layout, layout.start):
        if chunk.name in _AUDIO:
            extent = _extent(file, layout, chunk, size, facts)
            return extent._replace(size=max(0, extent.size - _BEFORE_SAMPLES.get(name, 0)))
        facts[chunk.name] = read_at(file, chunk.begin, 16)
    return None


def _extent(
    file: BinaryIO, layout: _Layout, chunk: _Chunk, size: int, facts: dict[bytes, bytes]
) -> Extent:
    rate = int.from_bytes(facts.get(b"fmt ", b"")[8:12], "little")
    announced, rest = chunk.size, size - chunk.begin
    if announced == _OPEN and _DATA_SIZES in facts:
        announced = int.from_bytes(facts[_DATA_SIZES][8:16], "little")
    if announced < 0 or (_STREAMED_BYTES <= announced <= _OPEN and announced > rest):
        return Extent(rest, rate)
    if announced > rest:
        raise cut_off()
    more = _after(file, layout, chunk.begin + announced, size)
    if more and not announced and layout.chunk is _little:
        return Extent(rest, rate, open_ended=True)
    if more > _BENIGN_BYTES:
        raise _goes_on(more)
    return Extent(announced, rate)


def _after(file: BinaryIO, layout: _Layout, end: int, size: int) -> int:
    """Bytes after the audio, which ends at byte ``end``, that belong to no chunk."""
    padded = end + -end % layout.align
    return min((_unknown(file, layout, at, size) for at in {end, padded}), default=0)


def _unknown(file: BinaryIO, layout: _Layout, at: int, size: int) -> int:
    """Bytes from ``at`` on that belong to no chunk."""
    for chunk in _chunks(file, layout, at):
        fits = 0 <= chunk.size <= size - chunk.begin
        if not fits or chunk.name in _FILES or not chunk.name.isascii():
            break
        if chunk.name in _AUDIO and chunk.size:
            raise UnusableError("holds more than one piece of audio", "save it again in one piece")
        at = chunk.begin + chunk.size
        at += -at % layout.align
    return 0 if at >= size or meaningless(file, at) else size - at


def _chunks(file: BinaryIO, layout: _Layout, at: int) -> Iterator[_Chunk]:
    """The chunks from byte ``at`` on, one after the other, up to one of unknown length."""
    for _ in pieces():
        if len(head := read_at(file, at, layout.head)) < layout.head:
            break
        name, size = layout.chunk(head)
        yield _Chunk(name, at + layout.head, size)
        if size < 0:
            break
        at += layout.head + size
        at += -at % layout.align


def _au(file: BinaryIO) -> Extent:
    head, size = read_at(file, 0, 12), size_of(file)
    start, announced = (int.from_bytes(head[i : i + 4], "big") for i in (4, 8))
    rest = size - start
    if announced == _OPEN:
        return Extent(max(0, rest))
    if announced > rest:
        raise cut_off()
    if rest - announced > _BENIGN_BYTES and not meaningless(file, size - rest + announced):
        raise _goes_on(rest - announced)
    return Extent(announced)


def _goes_on(more: int) -> UnusableError:
    return UnusableError(
        f"holds {more} bytes after the audio that its header announces, as files joined byte by "
        "byte do",
        JOINED,
    )
