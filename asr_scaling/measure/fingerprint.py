"""What makes two measurements the same one: a hash of everything that shapes a point, and of nothing else."""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from asr_scaling.machine.environment import environment
from asr_scaling.model.packages import CARRIERS
from asr_scaling.util.layers import MEASURING

_SHAPING = ("model", "engine", "optimisation", "device", "dataset", "batch", "profiler", "pipeline")
_WORDS_ONLY = ("licence", "published")
"""Keys of a model that only people read."""
_VARIABLES = (
    "OMP_",
    "MKL_",
    "KMP_",
    "GOMP_",
    "MALLOC_",
    "TORCH",
    "PYTORCH",
    "ATEN_",
    "CUDA_",
    "NVIDIA_",
    "LD_PRELOAD",
)
_GIVEN = ("CUDA_VISIBLE_DEVICES", "NVIDIA_VISIBLE_DEVICES")
"""Which GPU a scheduler gave a job: the next one of its kind is as good."""
_MACHINE = ("cpu", "cpu_cores", "python", "versions")
_UNSHAPING = ("uuid", "index", "nvml_index", "visible", "heap_kept_before")
"""Facts of a device that differ between devices of one kind, or that earlier points of the process left."""


def identity(options: Mapping[str, Any], device: Mapping[str, Any]) -> str:
    """SHA-256, in hexadecimal, of a point's ``options`` and of what it runs on.

    Options of model, engine, device, dataset, batch, profilers and pipeline, the round of an interleaved sweep; files
    that they name by ``path``, by size and time of change; ``device``: what ``Device.setup`` found; processor, memory,
    versions; packages that carry weights; variables that libraries of mathematics and memory read; the source of this
    package, as far as it measures. Not: where records go, what only people read, the host's name.
    """
    machine = environment()
    facts = {
        "options": {part: _plain(options.get(part)) for part in _SHAPING},
        "round": (options.get("sweep") or {}).get("round"),
        "files": sorted(_files(options)),
        "device": {key: value for key, value in device.items() if key not in _UNSHAPING},
        "machine": {key: machine[key] for key in _MACHINE},
        "memory_gib": round(
            machine["memory_bytes"] / 2**30
        ),  # the last bytes differ from one start to the next
        "weights": {
            name: _version(name) for carrier in CARRIERS.values() for name in carrier.packages
        },
        "variables": {
            key: os.environ[key]
            for key in sorted(os.environ.keys() - _GIVEN)
            if key.startswith(_VARIABLES)
        },
        "code": _code(),
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True, default=str).encode()).hexdigest()


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(entry) for key, entry in value.items() if key not in _WORDS_ONLY}
    return value


def _files(value: Any, key: str = "") -> Iterator[tuple[str, int, int]]:
    """Name, size in bytes and time of change of every file below the paths that options name."""
    if isinstance(value, Mapping):
        for name, entry in value.items():
            if name != "tracking":
                yield from _files(entry, str(name))
    elif key == "path" and isinstance(value, (list, tuple)):
        for each in value:
            yield from _files(each, key)
    elif key == "path" and isinstance(value, str):
        root = Path(value).expanduser()
        for path in (root, *root.rglob("*")) if root.is_dir() else (root,):
            if path.is_file():
                found = path.stat()
                yield str(path), found.st_size, found.st_mtime_ns


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


@functools.cache
def _code() -> str:
    """Of the sources that measure, so that another version's points are measured again."""
    package, digest = Path(__file__).resolve().parents[1], hashlib.sha256()
    for path in sorted(package.rglob("*.py")):
        name = path.relative_to(package)
        if name.with_suffix("").parts[0] in MEASURING:
            digest.update(name.as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()
