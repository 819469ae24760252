"""What a point was chosen to be, as options, and the command line that measures it again.

A point's overrides alone would not do: a recommended YAML, a config folder of the user's own or an
experiment may have set options too. So every option of the record is compared with the YAMLs of
this package, and what differs is carried. Options are not listed here: a group or an option that is
added to ``conf/`` is carried too.
"""

from __future__ import annotations

import functools
import os
import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from asr_scaling.analysis.points import Point
from asr_scaling.core.record import choices
from asr_scaling.util.config_dir import conf_dir, read_yaml
from asr_scaling.util.quoting import quoted

NOT_MEASURED = ("tracking", "sweep", "optimiser", "hydra")
"""Groups that say where records go and how a sweep is run: they shape no figure of a point."""
PATHS = ("path", "audio_root", "fault", "trace")
"""Options that hold a path, or a list of paths."""
_NAMED = ("model", "engine", "device", "dataset")
"""Groups whose choice a command names even where it is the usual one."""
OF_THE_LOAD = "scenario"
"""The group that says what a system was given to do."""
_LAST = ("optimisation", "batch", "profiler", "pipeline")
_PLAIN = re.compile(r"[A-Za-z_/][\w./:+-]*", re.ASCII)
_WORDS = ("null", "true", "false", "nan", "inf")
"""What Hydra's grammar takes for another value than a text."""
_REFERENCE = re.compile(r"\$\{([\w.]+)\}")


@dataclass(frozen=True)
class Choice:
    """What was chosen in a group.

    name: of the YAML, a list of names as "[int8,overlap]", "" where there is nothing to name.
    options: those whose values are not the YAML's, nested as in the YAML.
    added: dotted names of those that the YAML does not have.
    """

    group: str
    name: str
    options: Mapping[str, Any]
    added: frozenset[str] = field(default_factory=frozenset)

    @property
    def names(self) -> list[str]:
        """The names of the YAMLs."""
        return list(filter(None, self.name.strip("[]").split(",")))

    def words(self) -> list[str]:
        """As overrides of the command line."""
        named = [f"{self.group}={self.name}"] if self.name else []
        return named + [
            f"{'+' if key in self.added else ''}{self.group}.{key}={text(value)}"
            for key, value in _leaves(self.options)
        ]


def command(point: Point, **pipeline: Any) -> str:
    """The command line that measures the point again.

    pipeline: options of the pipeline to change.
    An option is left out where the YAML of its group has that very value.
    """
    words: list[str] = []
    for part in parts(point, pipeline):
        of_a_size = part.group == "batch" and part.name in ("", "fixed")
        words += [f"batch={point.batch}"] if of_a_size else part.words()
    words += [f"{key}={text(value)}" for key, value in own_values(point).items()]
    return shlex.join(["python", "-m", "asr_scaling", *words])


def called(point: Point) -> Point:
    """The point as if no requests had arrived."""
    config = {key: own for key, own in point.config.items() if key != OF_THE_LOAD}
    return replace(point, config=config)


def scenario_command(point: Point, scenario: str, **options: Any) -> str:
    """The command line that has requests arrive at the point's system by another scenario."""
    return f"{command(called(point))} {scenario_words(scenario, **options)}"


def scenario_words(scenario: str, **options: Any) -> str:
    """What chooses a scenario with these options on a command line."""
    own = [f"{OF_THE_LOAD}.{key}={text(value)}" for key, value in options.items()]
    return shlex.join([f"{OF_THE_LOAD}={scenario}", *own])


def parts(point: Point, pipeline: Mapping[str, Any] | None = None) -> list[Choice]:
    """All that was chosen and shapes the point, group by group.

    pipeline: options of the pipeline to change.
    """
    config = dict(point.config)
    if pipeline:
        config["pipeline"] = {**_mapping(config.get("pipeline")), **pipeline}
    others = [key for key in config if isinstance(config[key], Mapping)]
    groups = dict.fromkeys((*_NAMED, *(key for key in others if key not in _LAST), *_LAST))
    return [_choice(point, config, group) for group in groups if group not in NOT_MEASURED]


def own_values(point: Point) -> dict[str, Any]:
    """The options outside all groups, as ``seed``, that are not those of ``config.yaml``."""
    usual = _yaml("", "config")
    return {
        key: value
        for key, value in point.config.items()
        if not isinstance(value, Mapping) and key in usual and value != usual[key]
    }


def _choice(point: Point, config: Mapping[str, Any], group: str) -> Choice:
    """What was chosen in ``group``."""
    options = _mapping(config.get(group))
    if options and _takes_a_list(group):
        return _members(config, group, options)
    if not (conf_dir() / group).is_dir():
        return _differing(config, Choice(group, "", options), _base(group))
    name = choices(config).get(group, point.model if group == "model" else "")
    if not _path(group, name).is_file():
        return _of_the_users_own(point, config, group, name)
    usual = _merged(_base(group), _yaml(group, name))
    return _differing(config, Choice(group, _shown(group, name), options), usual)


def _shown(group: str, name: str) -> str:
    """A choice as a command names it: the usual one is left out, but in groups of ``_NAMED``."""
    named = group in (*_NAMED, "batch") or name != str(_usual_choices().get(group))
    return name if named else ""


