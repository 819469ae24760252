"""Every option of ``conf/``, found by walking the composed configuration, with another value."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from asr_scaling.util.config_dir import conf_dir, read_yaml

NOT_MEASURED = ("tracking", "sweep", "optimiser", "hydra", "experiment")
"""Groups that say where records go and how a sweep is run."""
HOSTILE = "ü 'b\\' \\ ${x} =, \"[{~#$c\\"


def composed(*overrides: str) -> dict[str, Any]:
    """The options of a point, as its record has them, less those that shape nothing."""
    with initialize_config_dir(str(conf_dir().resolve()), version_base="1.3"):
        plain = OmegaConf.to_container(compose("config", list(overrides)), resolve=True)
    assert isinstance(plain, dict)
    return {str(key): value for key, value in plain.items() if key not in NOT_MEASURED}


@functools.cache
def groups() -> dict[str, tuple[str, ...]]:
    """Group → its choices, of all groups that shape a point."""
    entries = [e for e in read_yaml(conf_dir() / "config.yaml")["defaults"] if isinstance(e, dict)]
    names = [name for entry in entries for name in entry if " " not in name]
    return {
        group: tuple(sorted(path.stem for path in Path(conf_dir(), group).glob("*.yaml")))
        for group in names
        if group not in NOT_MEASURED
    }


def chosen() -> Iterator[tuple[str, str, str]]:
    """(group, choice, override) for every YAML of every group."""
    for group, names in groups().items():
        for name in names:
            listed = group == "optimisation" or (group == "profiler" and name != "default")
            yield group, name, f"{group}=[{name}]" if listed else f"{group}={name}"


def other(value: Any) -> Any:
    """Another value of the kind."""
    if isinstance(value, Mapping):
        return {k: v if k == "_target_" else other(v) for k, v in value.items()}
    if isinstance(value, bool):
        return not value
    if isinstance(value, (int, float)):
        return value + 3
    if isinstance(value, list):
        return [*value, 5]
    return 2.5 if value is None else f"{value}{HOSTILE}"


def leaves(options: Mapping[str, Any], before: str = "") -> Iterator[str]:
    """Dotted names of all options below ``options``."""
    for key, value in options.items():
        if isinstance(value, Mapping):
            yield from leaves(value, f"{before}{key}.")
        elif key != "_target_":
            yield f"{before}{key}"


def with_value(options: Mapping[str, Any], place: str, value: Any) -> dict[str, Any]:
    """``options`` with another value in the dotted ``place``."""
    key, _, rest = place.partition(".")
    inner = with_value(options.get(key) or {}, rest, value) if rest else value
    return {**options, key: inner}
