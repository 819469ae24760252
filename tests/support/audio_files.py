"""Audio files of every container and encoding that can be made here, with the samples that went in.

soundfile and PyAV write them; what they can't write (AMR, Speex) is not here.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import av
import numpy as np
import soundfile as sf
from numpy.typing import NDArray


@dataclass(frozen=True)
class Kind:
    """A way to store audio.

    container, encoding: as soundfile names them (in capitals) or FFmpeg.
    rate_hz, channels: of what is stored.
    slack_s: by how many seconds a whole file may be longer or shorter than what went in.
    lengthless: nothing in the file says how much audio is in it, as in a live recording.
    options: of FFmpeg's writer.
    """

    container: str
    encoding: str
    rate_hz: int = 16_000
    channels: int = 1
    slack_s: float = 0.002
    lengthless: bool = False
    options: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        options = "".join(f" {name}={value}" for name, value in self.options)
        shape = f"{self.rate_hz}" + (f"x{self.channels}" if self.channels > 1 else "")
        return f"{self.container} {self.encoding} {shape}{options}"


_PCM = ("PCM_16", "PCM_24", "PCM_U8", "FLOAT", "DOUBLE", "ULAW", "ALAW")
SAMPLED = [
    *(Kind("WAV", encoding) for encoding in _PCM),
    Kind("WAV", "PCM_16", 44_100, 2),
    Kind("WAV", "PCM_24", 96_000),
    Kind("WAV", "PCM_16", 8_000, 8),
    Kind("WAVEX", "PCM_16", 22_050),
    *(Kind(container, "PCM_16") for container in ("RF64", "W64", "AIFF", "CAF", "AU")),
    Kind("AIFF", "FLOAT", 11_025),
    Kind("AIFF", "ULAW", 8_000),
    Kind("AU", "ULAW", 8_000),
]
"""Stored sample by sample."""
BLOCKED = [
    Kind("WAV", "IMA_ADPCM", slack_s=0.07),
    Kind("WAV", "MS_ADPCM", slack_s=0.07),
    Kind("WAV", "GSM610", 8_000, slack_s=0.09),
    Kind("WAV", "G721_32", 8_000, slack_s=0.07),
    Kind("WAV", "NMS_ADPCM_16", 8_000, slack_s=0.07),
    Kind("AIFF", "IMA_ADPCM", slack_s=0.07),
    Kind("AU", "G723_24", 8_000, slack_s=0.07),
    Kind("CAF", "ALAC_16"),
    Kind("wav", "libmp3lame", slack_s=0.2),
]
"""Stored in blocks, in a container of chunks."""
LOSSLESS = [
    Kind("FLAC", "PCM_16"),
    Kind("FLAC", "PCM_24", 44_100, 2),
    Kind("ogg", "flac"),
    Kind("mov", "alac"),
]
_NO_TABLE = (("write_xing", "0"),)
FRAMED = [
    Kind("mp3", "libmp3lame", slack_s=0.01),
    Kind("mp3", "libmp3lame", 44_100, 2, slack_s=0.01),
    Kind("mp3", "libmp3lame", slack_s=0.2, lengthless=True, options=_NO_TABLE),
    Kind("mp3", "libmp3lame", 22_050, slack_s=0.2, lengthless=True, options=_NO_TABLE),
    Kind("MP3", "MPEG_LAYER_III", slack_s=0.01),
    Kind("adts", "aac", slack_s=0.2, lengthless=True),
]
PAGED = [
    Kind("ogg", "libopus", 48_000, slack_s=0.01),
    Kind("OGG", "VORBIS"),
    Kind("OGG", "VORBIS", 44_100, 2),
    Kind("OGG", "OPUS"),
]
BOXED = [
    Kind("ipod", "aac", slack_s=0.15),
    Kind("mp4", "aac", 44_100, 2, slack_s=0.15, options=(("movflags", "faststart"),)),
    Kind("mp4", "aac", slack_s=0.15, options=(("movflags", "frag_keyframe+empty_moov"),)),
    Kind("webm", "libopus", 48_000, slack_s=0.03),
    Kind("webm", "libopus", 48_000, slack_s=0.03, lengthless=True, options=(("live", "1"),)),
    Kind("matroska", "aac", slack_s=0.15),
    Kind("matroska", "flac"),
    Kind("mov", "pcm_s16le"),
    Kind("asf", "wmav2", slack_s=0.2),
]
KINDS = [*SAMPLED, *BLOCKED, *LOSSLESS, *FRAMED, *PAGED, *BOXED]


def speechlike(seconds: float, rate_hz: int, channels: int = 1) -> NDArray[np.float32]:
    """Noise whose level and pitch change, ``[samples, channels]``: encoders spend unequal bits."""
    n = round(seconds * rate_hz)
    t = np.arange(n) / rate_hz
    loud = 0.02 + 0.3 * np.sin(2 * np.pi * 1.3 * t) ** 2
    noise = np.random.default_rng(n).normal(0, 0.1, n)
    mono = loud * (np.sin(2 * np.pi * 180 * t + 3 * np.sin(2 * np.pi * 2 * t)) + noise)
    return np.repeat(mono.astype(np.float32)[:, None], channels, axis=1)


@cache
def made(kind: Kind, seconds: float = 2.0) -> bytes:
    """A file of ``kind`` that holds ``speechlike`` audio."""
    return written(kind, speechlike(seconds, kind.rate_hz, kind.channels))


def written(kind: Kind, samples: NDArray[np.float32]) -> bytes:
    """A file of ``kind`` that holds ``samples [samples, channels]``."""
    buffer = io.BytesIO()
    if kind.container.isupper() or kind.container == "W64":
        sf.write(buffer, samples, kind.rate_hz, format=kind.container, subtype=kind.encoding)
    else:
        with TemporaryDirectory() as folder:
            path = Path(folder, "audio")
            options = dict(kind.options)
            with av.open(str(path), "w", format=kind.container, options=options) as file:
                add_track(file, kind, samples)
            return path.read_bytes()
    return buffer.getvalue()


def add_track(file: Any, kind: Kind, samples: NDArray[np.float32]) -> None:
    """Encode ``samples`` into a track of ``file``, which PyAV writes."""
    stream = file.add_stream(kind.encoding, rate=kind.rate_hz)
    stream.layout = {1: "mono", 2: "stereo"}[kind.channels]
    stream.bit_rate = 48_000
    if kind.encoding == "libmp3lame":
        stream.codec_context.qscale = True  # variable bit rate
        stream.codec_context.options = {"q": "5"}
    frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples.T), "fltp", stream.layout.name)
    frame.rate, frame.pts = kind.rate_hz, 0
    file.mux(stream.encode(frame))
    file.mux(stream.encode(None))
