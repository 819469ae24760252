"""What a point was chosen to be, as options, and the command line that measures it again.

A point's overrides alone would not do: a recommended YAML, a config folder of the user's own or an
experiment may have set options too. So the choices and options of the record are compared with the
YAMLs of this package.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from asr_scaling.analysis.points import Point
from asr_scaling.core.record import choices
from asr_scaling.measure.pipeline import Pipeline
from asr_scaling.util.config_dir import conf_dir, read_yaml

_PLAIN = re.compile(r"[\w./:+-]*")
_USUAL = {"weights": "auto", "path": None, "revision": "main", "trust_remote_code": False}
"""Options of a model that are not of the model itself."""
_OWN = ("_target_", "name", "licence")
"""Options that follow from others or change no figure."""


@dataclass(frozen=True)
class Choice:
    """What was chosen in a group.

    name: of the YAML, "" where the record has none.
    options: those whose values are not the YAML's.
    """

    group: str
    name: str
    options: Mapping[str, Any]

    def words(self) -> list[str]:
        """As overrides of the command line."""
        named = [f"{self.group}={self.name}"] if self.name else []
        return named + [f"{self.group}.{key}={_text(value)}" for key, value in self.options.items()]


def command(point: Point, **pipeline: Any) -> str:
    """The command line that measures the point again.

    pipeline: options of the pipeline to change.
    An option is left out where the YAML of its group has that very value.
    """
    words = model(point).words()
    for group in ("engine", "device", "dataset"):
        words += choice(point, group).words()
    words += _optimisations(optimisations(point))
    batch = choice(point, "batch")
    words += [f"batch={point.batch}"] if batch.name in ("", "fixed") else batch.words()
    options, defaults = {**point.config.get("pipeline", {}), **pipeline}, asdict(Pipeline())
    words += [
        f"pipeline.{key}={_text(options[key])}"
        for key in defaults
        if options.get(key, defaults[key]) != defaults[key]
    ]
    words += [f"seed={_text(seed)}" for seed in own_seed(point)]
    return shlex.join(["python", "-m", "asr_scaling", *words])


def model(point: Point) -> Choice:
    """The model, and where its weights came from if not from the usual places."""
    options = point.config.get("model", {})
    differing = {
        key: options[key] for key, usual in _USUAL.items() if options.get(key) not in (None, usual)
    }
    return Choice("model", choices(point.config).get("model", point.model), differing)


def choice(point: Point, group: str) -> Choice:
    """What was chosen in a group other than model and optimisation."""
    options = point.config.get(group, {})
    name = choices(point.config).get(group, "")
    if not _path(group, name).is_file():  # the user's own: the YAML of the same class will do
        name = choices({group: options}).get(group, name)
    if not name:
        length = {key: value for key, value in options.items() if group == "dataset" and value}
        return Choice(group, "", length)
    return Choice(group, name, _differing(point, options, _yaml(group, name)))


def optimisations(point: Point) -> dict[str, dict[str, Any]]:
    """Name → options whose values are not the YAML's, in the order they were applied."""
    return {
        name: _differing(point, options, _yaml("optimisation", name).get(name, {}))
        for name, options in (point.config.get("optimisation") or {}).items()
    }


def own_seed(point: Point) -> list[Any]:
    """The seed, as a list of one where it is not that of ``config.yaml``."""
    usual = _yaml("", "config")["seed"]
    seed = point.config.get("seed", usual)
    return [] if seed == usual else [seed]


def _differing(
    point: Point, options: Mapping[str, Any], usual: Mapping[str, Any]
) -> dict[str, Any]:
    """Options whose values are not the usual ones."""
    seeds = {"${seed}": point.config.get("seed", _yaml("", "config")["seed"])}
    return {
        key: value
        for key, value in options.items()
        if key not in _OWN and value != seeds.get(str(usual.get(key)), usual.get(key))
    }


def _path(group: str, name: str) -> Path:
    return conf_dir() / group / f"{name}.yaml"


def _yaml(group: str, name: str) -> dict[str, Any]:
    """The options in a YAML of this package, none where there is no such file."""
    path = _path(group, name)
    return read_yaml(path) if path.is_file() else {}


def _optimisations(chosen: Mapping[str, Mapping[str, Any]]) -> list[str]:
    words = [f"optimisation=[{','.join(chosen)}]"] if chosen else []
    return words + [
        f"optimisation.{name}.{key}={_text(value)}"
        for name, options in chosen.items()
        for key, value in options.items()
    ]


def _text(value: Any) -> str:
    """A value as Hydra's command line takes it; what its grammar would split is quoted."""
    if value is None or isinstance(value, bool):
        return "null" if value is None else str(value).lower()
    if isinstance(value, (list, tuple)):
        return f"[{','.join(map(_text, value))}]"
    text = str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
    return text if _PLAIN.fullmatch(text) else "'" + text.replace("'", r"\'") + "'"
