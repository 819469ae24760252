"""Whatever a Parquet file and the audio in it hold: utterances, or one sentence."""

from __future__ import annotations

import functools
import io
import json
import tempfile
from pathlib import Path

import numpy as np
import soundfile as sf
from hypothesis import strategies as st
from support.fuzzing import cases, damaged, sentence

from asr_scaling.dataset.librispeech import LibriSpeech
from asr_scaling.errors import DataError


@functools.cache
def place() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="fuzz-")


@functools.cache
def speech() -> bytes:
    buffer = io.BytesIO()
    sf.write(buffer, 0.1 * np.sin(np.arange(800)), 16_000, format="FLAC")
    return buffer.getvalue()


def parquet(audio: bytes) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = [
        {
            "id": f"{i}",
            "text": "WORDS",
            "speaker_id": 7,
            "audio": {"bytes": data, "path": "/etc/passwd"},
        }
        for i, data in enumerate([speech(), audio])
    ]
    kinds = {"id": "string", "text": "string", "speaker_id": "int64"}
    features = {name: {"dtype": kind, "_type": "Value"} for name, kind in kinds.items()} | {
        "audio": {"_type": "Audio"}
    }
    table = pa.Table.from_pylist(rows).replace_schema_metadata(
        {"huggingface": json.dumps({"info": {"features": features}})}
    )
    buffer = io.BytesIO()
    pq.write_table(table, buffer)
    return buffer.getvalue()


def loaded(data: bytes) -> None:
    path = Path(place().name) / "speech.parquet"
    path.write_bytes(data)
    try:
        workload = LibriSpeech(path=str(path), max_utterance_s=5).load(None)
    except DataError as error:
        sentence(error)
    else:
        assert 1 <= len(workload.utterances) <= 2
        assert all(0 < utterance.duration_s <= 5.1 for utterance in workload.utterances)


def test_what_is_damaged_below_is_whole_here():
    path = Path(place().name) / "whole.parquet"
    path.write_bytes(parquet(speech()))
    assert len(LibriSpeech(path=str(path)).load(None).utterances) == 2


@cases(
    "parquet",
    data=st.deferred(lambda: damaged([parquet(speech())]) | damaged([speech()]).map(parquet)),
)
def test_damaged_files(data: bytes):
    loaded(data)
