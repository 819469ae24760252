"""What a point was chosen to be, as options, and the command line that measures it again."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from asr_scaling.analysis.points import Point
from asr_scaling.measure.pipeline import Pipeline
from asr_scaling.util.config_dir import conf_dir

_LINE = re.compile(r"^ *(\w+):\s*([^#]*?)\s*(?:#.*)?$")
_PLAIN = re.compile(r"[\w./:+-]*")
_USUAL = {"weights": "auto", "path": None, "revision": "main", "trust_remote_code": False}
"""Options of a model that are not of the model itself."""
_OWN = ("_target_", "name", "licence")
"""Options that follow from others or change no figure."""


@dataclass(frozen=True)
class Choice:
    """What was chosen in a group: a YAML's ``name``, and the ``options`` whose values are not those of that YAML."""

    group: str
    name: str
    options: Mapping[str, Any]

    def words(self) -> list[str]:
        """As overrides of the command line."""
        named = [f"{self.group}={self.name}"] if self.name else []
        return named + [f"{self.group}.{key}={_text(value)}" for key, value in self.options.items()]


def command(point: Point, **pipeline: Any) -> str:
    """``python -m asr_scaling`` with whatever of the point's options is no default; ``pipeline``: its options changed.

    An option is left out where the YAML of its group has that very value.
    """
    config = point.config
    words = model(point).words()
    for group in ("engine", "device", "dataset"):
        words += choice(point, group).words()
    words += _optimisations(optimisations(point))
    batch = choice(point, "batch")
    words += [f"batch={point.batch}"] if batch.name in ("", "fixed") else batch.words()
    options, defaults = {**config.get("pipeline", {}), **pipeline}, asdict(Pipeline())
    words += [
        f"pipeline.{key}={_text(options[key])}"
        for key in defaults
        if options.get(key, defaults[key]) != defaults[key]
    ]
    words += [f"seed={seed}" for seed in own_seed(point)]
    return shlex.join(["python", "-m", "asr_scaling", *words])


def model(point: Point) -> Choice:
    """The model, and where its weights came from if not from the usual places."""
    chosen = point.config.get("model", {})
    differing = {
        key: chosen[key] for key, usual in _USUAL.items() if chosen.get(key) not in (None, usual)
    }
    return Choice("model", point.model, differing)


def choice(point: Point, group: str) -> Choice:
    """What was chosen in a ``group`` other than model and optimisation; no name where the record has none."""
    chosen = point.config.get(group, {})
    name = str(chosen.get("_target_", "")).rpartition(".")[0].rpartition(".")[2]
    if not name:
        return Choice(
            group, "", {key: value for key, value in chosen.items() if group == "dataset" and value}
        )
    defaults, seed = _flat(conf_dir() / group / f"{name}.yaml"), _seed(point)
    differing = {
        key: value
        for key, value in chosen.items()
        if key not in _OWN and _text(value) != defaults.get(key, "null").replace("${seed}", seed)
    }
    return Choice(group, name, differing)


def optimisations(point: Point) -> dict[str, dict[str, Any]]:
    """Name → options whose values are not those of its YAML, in the order in which they were applied."""
    found = {}
    for name, options in (point.config.get("optimisation") or {}).items():
        defaults = _flat(conf_dir() / "optimisation" / f"{name}.yaml")
        found[name] = {
            key: value
            for key, value in options.items()
            if key not in _OWN and _text(value) != _text_of(defaults.get(key))
        }
    return found


def own_seed(point: Point) -> list[str]:
    """The seed, as a list of one where it is not that of ``config.yaml``."""
    seed = _seed(point)
    return [] if seed == _flat(conf_dir() / "config.yaml").get("seed", seed) else [seed]


def _seed(point: Point) -> str:
    return _text(point.config["seed"]) if "seed" in point.config else "42"


def _optimisations(chosen: Mapping[str, Mapping[str, Any]]) -> list[str]:
    words = [f"optimisation=[{','.join(chosen)}]"] if chosen else []
    return words + [
        f"optimisation.{name}.{key}={_text(value)}"
        for name, options in chosen.items()
        for key, value in options.items()
    ]


def _text_of(written: str | None) -> str:
    """What YAML wrote as ``_text`` would: 2.0 is 2."""
    try:
        return _text(float(written or ""))
    except ValueError:
        return written or "null"


def _flat(path: Path) -> dict[str, str]:
    """The values of a YAML file by their last keys, as they are written there; none where there is no such file."""
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
