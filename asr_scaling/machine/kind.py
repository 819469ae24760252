"""Kinds of machines: only figures of one kind are compared."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

_GIB = 2**30


def machine_kind(environment: Mapping[str, Any]) -> str:
    """Processor, cores and memory of a record's machine: "AMD EPYC 7B12, 16 cores, 64 GiB"."""
    cpu, cores = environment.get("cpu", "unknown CPU"), environment.get("cpu_cores", "?")
    return ", ".join(filter(None, (f"{cpu}, {cores} cores", memory_class(environment))))


def memory_class(environment: Mapping[str, Any]) -> str:
    """ "64 GiB": the size that is built in, 2^k or 1.5 · 2^k GiB; empty where it was not recorded.

    What a kernel reports lies a little below it, by another little at every start and on every node of a kind.
    """
    count = environment.get("memory_bytes")
    if not isinstance(count, int | float) or not 0 < count < 2**60:
        return ""
    sizes = (size for k in itertools.count() for size in (2**k, 3 * 2**k / 2))
    return f"{next(size for size in sizes if count <= size * _GIB):g} GiB"


def gpu_name(environment: Mapping[str, Any]) -> str | None:
    """Name of the record's GPU; None on a CPU or when the point failed before it was known."""
    name = (environment.get("device") or {}).get("gpu")
    return None if name is None else str(name)


def unlike(a: Mapping[str, Any], b: Mapping[str, Any]) -> str:
    """What makes the machines of two records' environments of different kinds; empty where they are of one.

    A GPU that only one of them has is no difference: cpu and cuda of one machine may be compared.
    """
    told = [
        f"{one} and {other}" for one, other in ((machine_kind(a), machine_kind(b)),) if one != other
    ]
    gpus = gpu_name(a), gpu_name(b)
    if None not in gpus and gpus[0] != gpus[1]:
        told.append(f"{gpus[0]} and {gpus[1]}")
    return ", ".join(told)
