"""Whether a system can be run in another way, asked of its parts; nothing is loaded."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

from asr_scaling.analysis.points import Point
from asr_scaling.batch.fixed import Fixed
from asr_scaling.core.decoding import GREEDY
from asr_scaling.core.model_spec import ModelSpec
from asr_scaling.core.ports import SystemSpec
from asr_scaling.core.record import choices
from asr_scaling.errors import AsrScalingError, ConfigError, MissingExtraError
from asr_scaling.util.config_dir import conf_dir, read_yaml


def refusal(
    point: Point, added: Sequence[str] = (), engine: str | None = None, batch: int | None = None
) -> str | None:
    """Why the system of ``point`` can't run like that; None where it can.

    added: optimisations on top of its own.
    engine: in place of its own; it is asked whether it runs the model. The own one did run it.
    batch: utterances of a call in place of its own.

    A package that is not installed here is no reason: it may be where the system runs.
    """
    try:
        system = _system(point, (*point.optimisations, *added), engine, batch).composed()
        if engine is not None:
            system.engine.check(system.model)
    except MissingExtraError:
        return None
    except (AsrScalingError, TypeError, ValueError, AttributeError) as error:
        return str(error) or type(error).__name__
    return None


def _system(
    point: Point, optimisations: Sequence[str], engine: str | None, batch: int | None
) -> SystemSpec:
    chosen, config = choices(point.config), point.config
    own = config.get("optimisation")
    given: Mapping[str, Any] = own if isinstance(own, Mapping) else {}
    decoding = chosen.get("decoding", GREEDY.name)
    return SystemSpec(
        model=_model(point),
        engine=_part("engine", engine or point.engine, {} if engine else config.get("engine")),
        device=_part("device", point.device.partition(":")[0], config.get("device")),
        batch=Fixed(batch or point.batch),
        optimisation={name: _part("optimisation", name, given.get(name)) for name in optimisations},
        decoding=GREEDY if decoding == GREEDY.name else _part("decoding", decoding, None),
    )


def _model(point: Point) -> ModelSpec:
    """As its record has it; of an older record as the package has it now."""
    known = {option.name for option in fields(ModelSpec)}
    path = conf_dir() / "model" / f"{point.model}.yaml"
    options = dict(read_yaml(path)) if point.model.isidentifier() and path.is_file() else {}
    options |= point.config.get("model") or {}
    return ModelSpec(**{key: value for key, value in options.items() if key in known})


def _part(group: str, name: str, given: object) -> Any:
    """The part that ``name`` chooses: the options of its YAML and, in their place, those given.

    Only this package's own YAMLs say what is imported; options that it does not have any more, or
    that refer to others, are left out. Raises ConfigError for a name that is no choice.
    """
    path = conf_dir() / group / f"{name}.yaml"
    if not name.isidentifier() or not path.is_file():
        raise ConfigError(f"{group}={name} is no choice of this package.")
    options = read_yaml(path)
    options = dict(options.get(name, options))  # an optimisation's stand below its name
    module, _, kind = str(options.pop("_target_")).rpartition(".")
    part = getattr(importlib.import_module(module), kind)
    settable = {option.name for option in fields(part) if option.init}
    options |= dict(given) if isinstance(given, Mapping) else {}
    return part(
        **{key: value for key, value in options.items() if key in settable and not _refers(value)}
    )


def _refers(value: object) -> bool:
    return isinstance(value, str) and value.startswith("${")
