"""Tags and flat parameters of a record, by which MLflow's pages group and filter runs."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from asr_scaling.core.decoding import decoding_name
from asr_scaling.core.record import RunRecord, choices
from asr_scaling.machine.machine_kind import gpu_name, machine_kind

LONGEST_TAG = 5000
"""Most characters of a tag or a parameter; longer ones are cut."""
_UNSAFE = re.compile(r"[^\w ./+=,:@-]")
"""What a place has as %-escapes."""
LONE = "asr_scaling.alone"
"""Tag of a point that is in no sweep."""


def common_tags(facts: Mapping[str, Any]) -> dict[str, str]:
    """Tags from an environment. A point's is that of its record, not of the process that stores."""
    return {
        "mlflow.source.name": "asr_scaling",
        "mlflow.source.git.commit": facts.get("commit") or "",
        "host": facts.get("host") or "",
        "asr_scaling.version": facts.get("versions", {}).get("asr-scaling") or "",
    }


def tags(record: RunRecord, parent: str | None) -> dict[str, str]:
    """Tags of the run of a point. ``parent``: the sweep's run."""
    facts, length = record.system.get("facts", {}), record.length_s
    values = {
        **common_tags(record.environment),
        "asr_scaling.kind": "point",
        "asr_scaling.status": record.status,
        "model": str(record.config.get("model", {}).get("name", "")),
        "engine": record.engine,
        "optimisation": " + ".join(record.optimisations),
        "decoding": decoding_name(record.system, choices(record.config)),
        "device": record.device,
        "machine": machine_kind(record.environment),
        "gpu": gpu_name(record.environment) or "",
        **_of_loads(record),
        "weights": str(facts.get("weights", "")),
        "weights.source": str(facts.get("weights_source", "")),
        "batch": "" if record.batch is None else str(record.batch),
        "dataset": str(record.dataset.get("name", "")),
        "length": "natural" if length is None else f"{length:g} s",
        "dataset.source": str(record.dataset.get("source", "")),
        "dataset.digest": str(record.dataset.get("digest", ""))[:16],
        "dataset.synthetic": str(record.dataset.get("synthetic", "")),
        "dataset.copies": str(record.dataset.get("copies") or ""),
        "cautions": ", ".join(dict.fromkeys(caution.kind for caution in record.cautions)),
        "unavailable": "; ".join(f"{name}: {why}" for name, why in record.unavailable.items()),
        **record.tags,
    }
    if record.reason:
        values["asr_scaling.reason"] = record.reason
    values |= {"mlflow.parentRunId": parent} if parent else {LONE: "true"}
    return {key: value[:LONGEST_TAG] for key, value in values.items() if value}


def _of_loads(record: RunRecord) -> dict[str, str]:
    """How requests arrived and were served; closed arrivals are said to be it."""
    if not record.loads:
        return {}
    laws = dict.fromkeys(load.arrivals for load in record.loads)
    said = ("closed: clients wait for their answers" if law == "closed" else law for law in laws)
    bounds = dict.fromkeys(load.bound for load in record.loads if load.bound)
    return {
        "serving": choices(record.config).get("serving", ""),
        "load.arrivals": ", ".join(said),
        "load.bound": "; ".join(bounds),
    }


def place(record: RunRecord, folder: Path) -> str:
    """The name by which a point differs from the others of its sweep.

    It can stand between quotes in a filter of MLflow. Records that don't say their place have that
    of their folder.
    """
    hydra = record.config.get("hydra")
    own = hydra.get("place") if isinstance(hydra, Mapping) else None
    return _UNSAFE.sub(lambda m: quote(m[0], safe=""), str(own or folder.name))


def flat(config: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Options with their whole path, such as ("batch.size", 4)."""
    for key, value in config.items():
        if isinstance(value, Mapping):
            yield from flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


_LEFT_OUT = ("model.architecture.", "model.features.", "hydra.")
_FIRST = ("model.name", "batch.size", "dataset.length_s", "engine._target_", "device._target_")


def params(config: Mapping[str, Any]) -> dict[str, str]:
    """The options for MLflow's comparison views; first those that sweeps vary most.

    A model's sizes are left out: they follow from its name, and would hide the other options
    among the axes of a plot.
    """
    options = {
        key: str(value)[:LONGEST_TAG]
        for key, value in flat(config)
        if not key.startswith(_LEFT_OUT)
    }
    return {key: options[key] for key in _FIRST if key in options} | options


def without_password(uri: str) -> str:
    """The address without user and password."""
    scheme, separator, rest = uri.partition("://")
    return f"{scheme}{separator}{rest.rpartition('@')[2]}" if separator else uri
