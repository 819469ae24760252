"""What makes a record damaged although every field of it is of its type."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from asr_scaling.core.schema import fits, shown

_Table = Mapping[str, Any]
_LOOKED_UP: Mapping[str, Mapping[str, Any]] = {
    "config": {
        **dict.fromkeys(("batch", "dataset", "device", "engine", "model", "sweep"), _Table),
        "optimisation": _Table | tuple[str, ...] | None,
        "optimiser": _Table | None,
    },
    "dataset": {"utterances": int | None},
    "environment": {"device": _Table | None},
    "system": {
        **dict.fromkeys(("facts", "model"), _Table),
        "optimisations": tuple[str, ...],
        "memory_by_batch": tuple[_Table, ...],
    },
}
"""What is looked up in the parts of a record that have no fields of their own."""


def check_parts(data: Mapping[str, Any]) -> None:
    """TypeError where something that is looked up in a record's JSON is there and not of its type."""
    for part, hints in _LOOKED_UP.items():
        for name, hint in hints.items():
            if name in data[part] and not fits(data[part][name], hint):
                raise TypeError(f"'{part}.{name}' is {shown(data[part][name])}")


def check_calls(samples: Sequence[Any]) -> None:
    """TypeError where a timed call had no utterance, no audio or took no time."""
    for number, sample in enumerate(samples):
        if not sample.utterances or min(sample.audio_s, sample.total_s) <= 0:
            raise TypeError(f"sample {number} is a call without utterances, audio or time")
