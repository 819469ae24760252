"""Decodes compressed audio with FFmpeg, as PyAV bundles it.

FFmpeg conceals what is missing and says so in its log at most. Whatever it logs as an error refuses
the file here, and what it decoded is compared with what the file holds.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO, NoReturn

import numpy as np
from numpy.typing import NDArray

from asr_scaling.dataset._audio_checks import Block, check_format, check_length
from asr_scaling.dataset._containers import AGAIN, SAVE_AGAIN, Part, Spans, UnusableError, cut_off
from asr_scaling.dataset._ogg import several

_CODECS = (
    "aac,aac_fixed,alac,amrnb,amrwb,flac,mp1float,mp2float,mp3float,opus,libopus,vorbis,speex,"
    "libspeex,wmav1,wmav2,wmapro,wmavoice,pcm_s16le,pcm_s16be,pcm_s24le,pcm_s24be,pcm_s32le,"
    "pcm_s32be,pcm_f32le,pcm_f32be,pcm_f64le,pcm_f64be,pcm_u8,pcm_s8,pcm_mulaw,pcm_alaw,"
    "adpcm_ima_wav,adpcm_ima_qt,adpcm_ms,adpcm_g722,adpcm_g726,adpcm_g726le,gsm,gsm_ms"
)
"""FFmpeg's decoders of speech. It has hundreds, for video and games too, which no file reaches."""
_OPTIONS = {"protocol_whitelist": "none", "codec_whitelist": _CODECS}
_NOT_OURS = "not on whitelist"
"""What FFmpeg reports of a track that is not audio."""
_ANNOUNCING = ("asf", "matroska", "mov")
"""Containers that state a length that was not guessed."""
_LATE_S, _LATE_SHARE = 0.25, 0.02
_ROUNDED_S, _GAP_S = 0.02, 0.1
_FULL_SCALE = {"u8": 128.0, "s16": 32768.0, "s32": 2147483648.0, "flt": 1.0, "dbl": 1.0}


class Decoded:
    """What FFmpeg decoded of a part so far.

    frames: samples of a channel, at ``rate_hz``.
    packets: pieces of compressed audio.
    missing_s: seconds that the container's times leave between its packets.
    """

    def __init__(self) -> None:
        self.frames = self.packets = self.rate_hz = 0
        self.missing_s = 0.0
        self._end_s: float | None = None

    def count(self, frame: Any) -> None:
        """Add a decoded ``frame``."""
        self.frames += frame.samples
        self.rate_hz = frame.sample_rate
        if frame.time is None:
            return
        gap_s = 0.0 if self._end_s is None else frame.time - self._end_s
        self.missing_s += gap_s if gap_s > _ROUNDED_S else 0.0
        self._end_s = frame.time + frame.samples / frame.sample_rate

    @property
    def gaps(self) -> bool:
        """Whether the container's times have gaps that can be heard."""
        return self.missing_s > _GAP_S


def blocks(file: BinaryIO, part: Part, decoded: Decoded, max_s: float) -> Iterator[Block]:
    """The samples of ``part``, which are counted in ``decoded``.

    Raises UnusableError when FFmpeg can't decode it, reports an error, or decodes less than it
    holds.
    """
    import av

    with _heard(av) as log:
        try:
            with av.open(
                Spans(file, part.spans),
                format=part.format,
                options=dict(_OPTIONS),
                io_open=_never,
                metadata_errors="replace",
            ) as container:
                yield from _decode(container, part, decoded, max_s)
        except (av.FFmpegError, ValueError, LookupError) as error:
            raise _unusable(decoded, _words(log, error)) from error
        if any(_NOT_OURS not in words for *_, words in log):
            raise _unusable(decoded, _words(log))


def _unusable(decoded: Decoded, why: str) -> UnusableError:
    if decoded.frames:
        return UnusableError(f"is cut off or damaged ({why})", AGAIN)
    return UnusableError(f"can't be read as audio ({why})", f"{AGAIN}, or {SAVE_AGAIN}")


