"""Decodes what is stored sample by sample, or in blocks of one size, with libsndfile."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO

import numpy as np
import soundfile as sf

from asr_scaling.dataset._audio_checks import Block, check_format, check_length
from asr_scaling.dataset._chunks import Extent
from asr_scaling.dataset._containers import AGAIN, SAVE_AGAIN, Part, Spans, UnusableError, cut_off

_BYTES = {
    "PCM_S8": 1,
    "PCM_U8": 1,
    "PCM_16": 2,
    "PCM_24": 3,
    "PCM_32": 4,
    "FLOAT": 4,
    "DOUBLE": 8,
    "ULAW": 1,
    "ALAW": 1,
}
"""Bytes of a sample."""
_ANNOUNCED = {"IMA_ADPCM", "MS_ADPCM", "GSM610", "G721_32", "NMS_ADPCM_16", "NMS_ADPCM_24"}
"""Stored in blocks of one size. WAV says how many bytes a second these have."""
_PER_BYTE = {
    "IMA_ADPCM": 64 / 34,
    "GSM610": 160 / 33,
    "G721_32": 8 / 4,
    "G723_24": 8 / 3,
    "G723_40": 8 / 5,
}
"""Samples in a byte of such encodings in AIFF, CAF and AU."""
_FEWER = "fewer samples can be decoded than it holds"
_BLOCK = 1 << 18
_SLACK, _SLACK_S = 0.02, 0.1
"""Of encodings in blocks: a share and seconds by which the announced rate of bytes may be off."""


def takes_part(file: BinaryIO, part: Part) -> bool:
    """Whether libsndfile surely decodes all of a recording: Ogg and FLAC say how much there is."""
    checked = part.format == "ogg" or (part.format == "flac" and part.md5 and part.samples)
    if not checked:
        return False
    try:
        with opened(Spans(file, part.spans)):
            return True
    except UnusableError:
        return False


def takes(file: BinaryIO, extent: Extent) -> bool:
    """Whether libsndfile surely decodes all of ``file``, whose audio is in ``extent``."""
    if extent.open_ended:
        return False
    try:
        with opened(file) as sound:
            return _held(sound, extent) is not None
    except UnusableError:
        return False


def of_chunk(file: BinaryIO, extent: Extent, max_s: float) -> Iterator[Block]:
    """The samples of a file whose audio is in ``extent``.

    Raises UnusableError when there are fewer than the audio's bytes hold.
    """
    with opened(file) as sound:
        held = _held(sound, extent) or 0
        exact = sound.subtype in _BYTES or sound.subtype.startswith("ALAC")
        most = math.ceil(held if exact else held / (1 - _SLACK) + 2 * _SLACK_S * sound.samplerate)
        if (yield from _blocks(sound, max_s, most)) < held:
            raise cut_off(_FEWER)


def of_part(file: BinaryIO, part: Part, max_s: float) -> Iterator[Block]:
    """The samples of one recording of an Ogg file, by the authors' own decoders.

    Raises UnusableError when there are fewer than its pages hold.
    """
    with opened(Spans(file, part.spans)) as sound:
        frames = yield from _blocks(sound, max_s)
        unit_hz = part.rate_hz or sound.samplerate
        if (frames / sound.samplerate) * unit_hz + part.slack < (part.samples or 0):
            raise cut_off(_FEWER)


def of_flac(file: BinaryIO, part: Part, max_s: float) -> Iterator[Block]:
    """The samples of one FLAC recording, whose MD5 must be the one that it states.

    Raises UnusableError when it is not, or when there are fewer samples than it states.
    """
    md5 = hashlib.md5(usedforsecurity=False)
    with opened(Spans(file, part.spans)) as sound:
        check_format(sound.channels, sound.samplerate)
        check_length((part.samples or 0) / sound.samplerate, max_s)
        while len(block := sound.read(_BLOCK, dtype="int32", always_2d=True)):
            stored = np.ascontiguousarray(block >> (32 - part.bits), "<i4").view(np.uint8)
            md5.update(stored.reshape(-1, 4)[:, : (part.bits + 7) // 8].tobytes())
            yield block.astype(np.float32) / np.float32(2**31), int(sound.samplerate)
        if sound.tell() < (part.samples or 0):
            raise cut_off(_FEWER)
        if md5.digest().strip(b"\0") != part.md5:
            raise UnusableError(
                "is damaged: its samples have another checksum than it states", AGAIN
            )


def _held(sound: Any, extent: Extent) -> float | None:
    """Samples of a channel, at least, that the audio's bytes or its table hold; None if unknown."""
    size, encoding = extent.size, str(sound.subtype)
    if encoding in _BYTES:
        return size // int(_BYTES[encoding] * sound.channels)
    if encoding in _ANNOUNCED and extent.bytes_per_s:
        seconds = size / extent.bytes_per_s
    elif encoding in _PER_BYTE and not extent.bytes_per_s:
        seconds = size * _PER_BYTE[encoding] / (sound.channels * sound.samplerate)
    else:
        return int(sound.frames) if encoding.startswith("ALAC") else None
    return (seconds * (1 - _SLACK) - _SLACK_S) * int(sound.samplerate)


def _blocks(sound: Any, max_s: float, most: int | None = None) -> Generator[Block, None, int]:
    """Block by block, so that a false length can't fill the memory; returns how many frames.

    most: of them, as libsndfile takes what follows the audio of a W64 file for more of it.
    """
    frames = 0
    check_format(sound.channels, sound.samplerate)
    check_length(sound.frames / sound.samplerate, max_s)
    while True:
        with np.errstate(over="ignore", invalid="ignore"):  # what overflows becomes infinite
            block = sound.read(_BLOCK, dtype="float32", always_2d=True)
        block = block[: None if most is None else most - frames]
        if not len(block):
            return frames
        frames += len(block)
        yield block, int(sound.samplerate)


@contextmanager
def opened(file: BinaryIO | Spans) -> Iterator[Any]:
    """A file as soundfile reads it. Raises UnusableError when it can't be read."""
    file.seek(0)
    try:
        with sf.SoundFile(file) as sound:
            yield sound
    except (sf.SoundFileError, ValueError) as error:
        # libsndfile numbers its errors: https://libsndfile.github.io/libsndfile/api.html
        why = str(error).rpartition(": ")[2].strip().rstrip(".")
        wrong = f"can't be read as audio ({why or 'unknown format'})"
        raise UnusableError(wrong, SAVE_AGAIN) from error
