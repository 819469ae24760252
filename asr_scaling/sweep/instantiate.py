"""YAML becomes objects here and nowhere else, once what it names is allowed."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import fields
from typing import Any, TypeVar

from hydra.errors import InstantiationException
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from asr_scaling.core.module_use import MODULES
from asr_scaling.core.option_checks import must_be
from asr_scaling.core.ports import SystemSpec
from asr_scaling.core.typed_json import shown
from asr_scaling.errors import AsrScalingError, ConfigError
from asr_scaling.measure.job import Job
from asr_scaling.sweep.allowlist import check_parts
from asr_scaling.sweep.option_types import check_types

_SYSTEM = ("model", "engine", "optimisation", "decoding", "device", "batch", "cascade", "serving")
_UNUSABLE = "The options of {where} can't be used ({reason}); see  --cfg job  for them."
_Made = TypeVar("_Made")
_PARTS = (*_SYSTEM, "scenario", "dataset", "profiler", "pipeline", "tracking")


def build(node: dict[str, Any], where: str = "") -> Any:
    """The object, or objects, that a node of the configuration describes.

    where: the place of the node, which errors name.
    Raises AsrScalingError as a part raised it, ConfigError for what it may not name.
    """
    check_parts(node)
    check_types(node, where)
    try:
        return instantiate(node, _convert_="all")
    except RecursionError:
        raise ConfigError(
            "The options are nested too deeply to be used; see  --cfg job  for them."
        ) from None
    except InstantiationException as error:
        cause: BaseException | None = error
        while cause is not None:
            if isinstance(cause, AsrScalingError):
                raise cause from None
            cause = cause.__cause__
        key = re.search(r"full_key: (\S+)", str(error))
        where = key[1] if key else "the configuration"
        reason = " ".join(str(error.__cause__ or error).split())
        raise ConfigError(_UNUSABLE.format(where=where, reason=reason)) from error


def build_system(plain: dict[str, Any]) -> SystemSpec:
    """The system under test that options describe; applies no optimisation. Raises as ``build``."""
    plain = _with_modules(plain)
    return _made(SystemSpec, build({key: plain[key] for key in _SYSTEM if key in plain}))


def build_job(plain: dict[str, Any]) -> Job:
    """The job that a point's options describe. Raises as ``build``."""
    seed = plain.get("seed", 0)
    must_be("seed", shown(seed), type(seed) is int, "a whole number")
    _check_nodes(plain)
    plain = _with_modules(plain)
    parts = build({key: plain[key] for key in _PARTS if key in plain})
    system = _made(SystemSpec, {key: parts.pop(key) for key in _SYSTEM if key in parts})
    return _made(Job, {"system": system, **parts})


def _with_modules(plain: dict[str, Any]) -> dict[str, Any]:
    """The options with the chosen modules in those of the cascade, which puts them together."""
    cascade = plain.get("cascade")
    if not isinstance(cascade, dict):
        return plain
    return {**plain, "cascade": {**cascade, **{k: plain[k] for k in MODULES if k in plain}}}


def with_needs(plain: dict[str, Any]) -> dict[str, Any]:
    """The options with all optimisations that will be applied, sorted by name.

    What those chosen need stands beside them as if it had been chosen too. A point that can't be
    built keeps its options, as they are what its record must show.
    """
    chosen = plain.get("optimisation")
    if not isinstance(chosen, dict) or not chosen:
        return plain
    try:
        _check_nodes(plain)
        every = build_system(plain).completed().optimisation
    except AsrScalingError:
        return plain
    added = {name: _written(one) for name, one in every.items() if name not in chosen}
    return {**plain, "optimisation": dict(sorted({**chosen, **added}.items()))}


def _written(part: Any) -> dict[str, Any]:
    """A part's node of a configuration."""
    kind = type(part)
    own = {option.name: getattr(part, option.name) for option in fields(part) if option.init}
    return {"_target_": f"{kind.__module__}.{kind.__qualname__}", **own}


def _made(kind: Callable[..., _Made], parts: dict[str, Any]) -> _Made:
    """Raises ConfigError when a part is missing."""
    try:
        return kind(**parts)
    except TypeError as error:
        raise ConfigError(_UNUSABLE.format(where="the configuration", reason=error)) from error


def _check_nodes(plain: dict[str, Any]) -> None:
    """Raises ConfigError for a part that is no choice of its group."""
    for where, node in _nodes(plain).items():
        if not isinstance(node, dict) or "_target_" not in node:
            raise ConfigError(
                f"{where}={shown(node)} can't work: name a choice, or leave it out with ~{where}."
            )


def _nodes(plain: dict[str, Any]) -> dict[str, Any]:
    """The options of each part of a point, by its place: "engine", "optimisation.int8" …"""
    nodes = {key: plain[key] for key in (*_PARTS, *MODULES) if plain.get(key) is not None}
    for group in ("optimisation", "profiler"):
        if isinstance(nodes.get(group), dict):
            nodes |= {f"{group}.{name}": node for name, node in nodes.pop(group).items()}
    return nodes


def options(config: DictConfig) -> dict[str, Any]:
    """A point's options as plain values, without Hydra's own and without ``sweep.resume``.

    Raises ConfigError when ``sweep`` is no group of options.
    """
    own = OmegaConf.masked_copy(config, [str(key) for key in config if key != "hydra"])
    plain = OmegaConf.to_container(own, resolve=True)
    groups = {str(key): value for key, value in plain.items()} if isinstance(plain, dict) else {}
    sweep = groups.get("sweep") or {}
    if not isinstance(sweep, dict):
        raise ConfigError(
            f"sweep={shown(sweep)} can't work: set one of its options, as in sweep.resume=true."
        )
    return {**groups, "sweep": {key: value for key, value in sweep.items() if key != "resume"}}
