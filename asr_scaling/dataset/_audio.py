"""Decodes an audio file, or its bytes, to mono float32 samples at 16 kHz."""

from __future__ import annotations

import io
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

import numpy as np
import soundfile as sf
import soxr
from numpy.typing import NDArray

from asr_scaling.core.option_checks import readable
from asr_scaling.core.workload import SAMPLE_RATE_HZ
from asr_scaling.errors import DataError
from asr_scaling.util.files import open_file

MAX_S = 4 * 3600
"""Seconds of the longest utterance that any option allows."""
MAX_CHANNELS = 8
RATES_HZ = (4_000, 384_000)
MAX_PEAK = 10.0
"""Full scale is 1; samples beyond this are integers stored as floats without being scaled."""

_UNREADABLE, _SAVE_AGAIN = "can't be read as audio ({})", "save it again as WAV, FLAC, MP3 or OGG"
_BLOCK = 1 << 18
_UNKNOWN = (1 << 63) - 1
"""Frames that libsndfile reports for a stream whose header doesn't say."""
_STREAMED_BYTES = 0x7FFF_0000
"""Programs that write WAV to a pipe announce about 2 or 4 GiB, as they don't know the length."""
_CONTAINERS = re.compile(
    rb"RIFF....WAVE|RIFX....WAVE|RF64....WAVE|riff\x2e\x91\xcf\x11|FORM....AIF[FC]|"
    rb"fLaC|OggS|ID3|\xff[\xe0-\xff]|caff|\.snd",
    re.DOTALL,
)
"""First bytes of the formats used for speech. Other files never reach libsndfile's many parsers."""


def load_audio(source: str | Path | bytes, name: str, max_s: float = MAX_S) -> NDArray[np.float32]:
    """Decode WAV, FLAC, MP3, OGG … to shape [samples], float32, mono, 16 kHz.

    Channels are averaged; other rates are resampled by soxr at high quality. Memory is bounded by
    ``max_s`` seconds at 16 kHz, whatever the file claims or unpacks to.

    source: the path of a regular file, or a file's contents.
    name: what errors call the file.
    max_s: seconds of the longest file allowed.

    Raises DataError when the file can't be read, is cut off or empty, is longer than ``max_s``,
    has more than ``MAX_CHANNELS`` or a rate outside ``RATES_HZ``, or when samples are not finite
    or far above full scale.
    """
    with (
        readable(f"'{name}' can't be opened", "check that the file exists and may be read"),
        io.BytesIO(source) if isinstance(source, bytes) else open_file(Path(source)) as file,
    ):
        samples = _decode(file, name, max_s)
    if not samples.size:
        _refuse(name, "holds no audio", "remove it from the dataset or export it again")
    return samples


