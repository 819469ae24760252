"""What the facts of a loaded cascade say of its modules and of the order of their work."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from asr_scaling.core.module_use import RECOGNITION
from asr_scaling.core.sample import Sample
from asr_scaling.core.typed_json import number

_MODULES, _ORDER = "cascade", "cascade_order"
"""Keys of a system's ``SystemFacts.details``."""


def cascade_details(modules: Mapping[str, Any], order: Mapping[str, Any]) -> dict[str, Any]:
    """What a cascade adds to ``SystemFacts.details``.

    modules: module beside recognition → what was loaded.
    order: how the modules work together.
    """
    return {_MODULES: dict(modules), _ORDER: dict(order)}


def _part(details: object, key: str) -> Mapping[str, Any] | None:
    found = details.get(key) if isinstance(details, Mapping) else None
    return found if isinstance(found, Mapping) else None


def modules_in(details: object) -> Mapping[str, Any] | None:
    """Module beside recognition → what was loaded; None for a system that is no cascade.

    details: of a system's facts, as a record keeps them, which anybody may have written.
    """
    return _part(details, _MODULES)


def order_in(details: object) -> Mapping[str, Any]:
    """How the modules work together; empty for a system that is no cascade."""
    return _part(details, _ORDER) or {}


def segments_at_once(system: Mapping[str, Any], samples: Sequence[Sample]) -> int | None:
    """How many segments recognition is given at once, where recordings are cut.

    As asked for, or the mean over calls where batches go by seconds; None where not known.
    system: what a record says of its system.
    """
    asked = number(order_in((system.get("facts") or {}).get("details")).get("batch"))
    if asked is not None:
        return int(asked)
    uses = [sample.modules[RECOGNITION] for sample in samples if RECOGNITION in sample.modules]
    calls = sum(use.calls for use in uses)
    return max(1, round(sum(use.items for use in uses) / calls)) if calls else None
