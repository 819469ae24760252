"""From an audio file, or its bytes, to mono float32 samples at 16 kHz, or one sentence that says why not."""

from __future__ import annotations

import io
import os
import re
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

import numpy as np
import soundfile as sf
import soxr
from numpy.typing import NDArray

from asr_scaling.errors import DataError
from asr_scaling.workload import SAMPLE_RATE_HZ

MAX_HOURS = 4
MAX_CHANNELS = 8
RATES_HZ = (4_000, 384_000)
MAX_PEAK = 10.0
"""Full scale is 1; beyond this the samples are integers that were stored as floats without being scaled."""

_BLOCK = 1 << 20
_STREAMED_BYTES = 0x7FFF_0000
"""Programs that write WAV to a pipe announce about 2 or 4 GiB because they can't know better."""


def load_audio(source: str | Path | bytes, name: str) -> NDArray[np.float32]:
    """Decode WAV, FLAC, MP3, OGG … to shape ``[samples]``, float32, mono, 16 kHz.

    Channels are averaged; other rates go through soxr at its high quality. ``name`` is how errors call the file.
    Raises DataError for what can't be read, is cut off, empty, not finite, far above full scale, longer than
    ``MAX_HOURS``, of more than ``MAX_CHANNELS`` or of a rate outside ``RATES_HZ``.
    """
    try:
        with io.BytesIO(source) if isinstance(source, bytes) else Path(source).open("rb") as file:
            if not file.seek(0, os.SEEK_END):
                _refuse(name, "is empty (0 bytes)", "copy or download it again")
            file.seek(0)
            samples, rate_hz = _decode(file, name)
    except OSError as error:
        raise DataError(
            f"'{name}' can't be opened ({error.strerror or error}); check that the file exists and may be read."
        ) from error
    if not np.isfinite(samples).all():
        _refuse(name, "holds NaN or infinite samples", "export it again")
    if samples.size and (peak := float(np.abs(samples).max())) > MAX_PEAK:
        _refuse(name, f"has samples up to {peak:.3g}", "scale it so that full scale is 1.0")
    if rate_hz != SAMPLE_RATE_HZ:
        samples = np.ascontiguousarray(soxr.resample(samples, rate_hz, SAMPLE_RATE_HZ), dtype=np.float32)
    if not samples.size:
        _refuse(name, "holds no audio", "remove it from the dataset or export it again")
    return samples


def _refuse(name: str, wrong: str, remedy: str) -> NoReturn:
    raise DataError(f"'{name}' {wrong}; {remedy}.")


def _decode(file: BinaryIO, name: str) -> tuple[NDArray[np.float32], int]:
    """Mono samples at the file's own rate, and that rate."""
    try:
        with sf.SoundFile(file) as sound:
            _check_header(sound, name)
            samples = _read_mono(sound, name)
            cut = _is_cut(sound, samples.size)
            rate_hz, container = int(sound.samplerate), str(sound.format)
    except (sf.SoundFileError, ValueError, TypeError) as error:  # TypeError: a file called *.raw
        # libsndfile numbers its errors: https://libsndfile.github.io/libsndfile/api.html
        reason = str(error).rpartition(": ")[2].strip().rstrip(".") or "unknown format"
        raise DataError(
            f"'{name}' can't be read as audio ({reason}); save it again as WAV, FLAC, MP3 or OGG."
        ) from error
    if cut or (container == "OGG" and not _ogg_ends(file)):
        _refuse(name, "is cut off: it ends before the length that it announces", "copy or download it again")
    return samples, rate_hz


def _check_header(sound: Any, name: str) -> None:
    """What must be refused before memory is spent on it."""
    if sound.channels > MAX_CHANNELS:
        _refuse(name, f"has {sound.channels} channels, more than {MAX_CHANNELS}", "mix it down to mono")
    low, high = RATES_HZ
    if not low <= sound.samplerate <= high:
        _refuse(name, f"has a rate of {sound.samplerate} Hz, outside {low}–{high} Hz", "export it again at 16 kHz")
    if sound.frames > MAX_HOURS * 3600 * sound.samplerate:
        _too_long(name)


def _too_long(name: str) -> NoReturn:
    _refuse(name, f"is longer than {MAX_HOURS} hours", "split it into utterances")


def _read_mono(sound: Any, name: str) -> NDArray[np.float32]:
    """Blocks until the end, so that a header that lies about the length can't fill the memory."""
    blocks, frames = [], 0
    with np.errstate(over="ignore", invalid="ignore"):  # overflow becomes inf, which the caller refuses
        while (block := sound.read(_BLOCK, dtype="float32", always_2d=True)).shape[0]:
            frames += block.shape[0]
            if frames > MAX_HOURS * 3600 * sound.samplerate:
                _too_long(name)
            blocks.append(block[:, 0] if block.shape[1] == 1 else block.mean(axis=1, dtype=np.float32))
    return np.ascontiguousarray(np.concatenate(blocks)) if blocks else np.zeros(0, np.float32)


def _is_cut(sound: Any, frames: int) -> bool:
    """Fewer frames than announced; MP3 headers may only estimate, so 2 % is let pass there."""
    slack = max(4608, sound.frames // 50) if sound.format in {"MP3", "MPEG"} else 0
    if frames + slack < sound.frames:
        return True
    for announced, real in re.findall(r"(?:data|SSND)\s*: (\d+) \(should be (\d+)\)", sound.extra_info):
        if int(real) < int(announced) < _STREAMED_BYTES:
            return True
    return False


def _ogg_ends(file: BinaryIO) -> bool:
    """Whether the last page of an Ogg file says that it is the last (RFC 3533, header flag 0x04)."""
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - 0x20000))  # a page has at most 65,307 bytes
    tail = file.read()
    page = tail.rfind(b"OggS")
    return 0 <= page < len(tail) - 5 and bool(tail[page + 5] & 0x04)
