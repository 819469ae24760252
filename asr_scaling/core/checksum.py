"""A checksum inside a JSON file, of everything else in it: it finds changes that still parse."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

KEY = "sha256"


def signed(data: Mapping[str, Any]) -> dict[str, Any]:
    """``data`` with the checksum of its compact JSON, in its own order, as its last entry."""
    return {**data, KEY: _digest(data)}


def verified(data: Mapping[str, Any]) -> dict[str, Any]:
    """``data`` without its checksum. Raises ValueError when the checksum does not fit.

    Files from before there were checksums have none and are accepted.
    """
    plain = {key: value for key, value in data.items() if key != KEY}
    if KEY in data and data[KEY] != _digest(plain):
        raise ValueError(
            "its checksum does not fit: it was changed or damaged after it was written"
        )
    return plain


def _digest(data: Mapping[str, Any]) -> str:
    text = json.dumps(data, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode("ascii")).hexdigest()
