"""What a point of a sweep is called: its parts, and whatever else the sweep varies."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import Any

from asr_scaling.core.decoding import GREEDY
from asr_scaling.core.record import choices
from asr_scaling.core.search_stage import search_stage
from asr_scaling.sweep.plan import PlannedPoint, key_and_value, parsed

Swept = Mapping[str, Sequence[str]]
"""Option or group that a sweep varies → its values as they are written."""
_UNNAMED = ("hydra", "sweep.round", "sweep.resume")
"""Options that say how the sweep is run; a round is named by its number."""
_ALWAYS = ("engine", "device", "optimisation", "batch.size", "dataset.length_s", "model.name")
"""What every name says."""
_UNSAID = {"scenario": "calls", "serving": "direct", "decoding": GREEDY.name}
"""Group → the choice in it that no name says."""
_LONGEST = 48
"""Letters of a value in a name."""


def swept(points: Sequence[PlannedPoint]) -> dict[str, tuple[str, ...]]:
    """What differs among the planned points: each key with its values, in their order."""
    rows = [_values(point.overrides) for point in points]
    keys = dict.fromkeys(key for row in rows for key in row if not key.startswith(_UNNAMED))
    values = {key: tuple(dict.fromkeys(row.get(key, "") for row in rows)) for key in keys}
    return {key: several for key, several in values.items() if len(several) > 1}


def made_up(overrides: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Keys whose values a sweeper makes up, as in ``interval(1,2)``; the values are not known."""
    found = [override for override in map(parsed, overrides) if override is not None]
    return {
        o.key_or_group: () for o in found if o.is_sweep_override() and not o.is_discrete_sweep()
    }


def told(config: Mapping[str, Any], overrides: Sequence[str], varied: Swept) -> dict[str, str]:
    """What the sweep varies and the point's parts don't say: key → the point's value, short.

    config: the point's options, with Hydra's choices.
    varied: what the sweep varies; of a sweeper that makes up values the keys alone are known.
    """
    own = _values(overrides)
    chosen = choices(config)
    said = set(_ALWAYS)
    if chosen.get("model") == (config.get("model") or {}).get("name"):
        said.add("model")
    if chosen.get("batch") == "max":
        said.add("batch")
    return {key: _short(own[key], varied[key]) for key in varied if key in own and key not in said}


def point_name(config: Mapping[str, Any]) -> str:
    """The point for people: "whisper_tiny transformers cpu b8 15s int8 device.threads=2".

    config: the point's options, with Hydra's choices and what ``told`` gave as "swept".
    """
    chosen = choices(config)
    parts = [str(config["model"]["name"]), chosen["engine"], chosen["device"]]
    parts.append(f"b{_batch(config['batch'], chosen['batch'])}")
    length = config["dataset"].get("length_s")
    if isinstance(length, int | float):
        parts.append(f"{length:g}s" if float(f"{length:g}") == length else f"{length}s")
    if config.get("optimisation"):
        parts.append(" + ".join(config["optimisation"]))
    if stage := search_stage(config):
        parts += [stage, *_way(config.get("serving") or {})]
    varied = (config.get("hydra") or {}).get("swept") or {}
    for group, usual in _UNSAID.items():
        name = chosen.get(group, usual)
        if name != usual and group not in varied:
            varied = {group: name, **varied}
    return " ".join((*parts, *(f"{key}={value}" for key, value in varied.items())))


def _way(serving: Mapping[str, Any]) -> list[str]:
    """What a search for the way to serve tries, without what is usual."""
    tried = ((key, serving.get(key)) for key in ("workers", "max_batch", "max_wait_s"))
    return [f"{key}={value}" for key, value in tried if value and value != 1]


def _batch(options: Mapping[str, Any], chosen: str) -> str:
    """The size of a batch, its seconds, or how it is found."""
    if chosen == "seconds":
        return f"{options.get('seconds')}s"
    return str(options.get("size", chosen))


def _values(overrides: Sequence[str]) -> dict[str, str]:
    """Key, without its sign, → value, without its quotes; the last of one key counts."""
    pairs = map(key_and_value, overrides)
    return {key.lstrip("+~"): _bare(value) for key, value in pairs}


def _bare(value: str) -> str:
    quoted = len(value) > 1 and value[0] == value[-1] and value[0] in "'\""
    return value[1:-1] if quoted else value


def _short(value: str, values: Sequence[str]) -> str:
    """A value of one line and few letters, which none of the other values has."""
    others = [_line(other) for other in values if other != value]
    line = _line(value)
    folders = line.split("/")
    for count in range(
        1, len(folders) if others else 1
    ):  # of a path its last names, as many as tell it apart
        tail = "/".join(folders[-count:])
        if len(tail) <= _LONGEST and tail and not any(o.endswith(tail) for o in others):
            return tail
    if len(line) <= _LONGEST and line not in others:
        return line
    return f"{line[:_LONGEST]}…{hashlib.sha256(value.encode()).hexdigest()[:6]}"


def _line(text: str) -> str:
    return re.sub(r"\s+", " ", text)
