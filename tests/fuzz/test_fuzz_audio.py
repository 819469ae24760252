"""Whatever bytes are called audio: samples within bounds, or one sentence that names the file."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
from hypothesis import strategies as st
from support.fuzzing import cases, damaged, sentence

from asr_scaling.dataset._audio import load_audio
from asr_scaling.errors import DataError

DEMO = Path(__file__).parents[2] / "asr_scaling" / "dataset" / "demo_data" / "demo-070.flac"
CORPUS = Path(__file__).parent / "corpus" / "audio"
MAX_S = 20.0
KINDS = [
    ("WAV", "PCM_16"),
    ("WAV", "FLOAT"),
    ("WAV", "DOUBLE"),
    ("WAV", "PCM_24"),
    ("WAV", "PCM_U8"),
    ("WAV", "IMA_ADPCM"),
    ("WAV", "MS_ADPCM"),
    ("WAV", "ULAW"),
    ("WAVEX", "PCM_16"),
    ("RF64", "PCM_16"),
    ("W64", "PCM_16"),
    ("FLAC", "PCM_16"),
    ("FLAC", "PCM_24"),
    ("OGG", "VORBIS"),
    ("OGG", "OPUS"),
    ("MP3", "MPEG_LAYER_III"),
    ("AIFF", "PCM_16"),
    ("AIFF", "FLOAT"),
    ("CAF", "PCM_16"),
    ("CAF", "ALAC_16"),
    ("AU", "PCM_16"),
]
TELEPHONE = [("WAV", "GSM610"), ("WAV", "G721_32"), ("WAV", "NMS_ADPCM_16"), ("AU", "G723_24")]
"""As telephone systems record: one channel at 8 kHz, in blocks."""


def encoded(container: str, subtype: str) -> bytes:
    samples = 0.3 * np.sin(np.arange(1600) / 5) * np.hanning(1600)
    buffer = io.BytesIO()
    channels = 1 if (container, subtype) in TELEPHONE else 2
    rate_hz = 8000 if channels == 1 else 16_000
    sf.write(
        buffer, np.stack([samples] * channels, axis=1), rate_hz, format=container, subtype=subtype
    )
    return buffer.getvalue()


SEEDS = [encoded(*kind) for kind in KINDS + TELEPHONE] + [DEMO.read_bytes()[:6000]]


def decoded(data: bytes) -> None:
    """Samples as every model takes them, or one sentence."""
    try:
        audio = load_audio(data, "the file", MAX_S)
    except DataError as error:
        sentence(error, "'the file'")
        return
    assert audio.dtype == np.float32
    assert audio.ndim == 1
    assert 0 < audio.size <= MAX_S * 16_000 + 100
    assert np.isfinite(audio).all()


@pytest.mark.parametrize("kind", KINDS + TELEPHONE, ids=" ".join)
def test_what_is_damaged_below_is_whole_here(kind: tuple[str, str]):
    samples = 3200 if kind in TELEPHONE else 1600
    assert samples <= load_audio(encoded(*kind), "seed").size < 1.3 * samples


@cases("audio", data=damaged(SEEDS))
def test_damaged_files(data: bytes):
    decoded(data)


NUMBERS = st.sampled_from(
    [0, 1, 2, 3, 6, 7, 16, 17, 20, 34, 49, 80, 85, 0xFFFE, 0xFFFF]
) | st.integers(0, 0xFFFF)
SIZES = st.sampled_from(
    [0, 1, 15, 16, 17, 18, 40, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF]
) | st.integers(0, 2**32 - 1)
RATES = (
    st.sampled_from([0, 1, 4000, 8000, 16_000, 22_050, 384_000, 384_001, 2**31, 2**32 - 1]) | SIZES
)


@cases(
    "wav headers",
    kind=st.sampled_from([b"RIFF", b"RIFX", b"RF64"]),
    fields=st.tuples(NUMBERS, NUMBERS, RATES, SIZES, NUMBERS, NUMBERS),
    sizes=st.tuples(SIZES | st.just(36), SIZES | st.just(16), SIZES | st.just(64)),
    body=st.binary(max_size=64) | st.just(bytes(64)),
)
def test_headers_of_any_numbers(
    kind: bytes, fields: tuple[int, ...], sizes: tuple[int, int, int], body: bytes
):
    total, size, data = sizes
    decoded(
        kind + struct.pack("<I", total) + b"WAVEfmt " + struct.pack("<IHHIIHH", size, *fields)
        + b"data" + struct.pack("<I", data) + body
    )  # fmt: skip


@pytest.mark.parametrize("path", sorted(CORPUS.glob("*")), ids=lambda path: path.name)
def test_what_was_found_before(path: Path):
    decoded(path.read_bytes())
