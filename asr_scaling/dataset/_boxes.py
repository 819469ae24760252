"""The recordings of MP4, Matroska and ASF files by their outer structure.

Structures: ISO 14496-12 (boxes), RFC 8794 and RFC 9559 (EBML, Matroska), Microsoft's Advanced
Systems Format specification. Files joined byte by byte hold several recordings.
"""

from __future__ import annotations

from typing import BinaryIO

from asr_scaling.dataset._containers import (
    AGAIN,
    JOINED,
    Part,
    UnusableError,
    cut_off,
    pieces,
    read_at,
    size_of,
)

_EBML = 0x1A45DFA3
_OPENED = (0x18538067, 0x1F43B675, 0xA0)
"""Segment, Cluster, BlockGroup: the elements whose contents are walked through too."""
_ASF_FACTS = bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")


def mov_parts(file: BinaryIO) -> list[Part]:
    """The recordings of an MP4 file.

    Raises UnusableError when a box is cut, or what follows is none.
    """
    at, size = 0, size_of(file)
    parts, described = [Part("mov", [(0, size)])], False
    for _ in pieces():
        if at >= size:
            break
        head = read_at(file, at, 16)
        name, length = head[4:8], int.from_bytes(head[:4], "big")
        if length == 1:
            length = int.from_bytes(head[8:16], "big")
        elif length == 0:
            if not head.strip(b"\0"):
                break
            length = size - at
        if length < 8 or not name.isascii():
            raise UnusableError(f"is damaged: no box begins at byte {at}", AGAIN)
        if at + length > size:
            raise cut_off()
        if name == b"ftyp" and described:
            _begin(parts, at)
        described = name == b"moov" or (described and name != b"ftyp")
        at += length
    return parts


def _begin(parts: list[Part], at: int) -> None:
    """Another recording begins at a byte, up to which the last of ``parts`` goes."""
    start, size = parts[-1].spans[0]
    parts[-1].spans = [(start, at)]
    parts.append(Part(parts[-1].format, [(at, size)]))


def matroska_parts(file: BinaryIO) -> list[Part]:
    """The recordings of a Matroska or WebM file, recorded live or not.

    Raises UnusableError when an element is cut, or what follows is none.
    """
    at, size = 0, size_of(file)
    parts = [Part("matroska", [(0, size)])]
    for _ in pieces():
        if at >= size:
            break
        head = read_at(file, at, 16)
        if not head.strip(b"\0"):
            break
        name, name_bytes = _number(head, keep_marker=True)
        length, length_bytes = _number(head[name_bytes:], keep_marker=False)
        if not 1 <= name_bytes <= 4 or not length_bytes:
            raise UnusableError(f"is damaged: no element begins at byte {at}", AGAIN)
        if name == _EBML and at > 0:
            _begin(parts, at)
        unknown = length == (1 << 7 * length_bytes) - 1
        at += name_bytes + length_bytes
        if not unknown and at + length > size:
            raise cut_off()
        if name not in _OPENED:
            at += length
    return parts


def _number(data: bytes, keep_marker: bool) -> tuple[int, int]:
    """A number of EBML and how many bytes it has; 0 bytes where it is not whole."""
    width = 9 - data[0].bit_length() if data and data[0] else 0
    if not width or len(data) < width:
        return 0, 0
    value = int.from_bytes(data[:width], "big")
    return value if keep_marker else value & (1 << 7 * width) - 1, width


def asf_parts(file: BinaryIO) -> list[Part]:
    """The recording of an ASF (WMA) file.

    Raises UnusableError when the file is shorter or longer than it says.
    """
    size = size_of(file)
    head = read_at(file, 0, 1 << 16)
    at = head.find(_ASF_FACTS)
    announced = int.from_bytes(head[at + 40 : at + 48], "little") if at >= 0 else 0
    live = at < 0 or bool(head[at + 88] & 1 if len(head) > at + 88 else True)
    if announced > size and not live:
        raise cut_off()
    if announced < size and not live and read_at(file, announced, 1024).strip(b"\0"):
        raise UnusableError(f"holds {size - announced} bytes after its end", JOINED)
    return [Part("asf", [(0, size)])]
