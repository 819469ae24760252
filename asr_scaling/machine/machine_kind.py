"""Kinds of machines: only figures of one kind are compared."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

UNKNOWN_GPU = "unknown GPU"


def machine_kind(environment: Mapping[str, Any]) -> str:
    """Processor, cores and memory of a record's machine: "AMD EPYC 7B12, 16 cores, 64 GiB"."""
    cpu, cores = environment.get("cpu", "unknown CPU"), environment.get("cpu_cores", "?")
    return ", ".join(filter(None, (f"{cpu}, {cores} cores", memory_class(environment))))


def memory_class(environment: Mapping[str, Any]) -> str:
    """The size of the built-in memory, such as "64 GiB"; empty where it was not recorded.

    It is 2^k or 1.5 · 2^k GiB. A kernel reports a little less, and not the same at every start.
    """
    count = environment.get("memory_bytes")
    if not isinstance(count, int | float) or not 0 < count < 2**60:
        return ""
    sizes = (size for k in itertools.count() for size in (2**k, 3 * 2**k / 2))
    return f"{next(size for size in sizes if count <= size * 2**30):g} GiB"


def gpu_name(environment: Mapping[str, Any]) -> str | None:
    """Name of the record's GPU; None on a CPU or when the point failed before it was known."""
    name = (environment.get("device") or {}).get("gpu")
    return None if name is None else str(name)


def hardware_name(environment: Mapping[str, Any], device: str) -> str:
    """Name of the CPU, with its cores, or of the GPU that computed.

    device: as torch calls it.
    """
    if device.startswith("cuda"):
        return gpu_name(environment) or UNKNOWN_GPU
    return f"{environment.get('cpu', 'unknown CPU')}, {environment.get('cpu_cores', '?')} cores"


def unlike(a: Mapping[str, Any], b: Mapping[str, Any]) -> str:
    """How the machines of two records differ in kind; empty where they don't.

    a, b: the records' environments.

    A GPU that only one of them has is no difference: cpu and cuda of one machine may be compared.
    """
    pairs = (machine_kind(a), machine_kind(b)), (gpu_name(a), gpu_name(b))
    return ", ".join(
        f"{one} and {other}" for one, other in pairs if None not in (one, other) and one != other
    )
