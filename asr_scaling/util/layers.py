"""The order of the package's parts: a part imports from rows above its own, and from nothing else."""

from __future__ import annotations

LAYERS: tuple[tuple[str, ...], ...] = (
    ("util",),
    ("errors",),
    ("core",),
    ("machine",),
    ("model",),
    ("engine", "device", "dataset", "batch", "profiler", "tracking"),
    ("optimisation", "measure"),
    ("records",),
    ("analysis",),
    ("search", "selftest", "launchers"),
    ("report",),
    ("sweep",),
    ("cli",),
    ("compare", "recommend", "sync", "__init__", "__main__"),
)
"""Names are folders and modules at the top of the package; parts of one row do not import each other."""
_LAST_TO_MEASURE = 6
MEASURING = frozenset(part for row in LAYERS[: _LAST_TO_MEASURE + 1] for part in row) - {"tracking"}
"""Parts whose source shapes a measurement: a change of one makes a sweep that goes on measure its points anew."""
