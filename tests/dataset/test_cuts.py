"""Utterances cut out of recordings by the manifest's times."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

from asr_scaling.dataset import _cuts
from asr_scaling.dataset.folder import Folder
from asr_scaling.errors import DataError

RATE = 16_000


@pytest.fixture
def long(tmp_path: Path) -> np.ndarray:
    """Two seconds of which every sample tells where it is."""
    samples = (np.arange(2 * RATE) % 30_000).astype(np.int16)
    sf.write(tmp_path / "long.wav", samples, RATE, subtype="PCM_16")
    return samples.astype(np.float32) / 2**15


def folder(root: Path, *rows: dict[str, object], **options: object) -> Folder:
    lines = [json.dumps({"audio": "long.wav", "text": f"t{i}"} | row) for i, row in enumerate(rows)]
    (root / "manifest.jsonl").write_text("\n".join(lines))
    return Folder(path=str(root), **options)  # type: ignore[arg-type]


def test_cuts_are_the_samples_between_the_times(long: np.ndarray, tmp_path: Path):
    speech = folder(
        tmp_path,
        {"offset": 0.5, "duration": 0.25},
        {"start": 1.0, "end": 1.5},
        {"offset": 1.75},
        {"id": "whole"},
        {"id": "rounded", "offset": 1.5, "duration": 0.55},
    )
    loaded = speech.load(None)
    seconds = [(0.5, 0.75), (1.0, 1.5), (1.75, 2.0), (0, 2), (1.5, 2.0)]
    for utterance, (start_s, end_s) in zip(loaded.utterances, seconds, strict=True):
        expected = long[round(start_s * RATE) : round(end_s * RATE)]
        np.testing.assert_allclose(utterance.audio, expected, atol=1e-4)
    assert loaded.info.audio_s == pytest.approx(3.5)


def test_a_recording_is_decoded_once(
    long: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    rows = [{"offset": i / 20, "duration": 0.05} for i in range(40)]
    calls = []
    decode = _cuts.decode
    monkeypatch.setattr(_cuts, "decode", lambda *given: calls.append(given) or decode(*given))
    assert folder(tmp_path, *rows).load(None).info.utterances == 40
    assert len(calls) == 1
    assert folder(tmp_path, *rows, length_s=0.5).load(None).info.utterances > 1
    assert len(calls) == 2


def test_other_times_are_other_fragments(long: np.ndarray, tmp_path: Path):
    digests = set()
    for offset in (0, 0.5):
        rows = [{"offset": offset, "duration": 0.5, "id": "a"}, {"offset": 1, "id": "b"}]
        digests.add(folder(tmp_path, *rows, length_s=2).load(None).info.digest)
    assert len(digests) == 2


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({"offset": 1.5, "duration": 1}, ["lasts 2.000 s", "from 1.5 s to 2.5 s"]),
        ({"offset": 2.5}, ["lasts 2.000 s"]),
        ({"begin_time": 159, "end_time": 161}, ["leave them out where the file holds this"]),
        ({"offset": 0.5, "duration": 1e-6}, ["no audio from 0.5 s"]),
        ({"duration": 1.2}, ["lasts 2.000 s, not the 1.2 s"]),
        ({"duration": 20}, ["lasts 2.000 s, not the 20 s"]),
    ],
)
def test_times_that_the_audio_does_not_have(
    long: np.ndarray, tmp_path: Path, row: dict[str, float], words: list[str]
):
    with pytest.raises(DataError, match=r"manifest\.jsonl, line 2: ") as caught:
        folder(tmp_path, {"id": "good"}, row).load(None)
    for word in words:
        assert word in str(caught.value)


def test_a_duration_that_is_about_right_is_no_fault(long: np.ndarray, tmp_path: Path):
    assert folder(tmp_path, {"duration": 1.9}).load(None).info.audio_s == 2.0


def test_keys_that_nothing_is_made_of_are_in_the_record(long: np.ndarray, tmp_path: Path):
    info = folder(tmp_path, {"snr": 3, "Duration": 2, "domain": "x"}).load(None).info
    assert info.unused_keys == ("domain", "snr")
    assert info.name == tmp_path.name
