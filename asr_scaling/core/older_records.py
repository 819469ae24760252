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
_TRANSFORMERS = "asr_scaling.engine.transformers."
_DONE_UNSAID = {
    **dict.fromkeys(("cuda_graph", "device_features", "dynamic_window", "overlap"), "decode_loop"),
    "fp8": "bf16",
}
"""Optimisation of engine=transformers → what it did as well, under a name of its own now."""
_OPTION = {"decode_loop": "decode", "bf16": "dtype"}
"""The engine's option that says so; where the user had set it, nothing was unsaid."""
_SET = {"decode_loop": "loop", "bf16": "bfloat16"}
_CLASSES = {
    "decode_loop": {"_target_": "asr_scaling.optimisation.decode_loop.DecodeLoop"},
    "bf16": {"_target_": "asr_scaling.optimisation.precision.Precision", "dtype": "bfloat16"},
}


def as_now(data: Mapping[str, Any]) -> dict[str, Any]:
    """A record's JSON values with names that mean what they mean now.

    Peak memory once left out what the process held before it loaded the model. Optimisations stood
    in the order in which they were chosen, and what some of them set besides had no name.
    Raises KeyError, TypeError or AttributeError when ``data`` is no record.
    """
    data, metrics = _all_optimisations(data), data["metrics"]
    if _PEAK not in metrics or _IDLE not in metrics:
        return data
    renamed = {ABOVE_IDLE if name == _PEAK else name: row for name, row in metrics.items()}
    return {**data, "metrics": renamed, "unavailable": {**data.get("unavailable", {}), _PEAK: _WHY}}


def _all_optimisations(data: Mapping[str, Any]) -> dict[str, Any]:
    """The record with every optimisation that was at work, sorted by name."""
    config, system = data["config"], data.get("system", {})
    chosen, names = config.get("optimisation"), system.get("optimisations")
    if not isinstance(chosen, Mapping) or not chosen:
        return dict(data)
    unsaid = _unsaid(config, chosen)
    every = dict(sorted({**{name: _CLASSES[name] for name in unsaid}, **chosen}.items()))
    if names and isinstance(names, list | tuple):
        system = {**system, "optimisations": sorted([*names, *unsaid.difference(names)])}
    return {
        **data,
        "name": data["name"].replace(f" {' + '.join(chosen)}", f" {' + '.join(every)}"),
        "config": {**config, "optimisation": every},
        "system": system,
    }


def _unsaid(config: Mapping[str, Any], chosen: Mapping[str, Any]) -> set[str]:
    """Optimisations that were at work without having been chosen."""
    engine, model = config.get("engine"), config.get("model")
    if not isinstance(engine, Mapping) or not isinstance(model, Mapping):
        return set()
    if not str(engine.get("_target_")).startswith(_TRANSFORMERS) or not model.get("window_s"):
        return set()
    found = {_DONE_UNSAID[name] for name in chosen if name in _DONE_UNSAID}
    return {name for name in found if engine.get(_OPTION[name], _SET[name]) != _SET[name]}
