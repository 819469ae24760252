"""Every configuration that Hydra composes is checked before anything in it is called.

Options of ``sweep`` that are on or off become true or false on the way, and a sweep that is
resumed gets the folder of the one it goes on with.
``~`` at the beginning of a path is written out there too, whichever option has it.

Hydra calls what the nodes below ``hydra`` name (callbacks, launcher, sweeper, logging) before any
function of this package runs, and writes the configuration into every point's folder. It has no
hook for a check, so ``guard`` replaces one of its methods. The command line calls ``guard``;
importing the library does not.
"""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Iterator, Sequence
from typing import Any

from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra.types import RunMode
from omegaconf import DictConfig, ListConfig, OmegaConf, flag_override
from omegaconf.errors import OmegaConfBaseException

from asr_scaling.core.option_checks import at_home
from asr_scaling.errors import ConfigError
from asr_scaling.sweep import places
from asr_scaling.sweep.allowlist import check_hydra
from asr_scaling.sweep.plan import key_and_value
from asr_scaling.sweep.switches import resumed_folder, settle
from asr_scaling.util.quoting import quoted
from asr_scaling.util.redact import redact, redacted, secret_option, secret_variable

_MOVED = ("tracking.uri",)
"""Options whose credentials are taken out of them (tracking/)."""
_GIVEN = ("hydra.overrides.", "hydra.job.override_dirname")
"""Nodes with the command line, which ``check_arguments`` has checked."""
_LATE = ("hydra.job_logging", "hydra.hydra_logging")
"""Nodes that Hydra reads again when a point begins."""
_PURE = re.compile(r"\$\{.*\}$", re.DOTALL)
"""A value that is one interpolation and nothing else, so that it may become a node.

Inside a longer text the result is always a text.
"""
_PICKLE = "--experimental-rerun"


def guard() -> None:
    """Have every composition of this process checked. May be called again."""
    places.register()
    composed = ConfigLoaderImpl.load_configuration
    if hasattr(composed, "__wrapped__"):
        return

    @functools.wraps(composed)
    def checked(self: ConfigLoaderImpl, *given: Any, **named: Any) -> DictConfig:
        call = inspect.signature(composed).bind(self, *given, **named)
        config = composed(*call.args, **call.kwargs)
        overrides = call.arguments["overrides"]
        many = call.arguments["run_mode"] == RunMode.MULTIRUN
        settle(config, many)
        if many and (folder := resumed_folder(config, overrides)):
            call.arguments["overrides"] = [*overrides, f"hydra.sweep.dir={quoted(str(folder))}"]
            config = composed(*call.args, **call.kwargs)
            settle(config, many)
        check(config)
        with flag_override(config, ["readonly", "struct"], [False, False]):
            write_out_homes(config)
        return config

    ConfigLoaderImpl.load_configuration = checked  # type: ignore[method-assign]


def write_out_homes(config: DictConfig) -> None:
    """Replace ``~`` in every text that is a path in a home folder; of Hydra's own in the folders.

    Raises ConfigError where there is no such home folder.
    """
    nodes = [config, config.hydra.run, config.hydra.sweep] if "hydra" in config else [config]
    while nodes:
        node = nodes.pop()
        raw = OmegaConf.to_container(node, resolve=False)
        items = raw.items() if isinstance(raw, dict) else enumerate(raw or ())
        for key, value in items:
            if isinstance(value, str):
                if (path := at_home(value)) != value:
                    node[key] = path
            elif isinstance(value, dict | list) and key != "hydra":
                nodes.append(node[key])


def check(config: DictConfig) -> None:
    """Raises ConfigError for a secret, and when Hydra would call what is not allowed."""
    check_hydra(_plain(config, "hydra", "hydra"))
    raw = OmegaConf.to_container(config, resolve=False)
    for (place, text), (_, hidden) in zip(_texts(raw, ""), _texts(redacted(raw), ""), strict=True):
        named = secret_option(place) and text and "${" not in text
        if place not in _MOVED and not place.startswith(_GIVEN) and (named or hidden != text):
            raise ConfigError(_secret(place, text))


def check_arguments(arguments: Sequence[str]) -> None:
    """Raises ConfigError when a command line holds a secret or would load a pickle.

    Shells and Hydra write command lines down.
    """
    for argument in arguments:
        key, value = key_and_value(argument)
        if argument.startswith(_PICKLE):
            raise ConfigError(
                f"{_PICKLE} reads a pickle, which may run any code: "
                "give the command line again instead."
            )
        named = value and secret_option(key)
        if key not in _MOVED and (named or redact(argument) != argument):
            raise ConfigError(_secret(redact(key), argument))


def _secret(place: str, text: str) -> str:
    """That an option at ``place``, whose ``text`` this is, holds a secret, and what to do."""
    variable = secret_variable(text)
    whose = f", that of the environment variable {variable}" if variable else ""
    otherwise = f" If it is no secret, give {variable} another name." if variable else ""
    return (
        f"{place} holds a password or a token{whose}, which would be written into every point's "
        "folder: leave it out and set it in the environment, as HF_TOKEN, or "
        f"MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD.{otherwise}"
    )


def _plain(config: DictConfig | ListConfig, key: Any, where: str) -> Any:
    """The node as plain values.

    Raises ConfigError for an interpolation to a node: it may resolve to something unchecked later.
    """
    if OmegaConf.is_missing(config, key):
        return None
    if OmegaConf.is_interpolation(config, key):
        raw = str(OmegaConf.to_container(config, resolve=False)[key])  # type: ignore[index]
        late = where.startswith(_LATE) and _PURE.match(raw) is not None
        if _may_be_a_node(config, key, if_unknown=late):
            raise ConfigError(
                f"{where} stands for another part of the configuration: write it out there."
            )
        return raw
    node = config[key]
    if isinstance(node, DictConfig):
        return {str(name): _plain(node, name, f"{where}.{name!s}") for name in node}
    if isinstance(node, ListConfig):
        return [_plain(node, number, f"{where}.{number}") for number in range(len(node))]
    return node


def _may_be_a_node(config: DictConfig | ListConfig, key: Any, if_unknown: bool) -> bool:
    """Whether an interpolation is to a node.

    if_unknown: what holds for a value that can't be resolved before the run, as the job's number.
    """
    try:
        return OmegaConf.is_config(config[key])
    except OmegaConfBaseException:
        return if_unknown


def _texts(node: Any, where: str) -> Iterator[tuple[str, str]]:
    if isinstance(node, str):
        yield where, node
    elif isinstance(node, dict):
        for key, value in node.items():
            yield from _texts(value, f"{where}.{key}" if where else str(key))
    elif isinstance(node, list):
        for value in node:
            yield from _texts(value, where)
