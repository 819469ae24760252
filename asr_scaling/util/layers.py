"""The order of the package's parts: a part imports only from rows above its own."""

from __future__ import annotations

LAYERS: tuple[tuple[str, ...], ...] = (
    ("util",),
    ("errors",),
    ("core",),
    ("machine",),
    ("load", "model"),
    (
        "engine",
        "device",
        "dataset",
        "batch",
        "vad",
        "punctuation",
        "speaker",
        "serving",
        "scenario",
        "profiler",
        "tracking",
    ),
    ("optimisation", "cascade", "measure"),
    ("records",),
    ("analysis",),
    ("search", "selftest", "launchers"),
    ("report",),
    ("sweep",),
    ("server",),
    ("cli",),
    ("compare", "recommend", "sync", "conf", "__init__", "__main__"),
)
"""Folders and modules at the top of the package; parts of one row don't import each other."""
_LAST_TO_MEASURE = 6
MEASURING = frozenset(part for row in LAYERS[: _LAST_TO_MEASURE + 1] for part in row) - {"tracking"}
"""Parts whose source shapes a measurement. After a change of one, a resumed sweep measures its
points again."""
