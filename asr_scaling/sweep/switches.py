"""Options of ``sweep`` that are on or off, however people write that, and what resuming needs."""

from __future__ import annotations

import functools
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from asr_scaling.core.option_checks import must_be
from asr_scaling.errors import ConfigError
from asr_scaling.records.sweep_manifest import latest
from asr_scaling.sweep.sweep_run import SWEEPS
from asr_scaling.util.config_dir import conf_dir, read_yaml
from asr_scaling.util.quoting import quoted

_ON, _OFF = ("true", "yes", "y", "on", "1"), ("false", "no", "n", "off", "0")
"""What YAML 1.1 and people call true and false."""
_IN_TURN = "sweep.processes=3 measures each point in three fresh processes, in turn with the others"
REPLACED = {
    "sweep.interleave": _IN_TURN,
    "sweep.rounds": _IN_TURN,
    "optimiser.first": "a search orders what it tries by what it expects for the time it takes",
    "optimiser.rounds": "optimiser.processes says in how many fresh processes finals are measured",
}
"""Option of earlier versions → what there is instead, the end of a sentence."""


@functools.cache
def _usual() -> dict[str, Any]:
    return read_yaml(conf_dir() / "config.yaml")


def replaced(option: str) -> str | None:
    """What there is instead of an option of earlier versions, in a sentence; None of others."""
    instead = REPLACED.get(option)
    return instead and f"There is no option {option} any more: {instead}."


def settle(config: DictConfig, many: bool = False) -> None:
    """Make true or false of every option of ``sweep`` that is one or the other by default.

    Hydra takes ``sweep.resume=yes`` for a text, which counts as true whatever it says.
    many: whether the configuration may be that of a sweep; where points have several processes,
        it is one, also of a single point.
    Raises ConfigError for what is neither, where a whole number is needed and isn't given, and for
    options of earlier versions.
    """
    sweep = OmegaConf.select(config, "sweep", throw_on_missing=False)
    if not isinstance(sweep, DictConfig):
        return
    for key in sweep:
        if sentence := replaced(f"sweep.{key!s}"):
            raise ConfigError(sentence)
    for key, usual in _usual()["sweep"].items():
        if isinstance(usual, int) and key in sweep:
            try:
                value = sweep[key]
            except OmegaConfBaseException:  # refers to what is only known once the sweep runs
                continue
            if not isinstance(usual, bool):
                whole = isinstance(value, int) and not isinstance(value, bool)
                must_be(f"sweep.{key}", value, whole, "a whole number")
            elif not isinstance(value, bool):
                OmegaConf.update(sweep, key, _switch(f"sweep.{key}", value))
    several = OmegaConf.select(sweep, "processes", default=1) > 1
    if many and (several or OmegaConf.select(sweep, "precision") is not None):
        _make_sweep(config.hydra)


def _make_sweep(hydra: DictConfig) -> None:
    """Have Hydra run a sweep without -m, in the folder that was named for a single run."""
    own = hydra.overrides.hydra  # of these its points are composed
    if hydra.mode is None:
        hydra.mode = RunMode.MULTIRUN
        own.append("hydra.mode=MULTIRUN")
    raw: Any = OmegaConf.to_container(hydra, resolve=False)
    usual = _usual()["hydra"]
    if raw["run"]["dir"] != usual["run"]["dir"] and raw["sweep"]["dir"] == usual["sweep"]["dir"]:
        hydra.sweep.dir = str(hydra.run.dir)
        own.append(f"hydra.sweep.dir={quoted(hydra.sweep.dir)}")


def _switch(option: str, value: object) -> bool:
    word = str(value).strip().casefold()
    if word not in (*_ON, *_OFF):
        raise ConfigError(f"{option} must be true or false; got {value}.")
    return word in _ON


def resumed_folder(config: DictConfig, overrides: Sequence[str]) -> Path | None:
    """The folder of the newest sweep of this command line, where ``sweep.resume`` is true.

    None where it is not, where there is none, or where an option or a YAML names a folder.
    """
    named = any(text.lstrip("+").startswith("hydra.sweep.dir=") for text in overrides)
    hydra: Any = OmegaConf.to_container(config.hydra.sweep, resolve=False)
    if named or hydra["dir"] != _usual()["hydra"]["sweep"]["dir"]:
        return None
    if OmegaConf.select(config, "sweep.resume", throw_on_missing=False) is not True:
        return None
    return _latest(tuple(sys.argv[1:]))


@functools.cache
def _latest(arguments: tuple[str, ...]) -> Path | None:
    return latest(SWEEPS, arguments)
