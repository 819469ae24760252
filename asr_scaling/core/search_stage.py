"""Which stage of a search a point belongs to, read from its options."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

FINAL = "final"
"""The stage whose figures are stated; those before it choose."""


def search_stage(config: Mapping[str, Any]) -> str:
    """ "search", "semifinal" or "final"; empty for a point of another sweep.

    config: options of a point, as its record keeps them.
    """
    return str((config.get("optimiser") or {}).get("stage") or "")
