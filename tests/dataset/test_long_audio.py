"""Long files are decoded into the cache piece by piece, and are the same samples as short ones."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
from support.peaks import most_memory

from asr_scaling.dataset import _audio, _long_audio
from asr_scaling.dataset._audio import decode
from asr_scaling.errors import DataError


def speech(seconds: float, rate_hz: int, channels: int = 1) -> np.ndarray:
    random = np.random.default_rng(0)
    return random.normal(0, 0.1, (round(seconds * rate_hz), channels)).astype(np.float32)


@pytest.fixture
def long(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything above a second is long."""
    monkeypatch.setattr(_long_audio, "LONG_S", 1.0)


def recordings(cache: Path) -> list[Path]:
    return sorted((cache.parent / "recordings").glob("*/samples.f32"))


@pytest.mark.parametrize("form", [(8_000, 1), (16_000, 2), (44_100, 2)])
@pytest.mark.parametrize("container", ["WAV", "FLAC", "OGG", "MP3"])
def test_the_samples_are_those_of_a_file_in_memory(encoded, cache, monkeypatch, form, container):
    rate_hz, channels = form
    data = encoded(speech(30, rate_hz, channels), rate_hz, container)
    in_memory = decode(data, "x")
    assert recordings(cache) == []
    monkeypatch.setattr(_long_audio, "LONG_S", 1.0)
    on_disk = decode(data, "x")
    assert len(recordings(cache)) == 1
    assert np.array_equal(on_disk.samples, in_memory.samples)
    assert on_disk.samples.dtype == np.float32
    assert on_disk.doubts == in_memory.doubts
    assert not on_disk.samples.flags.writeable


def test_it_is_decoded_once_to_its_end(encoded, cache, long, monkeypatch, tmp_path):
    left = speech(60, 16_000)
    data = encoded(np.concatenate([left, -left], axis=1), container="WAV")
    first = decode(data, "x")
    assert first.doubts == ("CancellingChannels",)
    blocks = []
    mono = _audio.Mix.mono
    monkeypatch.setattr(_audio.Mix, "mono", lambda *given: blocks.append(1) or mono(*given))
    (tmp_path / "b.wav").write_bytes(data)
    again = decode(tmp_path / "b.wav", "x")
    assert again.doubts == first.doubts, "what the whole of it gave reason for"
    assert np.array_equal(again.samples, first.samples)
    assert len(blocks) == 1
    assert len(recordings(cache)) == 1


def test_other_contents_are_another_recording(encoded, cache, long):
    for seconds in (2, 3):
        assert decode(encoded(speech(seconds, 16_000)), "x").samples.size == seconds * 16_000
    assert len(recordings(cache)) == 2


def test_what_is_too_long_is_refused_from_the_cache_too(encoded, long):
    data = bytearray(encoded(speech(30, 16_000)))
    data[21:26] = bytes([data[21] & 0xF0, 0, 0, 0, 0])  # RFC 9639, 8.2: of unknown length
    data = bytes(data)
    decode(data, "x")
    with pytest.raises(DataError, match=r"'x' is longer than 20 s; split it"):
        decode(data, "x", 20)


def test_a_damaged_file_leaves_nothing_in_the_cache(encoded, cache, long):
    data = encoded(speech(30, 16_000))
    with pytest.raises(DataError, match="'x' is cut off"):
        decode(data[: len(data) * 3 // 4], "x")
    assert recordings(cache) == []


def test_a_damaged_entry_is_made_again(encoded, cache, long):
    data = encoded(speech(3, 16_000))
    fresh = decode(data, "x").samples.copy()
    (file,) = recordings(cache)
    file.write_bytes(file.read_bytes()[:-4])
    assert np.array_equal(decode(data, "x").samples, fresh)


def test_a_cache_that_can_t_be_used_is_no_error(encoded, long, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("ASR_SCALING_CACHE", str(tmp_path / "file"))
    samples = speech(3, 16_000)
    found = decode(encoded(samples, container="WAV", subtype="FLOAT"), "x")
    assert np.array_equal(found.samples, samples[:, 0])


def test_a_full_disk_is_one_sentence(encoded, long, monkeypatch):
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(_long_audio, "put", full)
    with pytest.raises(DataError, match=r"\(No space left on device\); free space there, or set"):
        decode(encoded(speech(3, 16_000)), "x")


def peak_bytes(folder: Path, minutes: int) -> int:
    """Most memory of a process that loads a folder with one file of 8 kHz and reads it all."""
    folder.mkdir()
    with sf.SoundFile(folder / "a.wav", "w", 8_000, 1, "PCM_16") as file:
        for _ in range(minutes):
            file.write(speech(60, 8_000))
    (folder / "a.rttm").write_text("SPEAKER a 1 0 60 <NA> <NA> ann <NA> <NA>\n")
    return most_memory(
        "from asr_scaling.dataset.folder import Folder",
        f"(u,) = Folder(path={str(folder)!r}).load(None).utterances",
        f"assert u.duration_s == {60 * minutes}",
    )


@pytest.mark.skipif(sys.platform != "linux", reason="reads the peak from /proc")
def test_a_long_file_needs_no_more_memory_than_a_short_one(tmp_path: Path):
    """12 minutes are 46 MB, 40 are 154 MB."""
    assert peak_bytes(tmp_path / "40", 40) - peak_bytes(tmp_path / "12", 12) < 30e6
