"""What records of earlier versions called by a name that means something else now."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

MEMORY_SCOPE = {"memory/scope": "the whole process, which has only this system in it"}
"""Tag of records whose peak memory is that of the whole process."""
_PEAK = "memory/peak_rss_bytes"
_IDLE = "memory/idle_rss_bytes"
"""What the peak was above; records that have it are those of earlier versions."""
ABOVE_IDLE = "memory/peak_above_idle_bytes"
"""Metric of records whose peak memory leaves out what the process held before loading."""
FITTED_IN = "batch/process"
"""Tag of records whose largest batch was looked for by all that a process holds."""
_WHY = "an earlier version counted it above the idle process: measure the point again"


def as_now(data: Mapping[str, Any]) -> dict[str, Any]:
    """A record's JSON values with names that mean what they mean now.

    Peak memory once left out what the process held before it loaded the model.
    Raises KeyError, TypeError or AttributeError when ``data`` is no record.
    """
    metrics = data["metrics"]
    if _PEAK not in metrics or _IDLE not in metrics:
        return dict(data)
    renamed = {ABOVE_IDLE if name == _PEAK else name: row for name, row in metrics.items()}
    return {**data, "metrics": renamed, "unavailable": {**data.get("unavailable", {}), _PEAK: _WHY}}
