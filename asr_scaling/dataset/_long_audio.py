"""Samples of a decoded file: in memory, or on disk where they are many."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from asr_scaling.core.workload import SAMPLE_RATE_HZ
from asr_scaling.dataset._audio_checks import check_length
from asr_scaling.dataset._containers import UnusableError
from asr_scaling.dataset._recording_store import Facts, put, recording
from asr_scaling.util.cache import cache_dir, file_sha256

LONG_S = 600
"""Seconds of audio above which it is kept on disk."""

Samples = NDArray[np.float32]


def gathered(
    blocks: Iterator[Samples],
    source: str | Path | bytes | None,
    max_s: float,
    doubts: Callable[[], tuple[str, ...]],
) -> tuple[Samples, tuple[str, ...]]:
    """All samples of ``blocks``, and the kinds of cautions that they give reason for.

    Audio longer than ``LONG_S`` is written to the cache block by block and mapped from there, so
    that no length of it needs memory; where the cache can't be used, it stays in memory. It is
    found there again by the contents of its file, and is then not decoded to its end.

    source: the path of the file, or its contents; None to keep nothing on disk.
    max_s: seconds of the longest file allowed.
    doubts: the kinds of cautions, known once ``blocks`` has come to its end.

    Raises UnusableError for no samples, for too many, and when the disk is full.
    """
    first, seconds = list[Samples](), 0.0
    while seconds <= LONG_S:
        block = next(blocks, None)
        if block is None:
            return _joined(first), doubts()
        first.append(block)
        seconds += block.size / SAMPLE_RATE_HZ
    every = _after(first, blocks)
    if source is None or not _kept():
        return _joined(list(every)), doubts()
    return _on_disk(every, source, max_s, doubts)


def _after(first: list[Samples], blocks: Iterator[Samples]) -> Iterator[Samples]:
    """``first``, whose blocks are given up one by one, and then ``blocks``."""
    first.reverse()
    while first:
        yield first.pop()
    yield from blocks


def _joined(blocks: list[Samples]) -> Samples:
    if not sum(block.size for block in blocks):
        raise UnusableError("holds no audio", "remove it from the dataset or export it again")
    return np.concatenate(blocks)


def _kept() -> bool:
    """Whether the cache has a folder for recordings."""
    try:
        return cache_dir("recordings").is_dir()
    except OSError:
        return False


def _on_disk(
    blocks: Iterator[Samples],
    source: str | Path | bytes,
    max_s: float,
    doubts: Callable[[], tuple[str, ...]],
) -> tuple[Samples, tuple[str, ...]]:
    def write(file: BinaryIO) -> Facts:
        put(file, blocks)
        return {"doubts": doubts()}

    try:
        contents = source if isinstance(source, bytes) else None
        sha = file_sha256(Path(str(source))) if contents is None else _sha256(contents)
        kept = recording({"kind": "file", "sha256": sha}, write)
    except OSError as error:
        raise UnusableError(
            f"is long, and can't be kept decoded in the cache ({error.strerror or error})",
            "free space there, or set ASR_SCALING_CACHE to a folder with room",
        ) from error
    check_length(kept.samples.size / SAMPLE_RATE_HZ - 1e-6, max_s)
    return kept.samples, tuple(kept.facts["doubts"])


def _sha256(contents: bytes) -> str:
    return hashlib.sha256(contents).hexdigest()
