"""The synthetic speech that comes with the package, of which several datasets are made."""

from __future__ import annotations

from pathlib import Path

from asr_scaling.dataset._manifest import ManifestEntry, read_manifest
from asr_scaling.errors import DataError

LICENCE = "Apache-2.0; the synthesisers' notices are in demo_data/README.md"
SOURCE = "package:asr_scaling/dataset/demo_data"
VOICES = 3
"""Speakers of it."""


def demo_entries() -> list[ManifestEntry]:
    """All utterances in their order. Raises DataError when the speech is not installed."""
    root = Path(__file__).parent / "demo_data"
    if not root.is_dir():
        raise DataError(
            "The demo speech is missing from this installation; install asr-scaling again."
        )
    return read_manifest(root)


def is_clean(entry: ManifestEntry) -> bool:
    """Whether it is speech without noise."""
    return bool(entry.extra.get("condition", "clean") == "clean")
