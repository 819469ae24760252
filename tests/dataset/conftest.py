"""Audio, folders and Parquet files in the layouts that the datasets read, made on the spot."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile as sf

from asr_scaling.errors import DataError


@pytest.fixture(autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of its own for every test."""
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("ASR_SCALING_CACHE", str(folder))
    return folder / "fragments"


def tone(seconds: float, rate_hz: int = 16_000, hz: float = 440.0) -> np.ndarray:
    return (0.3 * np.sin(2 * np.pi * hz * np.arange(round(seconds * rate_hz)) / rate_hz)).astype(
        np.float32
    )


def encoded(
    samples: np.ndarray, rate_hz: int = 16_000, container: str = "FLAC", subtype: str | None = None
) -> bytes:
    buffer = io.BytesIO()
    sf.write(buffer, samples, rate_hz, format=container, subtype=subtype)
    return buffer.getvalue()


@pytest.fixture(name="tone")
def tone_fixture() -> Callable[..., np.ndarray]:
    return tone


@pytest.fixture(name="encoded")
def encoded_fixture() -> Callable[..., bytes]:
    return encoded


@pytest.fixture
def make_folder(tmp_path: Path) -> Callable[..., Path]:
    """A folder dataset of tones with the given durations in seconds."""

    def make(durations: Sequence[float], where: Path | None = None) -> Path:
        root = where or tmp_path / "speech"
        root.mkdir(parents=True, exist_ok=True)
        lines = []
        for i, seconds in enumerate(durations):
            (root / f"u{i}.wav").write_bytes(
                encoded(tone(seconds, hz=200 + 10 * i), container="WAV")
            )
            lines.append({"audio": f"u{i}.wav", "text": f"words of {i}", "speaker": "a"})
        (root / "manifest.jsonl").write_text("\n".join(map(json.dumps, lines)) + "\n")
        return root

    return make


@pytest.fixture
def write_parquet() -> Callable[..., Path]:
    """Rows to a Parquet file whose metadata declares ``audio`` as the hub's files do."""

    def write(path: Path, rows: list[dict[str, Any]], row_group_size: int = 100) -> Path:
        import pyarrow as pa
        import pyarrow.parquet as pq

        table = pa.Table.from_pylist(rows)
        if rows and isinstance(rows[0].get("audio"), dict):
            names = {"double": "float64"}
            features: dict[str, Any] = {
                name: {"dtype": names.get(str(kind), str(kind)), "_type": "Value"}
                for name, kind in zip(table.schema.names, table.schema.types, strict=True)
            }
            features["audio"] = {"sampling_rate": 16_000, "_type": "Audio"}
            table = table.replace_schema_metadata(
                {"huggingface": json.dumps({"info": {"features": features}})}
            )
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(table, path, row_group_size=row_group_size)
        return path

    return write


def giga_row(i, text, data, path=None):
    return {
        "segment_id": f"POD1000000004_S{i:07d}",
        "speaker": "N/A",
        "text": text,
        "audio": {"bytes": data, "path": path or f"{i}.wav"},
        "begin_time": 1.5 * i,
        "end_time": 1.5 * i + 1,
        "audio_id": "POD1000000004",
        "title": "t",
        "url": "u",
        "source": 1,
        "category": 3,
        "original_full_path": "audio/podcast/P0000/POD1000000004.opus",
    }


TEXTS = [
    "AS THEY'RE LEAVING <COMMA> CAN KASH PULL ZAHRA ASIDE REALLY QUICKLY <QUESTIONMARK>",
    "<MUSIC>",
    "WELL <PERIOD>",
    "<SIL>",
    "<OTHER>",
    "HEY <EXCLAMATIONPOINT>",
    "AND <NOISE> THEN",
    "<COMMA>",
]


@pytest.fixture
def gigaspeech(tmp_path, write_parquet, tone, encoded):
    rows = [
        giga_row(i, text, encoded(tone(0.2 + i / 10), container="WAV"))
        for i, text in enumerate(TEXTS)
    ]
    return write_parquet(tmp_path / "giga" / "test.parquet", rows)


@pytest.fixture
def librispeech(tmp_path, write_parquet, tone, encoded):
    """40 rows in two files, longest first, as LibriSpeech's mirrors store them."""

    def row(i):
        audio = {
            "bytes": encoded(tone(1.2 - i / 50, hz=200 + 10 * i)),
            "path": f"61-1-{i:04d}.flac",
        }
        return {
            "file": f"/x/61-1-{i:04d}.flac",
            "audio": audio,
            "text": f"HE SAID {i}",
            "speaker_id": 61 + i % 3,
            "chapter_id": 1,
            "id": f"61-1-{i:04d}",
        }

    folder = tmp_path / "libri [speech]" / "clean"
    write_parquet(folder / "test-0000-of-0002.parquet", [row(i) for i in range(25)])
    write_parquet(folder / "test-0001-of-0002.parquet", [row(i) for i in range(25, 40)])
    return folder


@pytest.fixture(name="giga_row")
def giga_row_fixture() -> Callable[..., dict[str, Any]]:
    return giga_row


@pytest.fixture
def refused() -> Callable[..., None]:
    """Expect one sentence with all of ``words`` from loading ``dataset``."""

    def check(dataset: Any, *words: str, limit: int | None = None) -> None:
        with pytest.raises(DataError) as caught:
            dataset.load(limit)
        message = str(caught.value)
        assert message.endswith(".")
        assert "\n" not in message
        for word in words:
            assert word in message

    return check