def _of_the_users_own(point: Point, config: Mapping[str, Any], group: str, name: str) -> Choice:
    """What was chosen in ``group`` where this package has no YAML of that name.

    Of a model its name and what all models have; else the YAML of the same class will do.
    """
    options, base = _mapping(config.get(group)), _base(group)
    if group == "model":
        known = {key: value for key, value in options.items() if key in base}
        return _differing(config, Choice(group, name, known), base)
    alike = _usual_choices().get(group)
    of_this_class = _yaml(group, str(alike)).get("_target_") == options.get("_target_")
    name = choices({group: options}).get(group, str(alike) if of_this_class else name)
    if _path(group, name).is_file():
        usual = _merged(base, _yaml(group, name))
        return _differing(config, Choice(group, _shown(group, name), options), usual)
    length = {key: value for key, value in options.items() if group == "dataset" and value}
    return Choice(group, _shown(group, name), {} if name else length)


def _members(config: Mapping[str, Any], group: str, options: Mapping[str, Any]) -> Choice:
    """What was chosen in a group that takes a list of YAMLs, each with options of its own."""
    usual_names = _usual_members(group)
    name = "" if [*options] == usual_names else f"[{','.join(options)}]"
    usual = {member: _yaml(group, member).get(member, {}) for member in options}
    found = _differing(config, Choice(group, name, options), usual)
    return replace(found, options={key: own for key, own in found.options.items() if own})


def _differing(config: Mapping[str, Any], chosen: Choice, usual: Mapping[str, Any]) -> Choice:
    """``chosen`` with those of its options whose values are not the usual ones."""
    added: set[str] = set()

    def kept(options: Mapping[str, Any], usual: Mapping[str, Any], before: str) -> dict[str, Any]:
        differing = {}
        for key, value in options.items():
            place, own = f"{before}{key}", _resolved(usual.get(key), config)
            if isinstance(value, Mapping) and isinstance(own, Mapping):
                if inner := kept(value, own, f"{place}."):
                    differing[key] = inner
            elif key != "_target_" and value != own:
                differing[key] = _whole(config, key, value)
            if key not in usual:
                added.add(place)
        return differing

    return Choice(chosen.group, chosen.name, kept(chosen.options, usual, ""), frozenset(added))


def _resolved(value: Any, config: Mapping[str, Any]) -> Any:
    """What a YAML's value such as ``${seed}`` stands for in the point."""
    match = _REFERENCE.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        return value
    found: Any = {**_yaml("", "config"), **config}
    for key in match[1].split("."):
        found = _mapping(found).get(key)
    return found


def _whole(config: Mapping[str, Any], option: str, value: Any) -> Any:
    """A relative path as it is from everywhere; any other value as it is."""
    folder = _mapping(config.get("hydra")).get("cwd")
    if isinstance(value, (list, tuple)):
        return [_whole(config, option, entry) for entry in value]
    if not isinstance(value, str) or not folder or value[:1] in ("", "~"):
        return value
    is_path = option in PATHS or value.endswith(".yaml")  # of a model's YAML, as engine.draft
    return os.path.join(str(folder), value) if is_path else value


def _takes_a_list(group: str) -> bool:
    usual = _usual_choices().get(group)
    return isinstance(usual, list) or (bool(usual) and "defaults" in _yaml(group, str(usual)))


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Both, one level deep: ``over`` counts where both have an option."""
    return {**base, **over}


def _base(group: str) -> Mapping[str, Any]:
    """What ``config.yaml`` says of every choice of a group."""
    return _mapping(_yaml("", "config").get(group))


def _usual_members(group: str) -> list[str]:
    usual = _usual_choices().get(group)
    return usual if isinstance(usual, list) else _yaml(group, str(usual)).get("defaults", [])


@functools.cache
def _usual_choices() -> dict[str, str | list[str]]:
    """Group → what ``config.yaml`` chooses in it."""
    entries = [entry for entry in _yaml("", "config")["defaults"] if isinstance(entry, Mapping)]
    return {str(group): name for entry in entries for group, name in entry.items()}


def _path(group: str, name: str) -> Path:
    return conf_dir() / group / f"{name}.yaml"


@functools.cache
def _yaml(group: str, name: str) -> dict[str, Any]:
    """The options in a YAML of this package, none where there is no such file."""
    path = _path(group, name)
    return read_yaml(path) if path.is_file() else {}


def _leaves(options: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    """Dotted name and value of each option; an empty mapping is a value."""
    for key, value in options.items():
        if isinstance(value, Mapping) and value:
            yield from _leaves(value, f"{before}{key}.")
        else:
            yield f"{before}{key}", value


def text(value: Any) -> str:
    """A value as Hydra's command line takes it; what its grammar would split is quoted."""
    if value is None or isinstance(value, bool):
        return "null" if value is None else str(value).lower()
    if isinstance(value, (list, tuple)):
        return f"[{','.join(map(text, value))}]"
    if isinstance(value, Mapping):
        return f"{{{','.join(f'{key}:{text(entry)}' for key, entry in value.items())}}}"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else str(value)
    raw = literal(value) if isinstance(value, str) else str(value)
    if not isinstance(value, str) or (_PLAIN.fullmatch(raw) and raw.lower() not in _WORDS):
        return raw
    return quoted(raw)


def literal(value: Any) -> Any:
    """A text that OmegaConf takes as it is, although it may look like a reference."""
    if isinstance(value, str):
        return re.sub(r"(\\*)\$\{", lambda match: 2 * match[1] + r"\${", value)
    if isinstance(value, (list, tuple)):
        return [literal(entry) for entry in value]
    if isinstance(value, Mapping):
        return {key: literal(entry) for key, entry in value.items()}
    return value
