"""The fingerprint of a point: a hash of all that shapes what is measured, and of nothing else."""

from __future__ import annotations

import functools
import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from asr_scaling.machine.environment import environment, version
from asr_scaling.measure.named_files import named_files
from asr_scaling.model.weight_packages import CARRIERS
from asr_scaling.util.layers import MEASURING

_NOT_SHAPING = ("tracking", "sweep", "hydra", "optimiser", "seed", "experiment")
"""Options that are no part of the fingerprint; whatever else there is shapes a measurement."""
_WORDS_ONLY = ("licence", "published")
"""Keys of a model that only people read."""
_LIBRARIES = ("OMP_", "MKL_", "KMP_", "GOMP_", "MALLOC_", "TORCH", "PYTORCH", "ATEN_")
_PREFIXES = (*_LIBRARIES, "CUDA_", "NVIDIA_", "LD_PRELOAD")
"""Begin the names of environment variables that libraries of mathematics and memory read."""
_SCHEDULERS_OWN = ("CUDA_VISIBLE_DEVICES", "NVIDIA_VISIBLE_DEVICES")
"""Variables that say which GPU a scheduler gave a job: the next one of its kind is as good."""
_MACHINE = ("cpu", "cpu_cores", "python", "versions")
"""Facts of the environment that are part of the fingerprint."""
_UNSHAPING = ("uuid", "index", "nvml_index", "visible", "heap_kept_before")
"""Facts of a device that are not part of the fingerprint: they differ between devices of one kind,
or were left by earlier points of the process."""


def fingerprint(
    options: Mapping[str, Any],
    device: Mapping[str, Any],
    speech: Sequence[Path] | None = None,
) -> str:
    """SHA-256, in hexadecimal, of what decides the figures of a point.

    ``options``: all of the point; those of the system, speech, profilers, pipeline and of groups
    that are not known here count, and the number of the round where several processes measure the
    point. Files that they name (named_files.py) count by size and time of change.
    ``device``: what ``Device.setup`` found.
    ``speech``: the files that the dataset reads, None where it does not say.

    Processor, memory, versions, packages that carry weights, environment variables and the source
    of this package, as far as it measures, count too. Where records go, what only people read and
    the host's name do not.
    Raises OSError when a file can't be examined.
    """
    machine = environment()
    facts = {
        "options": {
            part: _without_words(value)
            for part, value in options.items()
            if part not in _NOT_SHAPING
        },
        "round": (options.get("sweep") or {}).get("round"),
        "files": named_files(options, speech),
        "device": {key: value for key, value in device.items() if key not in _UNSHAPING},
        "machine": {key: machine[key] for key in _MACHINE},
        "memory_gib": round(machine["memory_bytes"] / 2**30),  # a reboot changes the last bytes
        "weights": {name: version(name) for parts in CARRIERS.values() for name in parts},
        "variables": {
            name: value
            for name, value in os.environ.items()
            if name.startswith(_PREFIXES) and name not in _SCHEDULERS_OWN
        },
        "code": _code(),
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True, default=str).encode()).hexdigest()


def _without_words(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(k): _without_words(v) for k, v in value.items() if k not in _WORDS_ONLY}
    return value


@functools.cache
def _code() -> str:
    """Of the sources that measure, so that points of another version are measured again."""
    package, digest = Path(__file__).resolve().parents[1], hashlib.sha256()
    for path in sorted(package.rglob("*.py")):
        name = path.relative_to(package)
        if name.with_suffix("").parts[0] in MEASURING:
            digest.update(name.as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()
