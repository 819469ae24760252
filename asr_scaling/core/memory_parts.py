"""The peak memory of a process, and the parts that it is the sum of."""

from __future__ import annotations

from collections.abc import Mapping

MEMORY_PARTS = ("libraries", "weights", "kept", "activations", "loading")
"""What the peak memory of a process is the sum of, each as ``memory/…_rss_bytes``."""


def memory_parts(values: Mapping[str, float]) -> tuple[float, float, float] | None:
    """Bytes of libraries, of weights, and of what calls and loading need beyond them.

    values: metric → value of a point. None where they are not known.
    """
    parts = [values.get(f"memory/{part}_rss_bytes") for part in MEMORY_PARTS]
    known = [part for part in parts if part is not None]
    return (known[0], known[1], sum(known[2:])) if len(known) == len(parts) else None
