"""How optimisations compose: each changes what a point is made of, and those that contradict one another are refused.

An optimisation is a specification like every other part: it changes options before anything is loaded. What it does to
a network in memory is a ``Change`` that it hands to the engine.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields, replace
from enum import IntEnum
from typing import Any, NoReturn, Protocol, runtime_checkable

from asr_scaling.core.model_spec import ModelSpec
from asr_scaling.core.ports.speech import Batching, Fitting
from asr_scaling.core.ports.system import Device, Engine
from asr_scaling.errors import ConfigError


class Turn(IntEnum):
    """When a change is made: what removes comes before what joins what is left, and both before what packs it."""

    REMOVE = 1
    JOIN = 2
    PACK = 3


@dataclass(frozen=True)
class Changed:
    """A changed network. ``said``: what was done, for the record. ``dtype``: of its weights, None as before.

    ``parameters``: how many it has, None as before: packing or joining weights makes them neither more nor fewer.
    """

    network: Any
    said: str
    dtype: str | None = None
    parameters: int | None = None


class Change(Protocol):
    """What an optimisation does to a loaded torch network, before its first call.

    ``kind``: of two changes of one kind ("weights", "projections" …) only one may be made. ``turn``: changes are made
    in the order of their turns, whatever the order in which the optimisations are listed.
    """

    @property
    def kind(self) -> str: ...  # noqa: D102
    @property
    def turn(self) -> Turn: ...  # noqa: D102

    def change(self, network: Any, model: ModelSpec, device: Device) -> Changed:
        """The changed network, which may be the same object. EngineError where it can't be changed."""
        ...


class Optimisation(Protocol):
    """One way to run a model faster, smaller or with less energy."""

    def apply(self, composition: Composition) -> Composition:
        """``composition`` with its options changed. ConfigError with the reason where that makes no sense."""
        ...


@runtime_checkable
class Demanding(Protocol):
    """An optimisation that can't judge a composition before every other one is applied, listed behind it or not."""

    def check(self, composition: Composition) -> None:
        """ConfigError with the reason where ``composition`` as a whole makes no sense."""
        ...


@dataclass(frozen=True)
class Composition:
    """What a point is made of. ``by``: the optimisation at work. ``set_by``: "engine.dtype" → who set it."""

    model: ModelSpec
    engine: Engine
    device: Device
    batch: Batching | Fitting
    by: str = ""
    set_by: Mapping[str, str] = field(default_factory=dict)

    @property
    def engine_name(self) -> str:
        """As it is chosen on the command line."""
        return type(self.engine).__module__.rpartition(".")[2]

    def has(self, part: str, option: str) -> bool:
        """Whether ``part`` ("engine", "device", "batch") has such an option."""
        return option in _options(getattr(self, part))

    def set(self, part: str, **options: Any) -> Composition:
        """The composition with options of ``part`` set.

        ConfigError where the part has no such option, refuses the value, or got another one from another optimisation
        or from the user.
        """
        target = getattr(self, part)
        known, name = _options(target), type(target).__module__.rpartition(".")[2]
        for option, value in options.items():
            where = f"{part}.{option}"
            if option not in known:
                self.refuse(f"sets {where}, which {part}={name} does not have")
            now, first = getattr(target, option), self.set_by.get(where)
            if first and now != value:
                self.refuse(f"and optimisation={first} both set {where}: choose one of them")
            if not first and now not in (known[option], value):
                self.refuse(f"sets {where} to {value}, and you set it to {now}: choose one of them")
        try:
            changed = replace(target, **options)
        except ConfigError as error:
            self.refuse(f"is not possible with {part}={name}: {str(error).rstrip('.')}")
        told = {f"{part}.{option}": self.by for option in options}
        return replace(self, **{part: changed}, set_by={**self.set_by, **told})

    def change(self, change: Change) -> Composition:
        """The composition whose engine makes ``change`` to the network it loads."""
        if not self.has("engine", "changes"):
            self.refuse(f"changes a torch network, and engine={self.engine_name} has none")
        where = f"changes.{change.kind}"
        if where in self.set_by:
            self.refuse(
                f"and optimisation={self.set_by[where]} both change the {change.kind}: choose one of them"
            )
        engine: Any = self.engine
        changes = tuple(sorted((*engine.changes, change), key=lambda made: (made.turn, made.kind)))
        return replace(
            self, engine=replace(engine, changes=changes), set_by={**self.set_by, where: self.by}
        )

    def refuse(self, why: str) -> NoReturn:
        """ConfigError: the optimisation at work ``why``."""
        raise ConfigError(f"optimisation={self.by} {why}.")


def compose(composition: Composition, optimisations: Mapping[str, Optimisation]) -> Composition:
    """``composition`` with every one of ``optimisations``, name → optimisation; their order makes no difference."""
    for name, optimisation in optimisations.items():
        composition = optimisation.apply(replace(composition, by=name))
    for name, optimisation in optimisations.items():
        if isinstance(optimisation, Demanding):
            optimisation.check(replace(composition, by=name))
    return composition


def _options(part: Any) -> dict[str, Any]:
    """Option → default, of those that can be set."""
    return {f.name: None if f.default is MISSING else f.default for f in fields(part) if f.init}
