"""How many segments recognition is given at once in a cascade that cuts recordings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from asr_scaling.core.module_use import RECOGNITION
from asr_scaling.core.sample import Sample
from asr_scaling.core.typed_json import number


def segments_at_once(system: Mapping[str, Any], samples: Sequence[Sample]) -> int | None:
    """As asked for, or the mean over calls where batches go by seconds; None where not known.

    system: what a record says of its system.
    """
    details = (system.get("facts") or {}).get("details") or {}
    order = details.get("cascade_order")
    asked = number(order.get("batch")) if isinstance(order, Mapping) else None
    if asked is not None:
        return int(asked)
    uses = [sample.modules[RECOGNITION] for sample in samples if RECOGNITION in sample.modules]
    calls = sum(use.calls for use in uses)
    return max(1, round(sum(use.items for use in uses) / calls)) if calls else None
