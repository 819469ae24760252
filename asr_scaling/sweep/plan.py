"""The plan of a sweep: its points, each with its overrides, in the order they are measured."""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from omegaconf import DictConfig

from asr_scaling.core.model_spec import load_spec
from asr_scaling.errors import ConfigError

_LOAD = ("scenario", "serving")
_WORKLOAD = ("dataset", "batch", "pipeline", "profiler", "tracking", "sweep", "hydra", *_LOAD)
"""Groups of options that do not change the loaded system."""
_NATURAL_S = 10.0
"""Seconds of an utterance whose length is not asked for."""
_TYPICAL_PARAMETERS = 1e8
_LARGEST_BATCH = 64.0
"""Size assumed for ``batch=max``, which is only known once the point runs."""


@dataclass(frozen=True)
class PlannedPoint:
    """A point before it is measured.

    overrides: one text an option, as Hydra's launchers take them.
    weight: roughly what a call costs: parameters × seconds of audio × batch. Only ratios count.
    """

    overrides: tuple[str, ...]
    weight: float

    @classmethod
    def of(cls, overrides: Iterable[str]) -> PlannedPoint:
        """The point that these overrides make of the default one."""
        texts = tuple(overrides)
        return cls(texts, _weight(texts))

    def without(self, groups: Collection[str]) -> tuple[str, ...]:
        """Its overrides, except those of options in these groups."""
        return tuple(text for text in self.overrides if _group(text) not in groups)


def planned(config: DictConfig) -> tuple[PlannedPoint, ...]:
    """The points of the sweep that ``config``, with Hydra's own options, is of, in order.

    Of a sweeper that isn't ours these are the points that can be known beforehand.
    """
    params = config.hydra.sweeper.get("params") or {}
    texts = [f"{key}={value}" for key, value in params.items()] + list(config.hydra.overrides.task)
    loader = GlobalHydra.instance().config_loader()  # expands glob(*)
    overrides = OverridesParser.create(config_loader=loader).parse_overrides(texts)
    listed = [o for o in overrides if o.is_discrete_sweep() or not o.is_sweep_override()]
    (jobs,) = BasicSweeper.split_arguments(listed, None)
    return by_system(map(PlannedPoint.of, jobs))


def by_system(points: Iterable[PlannedPoint]) -> tuple[PlannedPoint, ...]:
    """``points`` with those of one system side by side, lighter ones first.

    A lighter point after a heavy one would use what that one left in the heap without a page fault.
    A heap that is kept can't be given back to systems that would release it: these come last.
    """
    systems: dict[tuple[str, ...], list[PlannedPoint]] = {}
    for point in points:
        systems.setdefault(point.without(_WORKLOAD), []).append(point)
    ordered = sorted(systems.items(), key=lambda item: _keeps_heap(item[0]))
    return tuple(p for _, group in ordered for p in sorted(group, key=lambda point: point.weight))


def labels(points: Sequence[PlannedPoint]) -> tuple[str, ...]:
    """What tells each point from the others: its overrides that not all of them have."""
    common = set.intersection(*(set(point.overrides) for point in points)) if points else set()
    return tuple(" ".join(o for o in point.overrides if o not in common) for point in points)


@functools.cache
def parsed(text: str) -> Override | None:
    """An override as Hydra's parser reads it, None where it is none."""
    try:
        return OverridesParser.create().parse_override(text)
    except Exception:  # of any kind: the parser stumbles over arguments that nobody foresaw
        return None


def key_and_value(argument: str) -> tuple[str, str]:
    """Key, with its sign, and value of a command line's argument; "" where it has no value.

    Hydra's parser is of no use here: an argument may also be a flag or a typing error.
    """
    key, _, value = argument.partition("=")
    return key, value


def _group(text: str) -> str:
    override = parsed(text)
    return "" if override is None else re.split("[./]", override.key_or_group)[0]


def _values(texts: Iterable[str]) -> dict[str, Any]:
    """Option → value, of the overrides that Hydra's parser can read."""
    overrides = map(parsed, texts)
    return {o.key_or_group: o.value() for o in overrides if o is not None}


def _keeps_heap(texts: Iterable[str]) -> bool:
    values = _values(texts)
    chosen = "keep_heap" in str(values.get("optimisation"))
    return chosen or values.get("device.heap") == "keep" or values.get("device.steady") is True


def _weight(texts: Iterable[str]) -> float:
    values = _values(texts)
    size = _number(values.get("batch.size"), 1.0)
    batch = _LARGEST_BATCH if values.get("batch") == "max" else size
    seconds = _number(values.get("dataset.length_s"), _NATURAL_S)
    return _parameters(str(values.get("model"))) * seconds * batch


def _number(value: object, otherwise: float) -> float:
    """``value`` as a positive number; a point whose value is none fails by itself."""
    try:
        number = float(str(value))
    except ValueError:
        return otherwise
    return number if 0 < number < math.inf else otherwise


@functools.cache
def _parameters(model: str) -> float:
    """Parameters of a model, a typical number where conf/model has none of that name."""
    try:
        return float(load_spec(model).parameters)
    except ConfigError:
        return _TYPICAL_PARAMETERS
