"""Files of weights in the hub's layout: which are there, and whether they are whole."""

from __future__ import annotations

import json
import struct
from pathlib import Path

_NAMES = ("model.safetensors", "pytorch_model.bin")
_LOADED = tuple(name + suffix for name in _NAMES for suffix in ("", ".index.json"))
"""In the order in which transformers looks for them."""


def missing_weights(folder: Path) -> str:
    """Why the weights in ``folder`` can't be loaded, as a predicate; empty where they can."""
    for name in _LOADED:
        if (folder / name).exists():
            whole, absent = _state(folder / name)
            named = f" ({', '.join(absent[:3])})" if absent else ""
            return "" if whole else f"has a {name} that is cut off or lacks a part{named}"
    return "has neither model.safetensors nor pytorch_model.bin"


def _state(path: Path) -> tuple[bool, list[str]]:
    """Whether ``path`` is whole; of an index also the parts that are not."""
    if path.suffix != ".json":
        return _whole(path), []
    try:
        shards = sorted(set(json.loads(path.read_bytes())["weight_map"].values()))
        absent = [shard for shard in shards if not _whole(path.with_name(shard))]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False, []
    return bool(shards) and not absent, absent


def _whole(path: Path) -> bool:
    """True when ``path`` is a file of weights of full length, as far as header and size tell."""
    try:
        size = path.stat().st_size
        if path.suffix != ".safetensors" or size < 8:
            return size >= 8
        with path.open("rb") as file:
            (length,) = struct.unpack("<Q", file.read(8))
            # the limit is that of safetensors
            header = json.loads(file.read(length)) if length < min(size, 100_000_000) else {}
        header.pop("__metadata__", None)
        ends = [entry["data_offsets"][1] for entry in header.values()]
        return bool(size == 8 + length + max(ends, default=-1))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, IndexError):
        return False
