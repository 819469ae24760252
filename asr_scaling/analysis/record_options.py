"""What a record's options say: which of them tell systems apart, and which speech they name."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from asr_scaling.core.decoding import GREEDY, decoding_name
from asr_scaling.core.module_use import MODULES
from asr_scaling.core.record import RunRecord, choices
from asr_scaling.core.workload import folder_name

_OWN = ("_target_", "name", "seed", "licence", "length_s", "max_utterance_s", "index")
"""Options that a point has a field for, or that change no figure."""
_NAMED = ("dataset.path", "dataset.audio_root", "dataset.manifest")
"""Options that the dataset's name stands for (speech_names.py)."""
_OF_A_MODEL = ("hub_id", "path", "revision", "trust_remote_code")
_TAKEN = frozenset(("model", "engine", "device", "dataset", "optimisation", "decoding", "batch"))
_ABSENT = "none"
"""What is chosen where there is no module."""
_OF_NO_SYSTEM = frozenset(
    ("scenario", "profiler", "pipeline", "seed", "tracking", "sweep", "optimiser", "hydra")
)
_NO_REQUESTS = "calls"
"""The scenario in which none arrive, as in records that name no scenario."""


def serving_name(config: Mapping[str, Any]) -> str:
    """How requests become calls, as it is chosen on the command line; empty where none arrive."""
    chosen = choices(config)
    arrive = chosen.get("scenario", _NO_REQUESTS) != _NO_REQUESTS
    return chosen.get("serving", "") if arrive else ""


def speech_name(config: Mapping[str, Any]) -> str:
    """What the options call the speech of a point that failed before it was loaded."""
    options = config.get("dataset") or {}
    name, path = options.get("name"), options.get("path")
    if not name and isinstance(path, str):
        name = folder_name(path, options.get("manifest"))
    return str(name or "")


def speech_source(record: RunRecord) -> str:
    """Where the speech came from; of a point that failed before it was loaded by its options."""
    asked = (record.config.get("dataset") or {}).get("path")
    place = record.dataset.get("source") or (asked if isinstance(asked, str) else "")
    if place and asked and not place.startswith("hub:"):
        cwd = (record.config.get("hydra") or {}).get("cwd") or ""
        place = os.path.normpath(os.path.join(cwd, place))
    return "/".join(filter(None, (place, record.dataset.get("split"))))


def without_absent_modules(config: Mapping[str, Any]) -> Mapping[str, Any]:
    """The options of a record without groups of a cascade in which there is no module.

    Those of the cascade itself go too where it is of recognition alone.
    """
    chosen = choices(config)
    absent = {group for group in MODULES if chosen.get(group, _ABSENT) == _ABSENT}
    if len(absent) == len(MODULES):
        absent.add("cascade")
    return {key: own for key, own in config.items() if key not in absent}


def system_options(config: Mapping[str, Any]) -> dict[str, str]:
    """Options that tell systems apart by their names: engine's own, others as "device.threads"."""
    groups = [(f"{group}.", config.get(group, {})) for group in ("device", "dataset")]
    model = config.get("model", {})
    if decoding_name({}, choices(config)) != GREEDY.name:
        groups.append(("decoding.", config.get("decoding") or {}))
    groups.append(("model.", {key: model[key] for key in _OF_A_MODEL if key in model}))
    chosen = config.get("optimisation")
    # a point that could not be built may hold what can't be applied
    for name, options in chosen.items() if isinstance(chosen, Mapping) else ():
        if isinstance(options, Mapping):
            groups.append((f"optimisation.{name}.", options))
    idle = frozenset(() if serving_name(config) else ("serving",))
    for name, options in config.items():  # groups that are added to conf/ tell systems apart too
        if name not in _TAKEN | _OF_NO_SYSTEM | idle:
            if isinstance(options, Mapping):
                choice = {} if name not in MODULES else {name: choices(config).get(name)}
                groups += [("", choice), (f"{name}.", options)]
            elif options is not None:
                groups.append(("", {name: options}))
    return {
        f"{prefix}{key}": "null" if value is None else str(value)
        for prefix, options in [("", config.get("engine", {})), *groups]
        for key, value in options.items()
        if key not in _OWN and f"{prefix}{key}" not in _NAMED
    }
