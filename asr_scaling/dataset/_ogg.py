"""The recordings of an Ogg file by its pages (RFC 3533); chained files hold several."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import BinaryIO

from asr_scaling.dataset._containers import (
    AGAIN,
    Part,
    UnusableError,
    cut_off,
    pieces,
    read_at,
    size_of,
)

_PAGE_BYTES, _SEGMENTS = 27, 26
_FIRST, _LAST = 0x02, 0x04
_NO_GRANULE = (1 << 64) - 1
_TURNED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))
"""Each byte with its bits in the opposite order."""
_ALL_BITS = (1 << 32) - 1
_OPUS_HZ = 48_000
_SLACK = 16
"""Rates are rounded."""
_AUDIO = (b"\x01vorbis", b"OpusHead", b"\x7fFLAC", b"Speex   ")


@dataclass
class _Stream:
    """One stream of a recording.

    audio: it holds audio.
    opus: it is counted at 48 kHz, whatever it is decoded to.
    before: samples at its beginning that are not to be heard (Opus).
    granule: of its last page; for audio the number of samples up to its end.
    page: number of the last page.
    ended: its last page said so.
    """

    audio: bool
    opus: bool
    before: int
    page: int
    granule: int = 0
    ended: bool = False


def ogg_parts(file: BinaryIO) -> list[Part]:
    """The recordings of an Ogg file.

    Raises UnusableError when a page is missing, cut or damaged, or a recording does not end with a
    last page, and for several audio streams side by side.
    """
    at, start = 0, 0
    size = size_of(file)
    streams: dict[int, _Stream] = {}
    parts = list[Part]()
    heads = True
    for _ in pieces():
        if at >= size:
            break
        head = read_at(file, at, _PAGE_BYTES + 255)
        if head[:4] != b"OggS" or len(head) < _PAGE_BYTES:
            if not read_at(file, at, 1 << 16).strip(b"\0"):
                break
            raise UnusableError(f"is damaged: no page of audio begins at byte {at}", AGAIN)
        body = _PAGE_BYTES + head[_SEGMENTS]
        end = at + body + sum(head[_PAGE_BYTES:body])
        if end > size:
            raise cut_off("its last page is not whole")
        page = read_at(file, at, end - at)
        if _checksum(page) != page[22:26]:
            raise UnusableError(f"is damaged: the page at byte {at} has another checksum", AGAIN)
        if head[5] & _FIRST and not heads:
            parts.append(_part(streams, start, at))
            streams, start = {}, at
        heads = bool(head[5] & _FIRST)
        _take(streams, head, page[body : body + 16])
        at = end
    return [*parts, _part(streams, start, at)]


def _checksum(page: bytes) -> bytes:
    """The checksum ``page`` should have: a CRC-32 from the highest bit; zlib has the other one."""
    turned = (page[:22] + bytes(4) + page[26:]).translate(_TURNED)
    value = zlib.crc32(turned, _ALL_BITS) ^ _ALL_BITS
    return value.to_bytes(4, "big").translate(_TURNED)


def _take(streams: dict[int, _Stream], head: bytes, begin: bytes) -> None:
    """Note a page in its stream. ``begin``: the first bytes of what it carries."""
    serial, page = (int.from_bytes(head[i : i + 4], "little") for i in (14, 18))
    if head[5] & _FIRST:
        opus = begin.startswith(b"OpusHead")
        before = int.from_bytes(begin[10:12], "little") if opus else 0
        streams[serial] = _Stream(begin.startswith(_AUDIO), opus, before, page)
    elif serial not in streams or page != streams[serial].page + 1:
        raise UnusableError("is damaged: pages of audio are missing", AGAIN)
    stream = streams[serial]
    granule = int.from_bytes(head[6:14], "little")
    stream.page = page
    stream.granule = stream.granule if granule == _NO_GRANULE else granule
    stream.ended = bool(head[5] & _LAST)


def _part(streams: dict[int, _Stream], begin: int, end: int) -> Part:
    audio = [stream for stream in streams.values() if stream.audio]
    if len(audio) > 1:
        raise several(len(audio))
    if not audio:
        raise UnusableError("holds no audio that can be decoded", "export it again")
    if not audio[0].ended:
        raise cut_off("its last page is missing")
    stream = audio[0]
    held = max(0, stream.granule - stream.before)
    return Part("ogg", [(begin, end)], held, _SLACK, _OPUS_HZ if stream.opus else None)


def several(tracks: int) -> UnusableError:
    """A file with more than one audio track, of which none is to be chosen in silence."""
    return UnusableError(
        f"holds {tracks} audio tracks", "save the one that is meant as a file of its own"
    )
