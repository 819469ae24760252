"""The command line that measures a point again."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from asr_scaling.conf import conf_dir
from asr_scaling.pipeline import Pipeline
from asr_scaling.report.points import Point

_LINE = re.compile(r"^(\w+):\s*([^#]*?)\s*(?:#.*)?$")
_PLAIN = re.compile(r"[\w./:+-]*")
_OWN = ("_target_", "name", "licence")
"""Options that follow from others or change no figure."""


def command(point: Point, **pipeline: Any) -> str:
    """``python -m asr_scaling`` with whatever of the point's options is no default; ``pipeline``: its options changed.

    An option is left out where the YAML of its group has that very value.
    """
    config = point.config
    words = [f"model={point.model}", *_model(config.get("model", {}))]
    seed = _text(config["seed"]) if "seed" in config else "42"
    for group in ("engine", "device", "dataset"):
        words += _group(group, config.get(group, {}), seed)
    batch = _group("batch", config.get("batch", {}), seed)
    words += [f"batch={point.batch}"] if not batch or "batch=fixed" in batch else batch
    options, defaults = {**config.get("pipeline", {}), **pipeline}, asdict(Pipeline())
    words += [
        f"pipeline.{key}={_text(options[key])}" for key in defaults if options.get(key, defaults[key]) != defaults[key]
    ]
    if seed != _flat(conf_dir() / "config.yaml").get("seed", seed):
        words.append(f"seed={seed}")
    return shlex.join(["python", "-m", "asr_scaling", *words])


def _model(chosen: Mapping[str, Any]) -> list[str]:
    usual = {"weights": "auto", "path": None, "revision": "main"}
    return [f"model.{key}={_text(chosen[key])}" for key in usual if chosen.get(key) not in (None, usual[key])]


def _group(group: str, chosen: Mapping[str, Any], seed: str) -> list[str]:
    name = str(chosen.get("_target_", "")).rpartition(".")[0].rpartition(".")[2]
    if not name:
        return [f"{group}.{key}={_text(value)}" for key, value in chosen.items() if group == "dataset" and value]
    defaults = _flat(conf_dir() / group / f"{name}.yaml")
    return [f"{group}={name}"] + [
        f"{group}.{key}={_text(value)}"
        for key, value in chosen.items()
        if key not in _OWN and _text(value) != defaults.get(key, "null").replace("${seed}", seed)
    ]


def _flat(path: Path) -> dict[str, str]:
    """The values at the top of a YAML file as they are written there; none where there is no such file."""
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return {match[1]: match[2] for match in map(_LINE.match, lines) if match}


def _text(value: Any) -> str:
    """A value as Hydra's command line takes it; what its grammar would split is quoted."""
    if value is None or isinstance(value, bool):
        return "null" if value is None else str(value).lower()
    if isinstance(value, (list, tuple)):
        return f"[{','.join(map(_text, value))}]"
    text = str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
    return text if _PLAIN.fullmatch(text) else "'" + text.replace("'", r"\'") + "'"
