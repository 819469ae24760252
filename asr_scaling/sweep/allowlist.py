"""The classes that a configuration may name: those of this package's YAMLs, and trusted ones.

A YAML from elsewhere is data: nothing that it names is imported or called before it was checked
here.
"""

from __future__ import annotations

import functools
import importlib
import os
import re
from collections.abc import Iterator, Mapping
from typing import Any

from asr_scaling.errors import ConfigError
from asr_scaling.util.config_dir import conf_dir

TRUSTED = "ASR_SCALING_PARTS"
"""Environment variable: names of other packages whose classes may be named, separated by commas."""
CALLBACK = "asr_scaling.sweep.callback.SweepCallback"
_TARGET = "_target_"
_CALL = re.compile(r"_(args|partial|convert|recursive)_")
"""Keys by which Hydra would change how a class is called."""
_NAMED = re.compile(r"^\s*_target_:\s*(asr_scaling\.[\w.]+)", re.MULTILINE)
_LAUNCHING = ("launcher", "sweeper")
_PLUGINS = ("hydra_plugins.", "hydra._internal.core_plugins.")
"""Hydra takes launchers and sweepers from these packages only, and only its plugins of them."""
_LOGGING = ("hydra_logging", "job_logging")
_LOGS = (
    "asr_scaling.util.redact.Formatter",
    "colorlog.ColoredFormatter",
    "logging.FileHandler",
    "logging.Formatter",
    "logging.NullHandler",
    "logging.StreamHandler",
    "logging.handlers.RotatingFileHandler",
)
_STREAMS = ("ext://sys.stdout", "ext://sys.stderr")
_VARIABLES = re.compile(
    r"(OMP|MKL|OPENBLAS|KMP|GOMP|NUMEXPR|MALLOC|RAYON|VECLIB)_\w+|CUDA_VISIBLE_DEVICES"
)
"""Variables that ``hydra.job.env_set`` may set; none says what is run, as PATH or LD_PRELOAD do."""


def check_parts(node: Any, where: str = "") -> None:
    """Check every class that ``node`` names, at any depth; imports only what is trusted.

    where: the place of the node in the configuration.
    Raises ConfigError for a class that is neither of this package's YAMLs nor trusted.
    """
    for place, key, value in _entries(node, where):
        if key == _TARGET:
            if not (isinstance(value, str) and value in _exported()) and not _trusted(value):
                raise ConfigError(_refusal(place, value))
        elif _CALL.fullmatch(key):
            raise ConfigError(
                f"{_at(place, key)} is for calls that no configuration of this package makes: "
                "remove it."
            )
        elif isinstance(value, str) and "${" in value:
            raise ConfigError(
                f"{_at(place, key)} still refers to something ({value}): write what it stands for."
            )


def check_hydra(hydra: Mapping[str, Any]) -> None:
    """Check Hydra's own options, given as plain values.

    Raises ConfigError when they would call anything but Hydra's plugins and this package's classes.
    """
    for group, options in hydra.items():
        for place, key, value in _entries(options, f"hydra.{group}"):
            if not _may_call(group, place, key, value):
                raise ConfigError(_refusal(place, value))
    for name in (hydra.get("job") or {}).get("env_set") or {}:
        if not _VARIABLES.fullmatch(str(name)):
            raise ConfigError(
                f"hydra.job.env_set may not set {name}: set it in the environment of the command."
            )


def _may_call(group: str, place: str, key: str, value: Any) -> bool:
    """Whether Hydra's option ``key`` at ``place``, in ``hydra.<group>``, calls nothing but ours."""
    calling = key == _TARGET
    if group in _LOGGING:  # Python's logging calls "()" and imports "class" and "ext://…"
        if isinstance(value, str) and value.startswith("ext://") and value not in _STREAMS:
            return False
        calling, ours = calling or key in ("()", "class"), value in _LOGS
    elif group == "callbacks":
        if _CALL.fullmatch(key):
            return False
        ours = value == CALLBACK
    else:
        plugins = group in _LAUNCHING and place == f"hydra.{group}"
        ours = plugins and str(value).startswith(_PLUGINS)
    return not calling or ours or _trusted(value)


def _entries(node: Any, where: str) -> Iterator[tuple[str, str, Any]]:
    """Every place, key and value below ``node``; of lists the number as the key."""
    if isinstance(node, Mapping):
        pairs = [(str(key), value) for key, value in node.items()]
    elif isinstance(node, list | tuple):
        pairs = [(str(number), value) for number, value in enumerate(node)]
    else:
        return
    for key, value in pairs:
        yield where, key, value
        yield from _entries(value, _at(where, key))


@functools.cache
def _exported() -> frozenset[str]:
    """Every class that a YAML of this package names."""
    texts = (path.read_text(encoding="utf-8") for path in conf_dir().rglob("*.yaml"))
    return frozenset(name for text in texts for name in _NAMED.findall(text)) - {CALLBACK}


def _trusted(target: Any) -> bool:
    """Whether ``target`` is a class of a package that the user named in the environment."""
    names = [name.strip() for name in os.environ.get(TRUSTED, "").split(",")]
    for name in filter(None, names):
        if isinstance(target, str) and target.startswith(f"{name}."):
            module, _, last = target.rpartition(".")
            try:
                kind = getattr(importlib.import_module(module), last)
            except (ImportError, AttributeError):
                return False
            return isinstance(kind, type) and f"{kind.__module__}.".startswith(f"{name}.")
    return False


def _refusal(where: str, target: Any) -> str:
    return (
        f"{where or 'The configuration'} names {target!r}, which configurations may not call: "
        "choose one of this package's, or, where it is a class of a package that you trust, "
        f"set {TRUSTED}=<name of that package>."
    )


def _at(where: str, key: str) -> str:
    return f"{where}.{key}" if where else key