class _Source:
    """A file as libsndfile reads it, which decides by its contents: it has no name.

    A damaged file makes libsndfile seek before its beginning. That is answered by not moving,
    since an error raised here would be printed on the terminal.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.read, self.tell = file.read, file.tell

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        try:
            return self._file.seek(offset, whence)
        except (OSError, ValueError):
            return self._file.tell()


def _refuse(name: str, wrong: str, remedy: str, error: Exception | None = None) -> NoReturn:
    raise DataError(f"'{name}' {wrong}; {remedy}.") from error


def _decode(file: BinaryIO, name: str, max_s: float) -> NDArray[np.float32]:
    """Decode to mono samples at 16 kHz."""
    begin = file.read(12)
    if not begin:
        _refuse(name, "is empty (0 bytes)", "copy or download it again")
    if not _CONTAINERS.match(begin):
        _refuse(name, _UNREADABLE.format("unknown format"), _SAVE_AGAIN)
    file.seek(0)
    try:
        with sf.SoundFile(_Source(file)) as sound:
            _check_header(sound, name, max_s)
            blocks = list(_at_16_khz(_mono(sound, name, max_s), int(sound.samplerate)))
            cut, container = _is_cut(sound), str(sound.format)
    except (sf.SoundFileError, ValueError) as error:
        # libsndfile numbers its errors: https://libsndfile.github.io/libsndfile/api.html
        why = str(error).rpartition(": ")[2].strip().rstrip(".")
        _refuse(name, _UNREADABLE.format(why or "unknown format"), _SAVE_AGAIN, error)
    if cut or (container == "OGG" and not _ogg_ends(file)):
        cut_off = "is cut off: it ends before the length that it announces"
        _refuse(name, cut_off, "copy or download it again")
    return np.concatenate(blocks) if blocks else np.zeros(0, np.float32)


def _check_header(sound: Any, name: str, max_s: float) -> None:
    """Refuse a file by its header, before memory is spent on it."""
    if sound.channels > MAX_CHANNELS:
        many = f"has {sound.channels} channels, more than {MAX_CHANNELS}"
        _refuse(name, many, "mix it down to mono")
    low, high = RATES_HZ
    if not low <= sound.samplerate <= high:
        rate = f"has a rate of {sound.samplerate} Hz, outside {low}–{high} Hz"
        _refuse(name, rate, "export it again at 16 kHz")
    if sound.frames == _UNKNOWN:
        _refuse(name, "does not say how long it is, as streams do", "save it again as a file")
    if sound.frames > max_s * sound.samplerate:
        _too_long(name, max_s)


def _too_long(name: str, max_s: float) -> NoReturn:
    more = ", or raise dataset.max_utterance_s" if max_s < MAX_S else ""
    _refuse(name, f"is longer than {max_s:g} s", f"split it into utterances{more}")


def _mono(sound: Any, name: str, max_s: float) -> Iterator[NDArray[np.float32]]:
    """Read block by block, so that a header with a false length can't fill the memory."""
    frames = 0
    while True:
        with np.errstate(over="ignore", invalid="ignore"):  # overflow becomes inf, which is refused
            block = sound.read(_BLOCK, dtype="float32", always_2d=True)
            frames += block.shape[0]
            one_channel = block.shape[1] == 1
            mono = block[:, 0].copy() if one_channel else block.mean(axis=1, dtype=np.float32)
        if not mono.size:
            break
        if frames > max_s * sound.samplerate:
            _too_long(name, max_s)
        if not np.isfinite(mono).all():
            _refuse(name, "holds NaN or infinite samples", "export it again")
        if (peak := float(np.abs(mono).max())) > MAX_PEAK:
            _refuse(name, f"has samples up to {peak:.3g}", "scale it so that full scale is 1.0")
        yield mono


def _at_16_khz(
    blocks: Iterator[NDArray[np.float32]], rate_hz: int
) -> Iterator[NDArray[np.float32]]:
    """Resample one block after the other; the samples are those that one call would give."""
    if rate_hz == SAMPLE_RATE_HZ:
        yield from blocks
        return
    stream = soxr.ResampleStream(rate_hz, SAMPLE_RATE_HZ, 1, dtype="float32", quality="HQ")
    yield from (stream.resample_chunk(block) for block in blocks)
    yield stream.resample_chunk(np.zeros(0, np.float32), last=True)


def _is_cut(sound: Any) -> bool:
    """Whether fewer frames were read than announced. MP3 headers may be off by 2 %."""
    slack = max(4608, sound.frames // 50) if sound.format in {"MP3", "MPEG"} else 0
    sizes = re.findall(r"(?:data|SSND)\s*: (\d+) \(should be (\d+)\)", sound.extra_info)
    return bool(sound.tell() + slack < sound.frames) or any(
        int(real) < int(announced) < _STREAMED_BYTES for announced, real in sizes
    )


def _ogg_ends(file: BinaryIO) -> bool:
    """Whether the last page of an Ogg file has the flag 0x04 of a last page (RFC 3533)."""
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - 0x20000))  # a page has at most 65,307 bytes
    tail = file.read()
    page = tail.rfind(b"OggS")
    return 0 <= page < len(tail) - 5 and bool(tail[page + 5] & 0x04)
