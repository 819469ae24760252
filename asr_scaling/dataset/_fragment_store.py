"""Keeps fragments on disk between runs; damaged ones are not read."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from asr_scaling.core.workload import SAMPLE_RATE_HZ, Utterance
from asr_scaling.errors import DataError
from asr_scaling.util.cache import cache_dir, new_folder, put_aside

VERSION = 3
"""To be raised when the same options give other fragments, or files get another layout."""


def key(identity: Mapping[str, Any]) -> str:
    """SHA-256 of all that shapes fragments; ``VERSION`` and the sample rate are added."""
    return _sha(_canonical({"version": VERSION, "sample_rate_hz": SAMPLE_RATE_HZ, **identity}))


def read(name: str) -> tuple[list[Utterance], dict[str, Any]] | None:
    """The fragments and facts stored as ``name``; None when there are none, or a byte changed."""
    try:
        folder = cache_dir("fragments") / name
        stored = json.loads((folder / "index.json").read_bytes())
        body = stored["body"]
        if stored["sha256"] != _sha(_canonical(body)):
            return None
        return [_read_one(folder, item) for item in body["fragments"]], dict(body["facts"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError, DataError):
        return None


def _read_one(folder: Path, item: Mapping[str, Any]) -> Utterance:
    data = (folder / item["file"]).read_bytes()
    if _sha(data) != item["sha256"]:
        raise DataError(f"'{item['file']}' has changed; it is made again.")
    audio = np.load(io.BytesIO(data), allow_pickle=False)
    own = {name: item[name] for name in ("id", "reference", "speaker", "language")}
    return Utterance(audio=audio, parts=tuple(item["parts"]), doubts=tuple(item["doubts"]), **own)


def write(name: str, utterances: Sequence[Utterance], facts: Mapping[str, Any]) -> None:
    """Store fragments and facts as ``name``, in place of damaged ones.

    A full or read-only disk is no error, since the fragments are in memory already.
    """
    with contextlib.suppress(OSError):
        target = cache_dir("fragments") / name
        if read(name) is not None:  # another process was faster
            return
        put_aside(target)
        with new_folder(target) as folder:
            items = [
                _write_one(folder, f"{i:05d}.npy", utterance)
                for i, utterance in enumerate(utterances)
            ]
            body = {"fragments": items, "facts": dict(facts)}
            index = {"sha256": _sha(_canonical(body)), "body": body}
            (folder / "index.json").write_bytes(_canonical(index))


def _write_one(folder: Path, file: str, utterance: Utterance) -> dict[str, Any]:
    buffer = io.BytesIO()
    np.save(buffer, utterance.audio, allow_pickle=False)
    data = buffer.getvalue()
    (folder / file).write_bytes(data)
    return {
        "id": utterance.id,
        "file": file,
        "sha256": _sha(data),
        "reference": utterance.reference,
        "speaker": utterance.speaker,
        "language": utterance.language,
        "doubts": list(utterance.doubts),
        "parts": list(utterance.parts),
    }


def _canonical(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def _sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
