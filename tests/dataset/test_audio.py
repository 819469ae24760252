"""load_audio: every format becomes mono float32 at 16 kHz, every broken file one sentence."""

from __future__ import annotations

import struct

import numpy as np
import pytest

from asr_scaling.dataset._audio import load_audio
from asr_scaling.errors import DataError


@pytest.mark.parametrize("rate_hz", [8_000, 16_000, 44_100])
@pytest.mark.parametrize("container", ["WAV", "FLAC", "MP3", "OGG"])
@pytest.mark.parametrize("channels", [1, 2])
def test_every_format_keeps_pitch_length_and_level(tone, encoded, rate_hz, container, channels):
    samples = tone(1.0, rate_hz)
    data = encoded(np.stack([samples] * channels, axis=1), rate_hz, container)
    audio = load_audio(data, "x")
    assert audio.dtype == np.float32
    assert audio.shape == (16_000,)
    middle = audio[4000:12_000]
    spectrum = np.abs(np.fft.rfft(middle * np.hanning(middle.size)))
    assert np.argmax(spectrum) * 16_000 / middle.size == pytest.approx(440, abs=2)
    assert np.sqrt((middle**2).mean()) == pytest.approx(0.3 / np.sqrt(2), rel=0.03)


def test_16_khz_wav_is_bit_exact_and_comes_from_paths_too(tone, encoded, tmp_path):
    samples = tone(0.5)
    data = encoded(samples, container="WAV", subtype="FLOAT")
    (tmp_path / "a.mp3").write_bytes(data)  # contents decide, not the suffix
    assert np.array_equal(load_audio(data, "x"), samples)
    assert np.array_equal(load_audio(tmp_path / "a.mp3", "x"), samples)


def test_channels_are_averaged(tone, encoded):
    left = tone(0.2)
    stereo = np.stack([left, np.zeros_like(left)], axis=1)
    assert np.allclose(
        load_audio(encoded(stereo, container="WAV", subtype="FLOAT"), "x"), left / 2, atol=1e-7
    )


def refused(data, *words):
    with pytest.raises(DataError) as caught:
        load_audio(data, "my.wav")
    message = str(caught.value)
    assert message.startswith("'my.wav'")
    assert message.endswith(".")
    assert message.count("\n") == 0
    assert ";" in message, "the remedy follows a semicolon"
    for word in words:
        assert word in message
    return message


def test_empty_file():
    refused(b"", "0 bytes")


def test_missing_file_and_folder(tmp_path):
    refused(tmp_path / "nothing.wav", "can't be opened")
    refused(tmp_path, "can't be opened")


def test_samples_without_a_header(tmp_path):
    (tmp_path / "a.raw").write_bytes(b"12" * 100)
    refused(tmp_path / "a.raw", "can't be read as audio")


@pytest.mark.parametrize("data", [b"not audio at all", b"\0" * 1000, b"RIFF"])
def test_no_audio(data):
    refused(data, "can't be read as audio", "WAV, FLAC")


def test_no_samples(encoded):
    refused(encoded(np.zeros(0, np.float32), container="WAV"), "holds no audio")


@pytest.mark.parametrize("container", ["WAV", "FLAC", "MP3", "OGG", "AIFF"])
@pytest.mark.parametrize("share", [0.4, 0.8])
def test_cut_off_files(tone, encoded, container, share):
    noisy = tone(6.0) + np.random.default_rng(0).normal(0, 0.05, 96_000).astype(np.float32)
    data = encoded(noisy, container=container)
    refused(data[: int(len(data) * share)], "again")


def test_wav_written_to_a_pipe_is_whole(tone, encoded):
    data = bytearray(encoded(tone(0.5), container="WAV"))
    data[4:8] = data[data.index(b"data") + 4 : data.index(b"data") + 8] = struct.pack(
        "<I", 0xFFFF_FFFF
    )
    assert load_audio(bytes(data), "x").size == 8000


def test_rate_of_zero_and_absurd_rates(tone, encoded):
    data = bytearray(encoded(tone(0.1), container="WAV"))
    for rate_hz in (0, 50, 2_000_000):
        data[24:28] = struct.pack("<I", rate_hz)
        refused(bytes(data))


def test_too_many_channels(encoded):
    refused(encoded(np.zeros((100, 9), np.float32), container="WAV"), "9 channels", "mono")
    assert load_audio(encoded(np.zeros((100, 8), np.float32), container="WAV"), "x").size == 100


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_not_finite(tone, encoded, value):
    samples = tone(0.1)
    samples[7] = value
    refused(encoded(samples, container="WAV", subtype="FLOAT"), "NaN or infinite")


def test_double_precision_beyond_float32(encoded):
    refused(encoded(np.full(100, 1e300), container="WAV", subtype="DOUBLE"), "NaN or infinite")


def test_integers_stored_as_floats(tone, encoded):
    refused(encoded(tone(0.1) * 32768, container="WAV", subtype="FLOAT"), "full scale")


def test_too_long_is_refused_before_it_is_read(tone, encoded):
    data = bytearray(encoded(tone(1.0), container="FLAC"))
    data[21:26] = bytes(
        [data[21] | 0x0F, 255, 255, 255, 255]
    )  # 2^36 - 1 samples, RFC 9639 section 8.2
    assert "split it into utterances." in refused(bytes(data), "longer than 14400 s")
    with pytest.raises(
        DataError, match=r"longer than 0.9 s; split it .*, or raise dataset.max_utterance_s\."
    ):
        load_audio(encoded(tone(1.0)), "x", 0.9)
    assert load_audio(encoded(tone(1.0)), "x", 1.0).size == 16_000


def test_a_stream_of_unknown_length_is_decoded_to_its_end(tone, encoded):
    data = bytearray(encoded(tone(1.0), container="FLAC"))
    data[21:26] = bytes([data[21] & 0xF0, 0, 0, 0, 0])
    assert np.array_equal(
        load_audio(bytes(data), "x"), load_audio(encoded(tone(1.0), container="FLAC"), "x")
    )


@pytest.mark.parametrize("container", ["SVX", "VOC", "IRCAM", "NIST", "PAF", "MAT4", "HTK"])
def test_formats_that_nobody_keeps_speech_in(tone, encoded, container):
    refused(
        encoded(tone(0.1), container=container, subtype="PCM_16"), "unknown format", "WAV, FLAC"
    )
