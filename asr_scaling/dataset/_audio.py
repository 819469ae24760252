"""Decodes an audio file, or its bytes, to mono float32 samples at 16 kHz."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import soxr
from numpy.typing import NDArray

from asr_scaling.core.option_checks import readable
from asr_scaling.core.workload import SAMPLE_RATE_HZ
from asr_scaling.dataset import _ffmpeg, _libsndfile
from asr_scaling.dataset._amr import amr_parts
from asr_scaling.dataset._audio_checks import MAX_S, Block, Mix, check_length
from asr_scaling.dataset._boxes import asf_parts, matroska_parts, mov_parts
from asr_scaling.dataset._chunks import audio_extent
from asr_scaling.dataset._containers import (
    SAVE_AGAIN,
    Part,
    UnusableError,
    format_of,
    size_of,
    without_tags,
)
from asr_scaling.dataset._flac import flac_parts
from asr_scaling.dataset._long_audio import gathered
from asr_scaling.dataset._mpeg import mpeg_parts
from asr_scaling.dataset._ogg import ogg_parts
from asr_scaling.errors import DataError
from asr_scaling.util.files import open_file

__all__ = ["MAX_S", "Audio", "decode", "load_audio"]
_CHUNKED = ("wav", "w64", "aiff", "caf", "au")
_WALKS = {
    "ogg": ogg_parts,
    "flac": flac_parts,
    "mov": mov_parts,
    "matroska": matroska_parts,
    "asf": asf_parts,
    "amr": amr_parts,
}
"""By FFmpeg's name of a container: the recordings in a file of it."""
_NOTHING = np.zeros(0, np.float32)

Mono = tuple[NDArray[np.float32], int]
"""Samples ``[frames]`` and their rate in Hz."""


@dataclass(frozen=True)
class Audio:
    """A decoded file.

    samples: float32, ``[samples]``, mono, 16 kHz.
    doubts: kinds of cautions (core/cautions.py) that whoever uses the samples must know of.
    """

    samples: NDArray[np.float32]
    doubts: tuple[str, ...] = ()


def load_audio(source: str | Path | bytes, name: str, max_s: float = MAX_S) -> NDArray[np.float32]:
    """The samples of ``decode``."""
    return decode(source, name, max_s).samples


def decode(
    source: str | Path | bytes, name: str, max_s: float = MAX_S, *, keep: bool = True
) -> Audio:
    """Decode WAV, FLAC, MP3, Ogg, MP4, WebM … whole: all of the audio, or an error.

    Channels are averaged; other rates are resampled by soxr at high quality. More than ten minutes
    are kept in the cache, mapped from there. Their size is bounded by ``max_s`` seconds at 16 kHz,
    whatever the file claims or unpacks to.

    source: the path of a regular file, or a file's contents.
    name: what errors call the file.
    max_s: seconds of the longest file allowed.
    keep: False to keep nothing in the cache, however long it is.

    Raises DataError when the file can't be read, is cut off, damaged or empty, holds more than one
    audio track, is longer than ``max_s``, has more than 8 channels or an absurd rate, or when
    samples are not finite or far above full scale.
    """
    with (
        readable(f"'{name}' can't be opened", "check that the file exists and may be read"),
        io.BytesIO(source) if isinstance(source, bytes) else open_file(Path(source)) as file,
    ):
        try:
            return _decoded(file, max_s, source if keep else None)
        except UnusableError as error:
            raise DataError(f"'{name}' {error.wrong}; {error.remedy}.") from error.__cause__


def _decoded(file: BinaryIO, max_s: float, source: str | Path | bytes | None) -> Audio:
    """Decode to mono samples at 16 kHz; without ``source`` they are not kept.

    Raises UnusableError.
    """
    mix, results = Mix(), list[_ffmpeg.Decoded]()

    def doubts() -> tuple[str, ...]:
        found = {
            "CancellingChannels": mix.cancels,
            "AudioGaps": any(decoded.gaps for decoded in results),
        }
        return tuple(kind for kind, seen in found.items() if seen)

    blocks = _at_16_khz(_mono(_blocks(file, max_s, results), mix, max_s))
    return Audio(*gathered(blocks, source, max_s, doubts))


def _blocks(file: BinaryIO, max_s: float, results: list[_ffmpeg.Decoded]) -> Iterator[Block]:
    """The samples as they are stored; what FFmpeg decoded of each part is added to ``results``."""
    file = without_tags(file)
    name = format_of(file)
    if name in _CHUNKED:
        extent = audio_extent(file, name)
        if extent is None:
            raise UnusableError("can't be read as audio (it has no chunk of audio)", SAVE_AGAIN)
        if _libsndfile.takes(file, extent):
            yield from _libsndfile.of_chunk(file, extent, max_s)
            return
    for part in _parts(file, name):
        if _libsndfile.takes_part(file, part):
            of_part = _libsndfile.of_flac if part.md5 else _libsndfile.of_part
            yield from of_part(file, part, max_s)
        else:
            results.append(_ffmpeg.Decoded())
            yield from _ffmpeg.blocks(file, part, results[-1], max_s)


def _parts(file: BinaryIO, name: str) -> list[Part]:
    """The recordings in a file of compressed audio, each to be decoded by itself."""
    if name in ("mp3", "aac"):
        return mpeg_parts(file, name)
    if name in _WALKS:
        return _WALKS[name](file)
    return [Part(name, [(0, size_of(file))], endless=name == "wav")]


def _mono(blocks: Iterator[Block], mix: Mix, max_s: float) -> Iterator[Mono]:
    """The mean of the channels, as long as all of it is no longer than ``max_s``."""
    seconds = 0.0
    for block, rate_hz in blocks:
        seconds += len(block) / rate_hz
        check_length(seconds - 1e-6, max_s)
        if len(block):
            yield mix.mono(block, rate_hz), rate_hz


def _at_16_khz(blocks: Iterator[Mono]) -> Iterator[NDArray[np.float32]]:
    """Resample one block after the other; the samples are those that one call would give.

    A recording of another rate, which follows in the same file, is resampled by itself.
    """
    stream, last_hz = None, SAMPLE_RATE_HZ
    for block, rate_hz in blocks:
        if rate_hz != last_hz:
            if stream is not None:
                yield stream.resample_chunk(_NOTHING, last=True)
            stream, last_hz = _resampler(rate_hz), rate_hz
        yield block if stream is None else stream.resample_chunk(block)
    if stream is not None:
        yield stream.resample_chunk(_NOTHING, last=True)


def _resampler(rate_hz: int) -> Any:
    """A stream from ``rate_hz`` to 16 kHz; None where that is the rate already."""
    if rate_hz == SAMPLE_RATE_HZ:
        return None
    return soxr.ResampleStream(rate_hz, SAMPLE_RATE_HZ, 1, dtype="float32", quality="HQ")
