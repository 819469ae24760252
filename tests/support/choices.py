"""Optimisations as they are chosen on the command line, and what they are applied to."""

from __future__ import annotations

from typing import Any

from hydra.utils import instantiate
from omegaconf import OmegaConf

from asr_scaling.batch.fixed import Fixed
from asr_scaling.core.ports import SystemSpec
from asr_scaling.engine.transformers import Transformers
from asr_scaling.util.config_dir import conf_dir
from support.fakes import FakeDevice
from support.networks import whisper


class FakeGpu(FakeDevice):
    kind = "cuda"
    torch_name = "cuda:0"


def chosen(*names: str, **options: dict[str, Any]) -> dict[str, Any]:
    """``optimisation=[names]`` and ``optimisation.<name>.<option>=<value>``."""
    found = {}
    for name in names:
        (conf,) = OmegaConf.load(conf_dir() / "optimisation" / f"{name}.yaml").values()
        found[name] = instantiate({**conf, **options.get(name, {})})
    return found


def composed(
    *names: str, model: Any = None, engine: Any = None, device: Any = None, **options: Any
) -> SystemSpec:
    parts = (model or whisper(), engine or Transformers(), device or FakeDevice(), Fixed(1))
    return SystemSpec(*parts, chosen(*names, **options)).composed()


def loaded(*names: str, model: Any = None, **options: Any) -> Any:
    """The system with these optimisations, on the CPU."""
    parts = composed(*names, model=model, **options)
    return parts.engine.load(parts.model, parts.device)
