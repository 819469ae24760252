"""What an audio file holds by its own structure: pages, frames and chunks, not announced lengths.

Structures: RFC 3533 (Ogg), RFC 7845 (Opus), RFC 9639 (FLAC), ISO 11172-3 and 13818-3 (MPEG audio),
ISO 14496-3 (ADTS), https://id3.org (ID3), https://wiki.hydrogenaud.io/index.php?title=APEv2 (APE).
"""

from __future__ import annotations

import io
import os
import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import BinaryIO

AGAIN, SAVE_AGAIN = "copy or download it again", "save it again as WAV, FLAC, MP3 or OGG"
JOINED = "save its parts again, each as a file of its own"
"""The remedy for files joined byte by byte."""
_FARTHEST = 1 << 62
"""Places beyond it are in no file, and not every number fits into a call."""
_MOST_PIECES = 2_000_000
"""Four hours of video at 60 pictures a second have fewer."""
_FORMATS = (
    (rb"(RIFF|RIFX|RF64)....WAVE", "wav"),
    (rb"riff\x2e\x91\xcf\x11", "w64"),
    (rb"FORM....AIF[FC]", "aiff"),
    (rb"caff", "caf"),
    (rb"\.snd", "au"),
    (rb"fLaC", "flac"),
    (rb"OggS", "ogg"),
    (rb"....(ftyp|moov)", "mov"),
    (rb"\x1a\x45\xdf\xa3", "matroska"),
    (rb"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "asf"),
    (rb"#!AMR(-WB)?\n", "amr"),
    (rb"\xff[\xf0\xf1\xf8\xf9]", "aac"),
    (rb"\xff[\xe2-\xff]", "mp3"),
)
"""First bytes of the formats used for speech, and FFmpeg's name of each. Other files never reach a
decoder; playlists, which name other files, are among these."""


class UnusableError(Exception):
    """A file whose audio can't be had whole: what is ``wrong``, and the ``remedy``."""

    def __init__(self, wrong: str, remedy: str) -> None:
        super().__init__(wrong)
        self.wrong, self.remedy = wrong, remedy


def cut_off(detail: str = "it ends before the length that it announces") -> UnusableError:
    """A file that ends too early."""
    return UnusableError(f"is cut off: {detail}", AGAIN)


@dataclass
class Part:
    """One recording of a file, which may hold several, one after the other.

    format: FFmpeg's name of its container.
    spans: begin and end of each run of bytes that belongs to it.
    samples: that its pages or frames hold; None where FFmpeg alone can tell.
    slack: samples of it that a decoder may drop, such as an encoder's delay.
    rate_hz: of ``samples``, where that is not the rate of what is decoded.
    bits, md5: of FLAC, how many a sample has, and the MD5 of all samples; empty where it states
    none or does not end with a frame.
    endless: its last piece may be shorter than the others, as the file does not say how long it is.
    """

    format: str
    spans: list[tuple[int, int]] = field(default_factory=list)
    samples: int | None = None
    slack: int = 0
    rate_hz: int | None = None
    bits: int = 0
    md5: bytes = b""
    endless: bool = False


class Spans(io.RawIOBase):
    """The bytes of a file's ``spans``, as a file."""

    def __init__(self, file: BinaryIO, spans: Sequence[tuple[int, int]]) -> None:
        super().__init__()
        self._file, self._spans = file, spans
        self._ends = list(accumulate(end - begin for begin, end in spans))
        self._at = 0

    def readable(self) -> bool:
        """Always."""
        return True

    def seekable(self) -> bool:
        """Always."""
        return True

    def tell(self) -> int:
        """Bytes before the next one."""
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to a byte. A damaged file makes libsndfile seek before its beginning.

        That is answered by not moving, since an error raised here would be printed on the terminal.
        """
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._ends[-1]}[whence]
        self._at = base + offset if base + offset >= 0 else self._at
        return self._at

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        """Fill ``buffer`` from one span; the number of bytes, 0 at the end."""
        i = bisect_right(self._ends, self._at)
        if i == len(self._ends):
            return 0
        end = self._spans[i][1]
        left = self._ends[i] - self._at
        data = read_at(self._file, end - left, min(len(buffer), left))
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)


def read_at(file: BinaryIO, place: int, size: int) -> bytes:
    """Up to ``size`` bytes of ``file`` from ``place``."""
    file.seek(min(place, _FARTHEST))
    return file.read(size)


def pieces() -> Iterator[int]:
    """Counts the pieces that a file is walked through by.

    Raises UnusableError after more of them than hours of speech have.
    """
    yield from range(_MOST_PIECES)
    raise UnusableError(f"has more than {_MOST_PIECES} pieces", SAVE_AGAIN)


def size_of(file: BinaryIO) -> int:
    """Bytes of ``file``."""
    return file.seek(0, os.SEEK_END)


def without_tags(file: BinaryIO) -> BinaryIO:
    """``file`` without the ID3 and APE tags before and after its contents.

    Raises UnusableError for an empty file.
    """
    begin, end = 0, size_of(file)
    if not end:
        raise UnusableError("is empty (0 bytes)", AGAIN)
    while (skipped := tag_bytes(read_at(file, begin, 32))) and begin + skipped < end:
        begin += skipped
    while (skipped := _last_tag_bytes(file, end)) and end - skipped > begin:
        end -= skipped
    return io.BufferedReader(Spans(file, [(begin, end)]), 1 << 16)


def format_of(file: BinaryIO) -> str:
    """FFmpeg's name of the container. Raises UnusableError for an unknown one."""
    head = read_at(file, 0, 16)
    for pattern, name in _FORMATS:
        if re.match(pattern, head, re.DOTALL):
            return name
    raise UnusableError("can't be read as audio (unknown format)", SAVE_AGAIN)


def tag_bytes(head: bytes) -> int:
    """Bytes of the ID3 or APE tag that begins with ``head``; 0 where none does."""
    if head[:3] == b"ID3" and len(head) >= 10:
        size = sum(
            (byte & 0x7F) << shift for byte, shift in zip(head[6:10], (21, 14, 7, 0), strict=True)
        )
        return 10 + size + (10 if head[5] & 0x10 else 0)
    if head[:4] == b"TAG+":
        return 227
    if head[:3] == b"TAG":
        return 128
    if head[:8] == b"APETAGEX" and len(head) >= 24:
        is_header = bool(head[23] & 0x20)
        return 32 + (int.from_bytes(head[12:16], "little") if is_header else 0)
    return 0


def _last_tag_bytes(file: BinaryIO, end: int) -> int:
    """Bytes of the ID3v1 or APE tag that ends at byte ``end``; 0 where none does."""
    if end > 128 and read_at(file, end - 128, 3) == b"TAG":
        return 128
    foot = read_at(file, end - 32, 32) if end > 32 else b""
    if foot[:8] != b"APETAGEX":
        return 0
    has_header = bool(foot[23] & 0x80)
    return int.from_bytes(foot[12:16], "little") + (32 if has_header else 0)


def meaningless(file: BinaryIO, at: int) -> bool:
    """Whether the bytes from ``at`` on are zeros or a tag."""
    size = size_of(file)
    while at < size:
        block = read_at(file, at, 1 << 16)
        skipped = tag_bytes(block) or len(block) - len(block.lstrip(b"\0"))
        if not skipped:
            return False
        at += skipped
    return True
