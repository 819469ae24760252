"""What a processor can multiply quickly, by the instruction sets that it has."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_KNOWN = (
    "avx2",
    "avx512f",
    "avx_vnni",
    "avx512_vnni",
    "avx512_bf16",
    "amx_bf16",
    "amx_int8",
    "asimddp",
    "i8mm",
    "bf16",
)
"""As Linux calls them in /proc/cpuinfo; what else a processor has is not asked here."""
_CLASSES = {
    "amx": ("amx_int8", "amx_bf16"),
    "avx512_bf16": ("avx512_bf16",),
    "vnni": ("avx512_vnni", "avx_vnni"),
    "avx2": ("avx2",),
    "arm": ("asimddp", "i8mm", "bf16"),
}
"""Class of processor → instruction sets of which it has one, the fastest class first."""
GPU, UNKNOWN = "cuda", "unknown"


@functools.cache
def instructions(info: Path = Path("/proc/cpuinfo")) -> tuple[str, ...]:
    """The instruction sets of this processor that matter here; empty where they can't be read."""
    lines = info.read_text("utf-8", "replace").splitlines() if info.exists() else []
    flags = (line for line in lines if line.lower().startswith(("flags", "features")))
    found = set(next(flags, "").partition(":")[2].split())
    return tuple(name for name in _KNOWN if name in found)


def processor_class(environment: Mapping[str, Any], device: str) -> str:
    """The class of what computed: "amx", "vnni" …, "cuda", or "unknown" where it isn't recorded.

    environment: of a record.
    device: as torch calls it.
    """
    if device.startswith("cuda"):
        return GPU
    recorded = environment.get("instructions")
    found = recorded if isinstance(recorded, (list, tuple)) else ()
    owned = (name for name, sets in _CLASSES.items() if any(each in found for each in sets))
    return next(owned, UNKNOWN)
