"""Keeps long recordings on disk, so that hours of them need no memory; damaged ones are not read.

Samples are written block by block and mapped into memory when they are used: 3.8 MB a minute.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from asr_scaling.core.workload import SAMPLE_RATE_HZ
from asr_scaling.util.cache import cache_dir, made_once, seal, sealed
from asr_scaling.util.mapped import mapped

VERSION = 1
"""To be raised when the same identity gives other samples, or files get another layout."""
_KIND, _SAMPLES = "recordings", "samples.f32"

Facts = Mapping[str, Any]
"""What is kept beside the samples, in the types that JSON has."""


@dataclass(frozen=True)
class Recording:
    """A recording on disk.

    samples: float32, ``[samples]``, mono, 16 kHz, mapped from its file.
    facts: what was kept beside them.
    cached: they were there before.
    """

    samples: NDArray[np.float32]
    facts: Facts
    cached: bool


def recording(identity: Mapping[str, Any], write: Callable[[BinaryIO], Facts]) -> Recording:
    """The recording that ``write`` makes, from the cache where it is there.

    When processes want the same at once, one makes it and the others wait.

    identity: all that determines the samples; ``VERSION`` and the sample rate are added.
    write: writes the samples to a file, float32, and returns the facts.

    Raises OSError when it can't be kept, and what ``write`` raises.
    """
    target = cache_dir(_KIND) / _key(identity)
    made: list[Facts] = []

    def make(folder: Path) -> None:
        with (folder / _SAMPLES).open("wb") as file:
            made.append(write(file))
        seal(folder, {"facts": made[-1]})

    facts = made_once(target, lambda: _facts(target), make)
    if facts is None:
        raise OSError(f"what was written to '{target}' can't be read again")
    return Recording(mapped(target / _SAMPLES), facts, cached=not made)


def put(file: BinaryIO, blocks: Iterable[NDArray[np.float32]]) -> int:
    """Write ``blocks`` of samples one after the other; returns how many samples they have."""
    samples = 0
    for block in blocks:
        file.write(np.ascontiguousarray(block, np.float32).data)
        samples += block.size
    return samples


def _facts(target: Path) -> dict[str, Any] | None:
    """The facts of a recording; None when there is none, or a byte of it changed."""
    stored = sealed(target, _SAMPLES)
    return None if stored is None else dict(stored["facts"])


def _key(identity: Mapping[str, Any]) -> str:
    whole = {"version": VERSION, "sample_rate_hz": SAMPLE_RATE_HZ, **identity}
    text = json.dumps(whole, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
