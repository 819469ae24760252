"""The recordings of a FLAC file (RFC 9639), and whether the file ends where its audio does."""

from __future__ import annotations

import re
from functools import cache
from typing import BinaryIO

from asr_scaling.dataset._containers import Part, read_at, size_of

_BEGIN = b"fLaC\0\0\0\x22"
_SYNC = re.compile(rb"\xff[\xf8\xf9]")
_LARGEST_FRAME = 1 << 17
_MOST_TRIED = 32
"""Bytes within a frame may look like the beginning of one."""
_POLYNOMIAL = 0x8005
"""The divisor of a frame's CRC-16 (RFC 9639 section 9.3)."""


def flac_parts(file: BinaryIO) -> list[Part]:
    """The recordings of a FLAC file, of which each begins with how many samples it has."""
    size, begins = size_of(file), list[int]()
    for at in range(0, size, 1 << 20):
        block = read_at(file, at, (1 << 20) + len(_BEGIN) - 1)
        begins += [at + found.start() for found in re.finditer(re.escape(_BEGIN), block)]
    ends = [*begins[1:], size]
    return [_part(file, span) for span in zip(begins or [0], ends, strict=True)]


def _part(file: BinaryIO, span: tuple[int, int]) -> Part:
    info = read_at(file, span[0] + 8, 34)  # STREAMINFO, section 8.2
    samples = int.from_bytes(info[13:18], "big") & 0xF_FFFF_FFFF
    bits = (int.from_bytes(info[12:14], "big") >> 4 & 31) + 1
    sure = samples and _ends_with_a_frame(file, span)
    md5 = info[18:34].strip(b"\0") if sure else b""
    return Part("flac", [span], samples or None, bits=bits, md5=md5)


def _ends_with_a_frame(file: BinaryIO, span: tuple[int, int]) -> bool:
    """Whether the bytes from one of the last frames' beginnings to the end fit their checksum."""
    largest = int.from_bytes(read_at(file, span[0] + 15, 3), "big") or _LARGEST_FRAME
    begin = max(span[0], span[1] - min(largest, _LARGEST_FRAME))
    tail = read_at(file, begin, span[1] - begin)
    starts = [found.start() for found in _SYNC.finditer(tail)]
    return any(_crc(tail[at:]) == 0 for at in reversed(starts[-_MOST_TRIED:]))


def _crc(data: bytes) -> int:
    """CRC-16 of a whole frame; 0 where its last two bytes are those of the bytes before."""
    value, table = 0, _table()
    for byte in data:
        value = (value << 8 & 0xFFFF) ^ table[value >> 8 ^ byte]
    return value


@cache
def _table() -> list[int]:
    table = []
    for byte in range(256):
        value = byte << 8
        for _ in range(8):
            value = (value << 1 ^ (_POLYNOMIAL if value & 0x8000 else 0)) & 0xFFFF
        table.append(value)
    return table
