"""The recordings of an MP3 or raw AAC file, frame by frame.

Tags between frames are left out. A frame with the tables that encoders write first (Xing, Info,
VBRI) begins a recording: files joined by ``cat`` hold several.
"""

from __future__ import annotations

from typing import BinaryIO, NamedTuple

from asr_scaling.dataset._containers import (
    AGAIN,
    SAVE_AGAIN,
    Part,
    UnusableError,
    cut_off,
    pieces,
    read_at,
    size_of,
    tag_bytes,
)

_KBIT_PER_S = {
    (1, 1): (32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (1, 2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (1, 3): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (2, 1): (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (2, 2): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
"""By version (2 for 2.5 too) and layer (2 for layer III of version 2 too)."""
_RATES_HZ = (44_100, 48_000, 32_000)
_SLACK_FRAMES = 4
"""Encoders announce up to so many frames of delay and filling, which decoders drop."""

_MAY_LACK = 1
"""Some encoders count the frame with the table too."""


class _Frame(NamedTuple):
    """size: bytes. samples: a channel. kind: what stays the same within a recording."""

    size: int
    samples: int
    kind: tuple[int, ...]


def _frame(head: bytes) -> _Frame | None:
    """The frame whose first bytes are ``head``; None where none begins."""
    if len(head) < 7 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return None
    if head[1] & 0xF6 == 0xF0:
        return _adts(head)
    version = {0: 25, 2: 2, 3: 1}.get(head[1] >> 3 & 3)
    layer = 4 - (head[1] >> 1 & 3)
    bits, rate = head[2] >> 4, head[2] >> 2 & 3
    if version is None or layer == 4 or rate == 3 or not 0 < bits < 15:
        return None
    rate_hz = _RATES_HZ[rate] // {1: 1, 2: 2, 25: 4}[version]
    table = (1, layer) if version == 1 else (2, min(layer, 2))
    bit_per_s, padding = 1000 * _KBIT_PER_S[table][bits - 1], head[2] >> 1 & 1
    kind = (version, layer, rate_hz, head[3] >> 6 == 3)
    if layer == 1:
        return _Frame((12 * bit_per_s // rate_hz + padding) * 4, 384, kind)
    samples = 576 if layer == 3 and version != 1 else 1152
    return _Frame(samples // 8 * bit_per_s // rate_hz + padding, samples, kind)


def _adts(head: bytes) -> _Frame | None:
    size = (head[3] & 3) << 11 | head[4] << 3 | head[5] >> 5
    kind = (4, head[2] >> 2 & 15, (head[2] & 1) << 2 | head[3] >> 6)
    return _Frame(size, 1024 * (1 + (head[6] & 3)), kind) if size > 7 else None


def mpeg_parts(file: BinaryIO, name: str) -> list[Part]:
    """The recordings of a file of frames. ``name``: FFmpeg's name of it, "mp3" or "aac".

    Raises UnusableError when a frame is cut off or what is between two is no frame and no tag, and
    when there are fewer frames than a table announces.
    """
    at, size = 0, size_of(file)
    parts, kind = list[Part](), tuple[int, ...]()
    announced: int | None = None
    for _ in pieces():
        if at >= size:
            break
        head = read_at(file, at, 1 << 12)
        if skipped := tag_bytes(head) or len(head) - len(head.lstrip(b"\0")):
            at += skipped
            continue
        frame = _frame(head)
        if frame is None and not parts:
            why = "its first frame has no bit rate that is known"
            raise UnusableError(f"can't be read as audio ({why})", SAVE_AGAIN)
        if frame is None:
            raise UnusableError(f"is damaged: what begins at byte {at} is no audio", AGAIN)
        if at + frame.size > size:
            raise cut_off("its last frame is not whole")
        table = _announced(head)
        if table is not None or frame.kind != kind:
            _check(parts, announced)
            parts.append(Part(name, [], 0, _SLACK_FRAMES * frame.samples))
            kind = frame.kind
            announced = None if not table else (table - _MAY_LACK) * frame.samples
        _add(parts[-1], at, frame, counts=table is None)
        at += frame.size
    _check(parts, announced)
    return parts


def _add(part: Part, at: int, frame: _Frame, counts: bool) -> None:
    """Put the ``frame`` at a byte into ``part``. ``counts``: it holds audio and no table."""
    if part.spans and part.spans[-1][1] == at:
        part.spans[-1] = (part.spans[-1][0], at + frame.size)
    else:
        part.spans.append((at, at + frame.size))
    part.samples = (part.samples or 0) + (frame.samples if counts else 0)


def _check(parts: list[Part], announced: int | None) -> None:
    """Raises UnusableError when the last of ``parts`` has less than its table announces."""
    if parts and announced is not None and (parts[-1].samples or 0) < announced:
        raise cut_off()


def _announced(head: bytes) -> int | None:
    """The number of frames that a table announces, 0 where it gives none; None without a table."""
    for name in (b"Xing", b"Info"):
        at = head.find(name, 4, 48)
        if at > 0:
            flags = int.from_bytes(head[at + 4 : at + 8], "big")
            return int.from_bytes(head[at + 8 : at + 12], "big") if flags & 1 else 0
    if head[36:40] == b"VBRI":
        return int.from_bytes(head[50:54], "big")
    return None