def _decode(container: Any, part: Part, decoded: Decoded, max_s: float) -> Iterator[Block]:
    if len(container.streams.audio) != 1:
        tracks = len(container.streams.audio)
        raise several(tracks) if tracks else UnusableError("holds no audio", "export it again")
    stream = container.streams.audio[0]
    codec = stream.codec_context
    if codec is None or codec.layout is None or not codec.sample_rate:
        raise UnusableError("can't be read as audio (its header is damaged)", AGAIN)
    check_format(codec.layout.nb_channels, codec.sample_rate)
    check_length((part.samples or 0) / codec.sample_rate, max_s)
    codec.options = {"err_detect": "crccheck+explode"}  # FLAC and MP3 have checksums
    codec.thread_count = 1  # other threads' messages would not be heard
    for packet in container.demux(stream):
        if packet.is_corrupt and not part.endless:
            raise cut_off("its last packet is not whole")
        decoded.packets += packet.size > 0
        for frame in packet.decode():
            check_format(frame.layout.nb_channels, frame.sample_rate)
            decoded.count(frame)
            yield _samples(frame), frame.sample_rate
    _compare(container, stream, part, decoded)


def _compare(container: Any, stream: Any, part: Part, decoded: Decoded) -> None:
    """Raises UnusableError when less was decoded than ``part`` holds or its container announces."""
    if part.samples is not None:
        if decoded.frames + part.slack < part.samples:
            raise cut_off("fewer samples can be decoded than it holds")
        if part.format == "flac" and decoded.frames > part.samples:
            raise UnusableError("is damaged: it holds more than its header announces", AGAIN)
        return
    # MP4 counts packets in its table, or samples where each stands for itself (PCM).
    counted = decoded.packets if stream.codec_context.frame_size > 1 else decoded.frames
    if part.format == "mov" and counted < stream.frames:
        raise cut_off()
    announced_s = float(stream.duration * stream.time_base) if stream.duration else 0.0
    if not announced_s and container.duration and len(container.streams) == 1:
        announced_s = container.duration / 1e6
    if part.format not in _ANNOUNCING or not decoded.rate_hz:
        return
    held_s = decoded.frames / decoded.rate_hz + decoded.missing_s
    if held_s < announced_s * (1 - _LATE_SHARE) - _LATE_S:
        raise cut_off()


def _samples(frame: Any) -> NDArray[np.float32]:
    """A frame as ``[samples, channels]``, full scale 1."""
    data = frame.to_ndarray()
    channels = frame.layout.nb_channels
    data = data.T if frame.format.is_planar else data.reshape(-1, channels)
    kind = frame.format.name.removesuffix("p")
    if kind == "u8":
        data = data.astype(np.int16) - 128
    scale = _FULL_SCALE.get(kind)
    if scale is None:
        raise UnusableError(f"has samples of the kind {kind}", SAVE_AGAIN)
    with np.errstate(over="ignore", invalid="ignore"):
        samples = np.ascontiguousarray(data, np.float32)
    return samples if scale == 1.0 else samples / np.float32(scale)


def _never(url: str, *_: Any) -> NoReturn:
    """No file that a file names is opened."""
    raise PermissionError(f"{url} is not opened")


@contextmanager
def _heard(av: Any) -> Iterator[list[tuple[int, str, str]]]:
    """The errors that FFmpeg reports in this block, each its level, its part and its words."""
    before = av.logging.get_level()
    av.logging.set_level(av.logging.ERROR)
    try:
        with av.logging.Capture(local=True) as log:
            yield log
    finally:
        av.logging.set_level(before)


def _words(log: list[tuple[int, str, str]], error: Exception | None = None) -> str:
    """The first error that FFmpeg reported, or else what Python was told."""
    heard = [words for *_, words in log if _NOT_OURS not in words]
    text = heard[0] if heard else str(getattr(error, "strerror", None) or error)
    return " ".join("".join(c if c.isprintable() else " " for c in text).split()).rstrip(".")
