"""The system under test as one value, and the optimisations that change it.

An optimisation is a specification like every other part: it changes options. What it does to a
network in memory is a ``Change`` that it hands to the engine.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import IntEnum
from graphlib import TopologicalSorter
from typing import Any, NoReturn, Protocol, runtime_checkable

from asr_scaling.core.decoding import GREEDY, Decoding
from asr_scaling.core.model_spec import ModelSpec
from asr_scaling.core.option_checks import choice_name, defaults
from asr_scaling.core.ports.cascade import ALONE, Around
from asr_scaling.core.ports.dataset import Batching, Fitting
from asr_scaling.core.ports.engine import Device, Engine, Placed, capabilities, recogniser
from asr_scaling.core.ports.serving import HERE, Serving, answering
from asr_scaling.core.workload import AudioBatch
from asr_scaling.errors import ConfigError, EngineError


class Turn(IntEnum):
    """When a change is made: removing layers, then joining what is left, then packing it."""

    REMOVE = 1
    JOIN = 2
    PACK = 3


@dataclass(frozen=True)
class Changed:
    """A changed network.

    ``said``: what was done, for the record.
    ``dtype``: data type of its weights, None where it is as before.
    ``parameters``: their number, None where it is as before; packing and joining don't change it.
    """

    network: Any
    said: str
    dtype: str | None = None
    parameters: int | None = None


class Change(Protocol):
    """What an optimisation does to a loaded torch network, before its first call.

    ``kind``: "weights", "projections" …; only one change of each kind may be made.
    ``turn``: changes are made in the order of their turns, however the optimisations are listed.
    """

    @property
    def kind(self) -> str: ...  # noqa: D102
    @property
    def turn(self) -> Turn: ...  # noqa: D102

    def change(self, network: Any, model: ModelSpec, device: Device) -> Changed:
        """The changed network, which may be the same object.

        Raises EngineError when the network can't be changed.
        """


class Optimisation(Protocol):
    """One way to run a model faster, smaller or with less energy: one change."""

    def apply(self, system: SystemSpec) -> SystemSpec:
        """``system`` with its options changed.

        Raises ConfigError with the reason when that makes no sense.
        """


@runtime_checkable
class Demanding(Protocol):
    """An optimisation that also judges the system once all the others are applied."""

    def check(self, system: SystemSpec) -> None:
        """Raises ConfigError with the reason when ``system`` as a whole makes no sense."""


@runtime_checkable
class Needing(Protocol):
    """An optimisation that works only beside another one."""

    def needs(self, system: SystemSpec) -> Mapping[str, Optimisation]:
        """Name → optimisation that ``system`` must have beside this one, and lacks.

        Each is applied before this one, under its own name, and is named wherever the system is.
        ``system``: as it is before any optimisation is applied.
        """


@runtime_checkable
class SpeechBound(Protocol):
    """An optimisation that some speech leaves nothing to do."""

    def idle_on(self, system: SystemSpec, batches: Sequence[AudioBatch]) -> str | None:
        """Why it changes nothing on any of the ``batches``; None where it changes something.

        ``system``: with all its optimisations applied.
        """


@dataclass(frozen=True)
class SystemSpec:
    """The system under test: all that decides how speech becomes text. Nothing is loaded.

    ``decoding``: what the engine is told of how a text is searched for.
    ``optimisation``: name → optimisation that is still to be applied.
    ``cascade``: the modules that are still to be put around the engine.
    ``serving``: how requests that arrive become calls.
    ``applied``: sorted names of the optimisations that were applied.
    ``by``: the optimisation that ``composed`` is applying.
    ``set_by``: option, as in "engine.dtype" → the optimisation that set it.
    """

    model: ModelSpec
    engine: Engine
    device: Device
    batch: Batching | Fitting
    optimisation: Mapping[str, Optimisation] = field(default_factory=dict)
    decoding: Decoding = GREEDY
    cascade: Around = ALONE
    serving: Serving = HERE
    applied: tuple[str, ...] = ()
    by: str = ""
    set_by: Mapping[str, str] = field(default_factory=dict)

    def composed(self) -> SystemSpec:
        """The system with its decoding, its optimisations and what these need.

        The order in which they are listed makes no difference.
        Raises ConfigError when they make no sense together or here.
        """
        system = self._decoding()
        if not self.optimisation:
            return system._served()
        every = self.completed().optimisation
        needs = {name: _needs(one, self) for name, one in every.items()}
        for name in TopologicalSorter(needs).static_order():
            users = ", ".join(other for other in every if name in needs[other])
            by = f"{name} (needed by {users})" if users else name
            system = every[name].apply(replace(system, by=by))
        for name, optimisation in every.items():
            if isinstance(optimisation, Demanding):
                optimisation.check(replace(system, by=name))
        applied = tuple(sorted((*self.applied, *every)))
        return replace(system, optimisation={}, applied=applied, by="", set_by={})._served()

    def completed(self) -> SystemSpec:
        """The system with the optimisations that its own need beside them, sorted by name."""
        every, waiting = dict(self.optimisation), list(self.optimisation.values())
        while waiting:
            needed = _needs(waiting.pop(), self)
            waiting += [one for name, one in needed.items() if name not in every]
            every = {**needed, **every}
        return replace(self, optimisation=dict(sorted(every.items())))

    @property
    def resolved_optimisations(self) -> tuple[str, ...]:
        """Sorted names of the optimisations and of those that they need. Applies none."""
        return tuple(sorted((*self.applied, *self.completed().optimisation)))

    @property
    def idle_optimisations(self) -> tuple[str, ...]:
        """Names of those that change nothing here: without them the system is the same.

        Raises as ``composed``.
        """
        whole = replace(self.composed(), applied=())
        return tuple(name for name in self.optimisation if self._without(name) == whole)

    def _without(self, name: str) -> SystemSpec | None:
        """The system composed without an optimisation, and without names of those applied.

        None where the others need it.
        """
        others = {other: one for other, one in self.optimisation.items() if other != name}
        less = replace(self, optimisation=others)
        if name in less.resolved_optimisations:
            return None
        try:
            return replace(less.composed(), applied=())
        except ConfigError:
            return None

    def _decoding(self) -> SystemSpec:
        """The system whose engine decodes as asked for. Raises ConfigError when it can't."""
        if self.decoding.greedy:
            return self
        if not self.has("engine", "decoding"):
            raise ConfigError(
                f"engine={self.engine_name} can't decode by decoding={self.decoding.name}: leave "
                "it out."
            )
        engine: Any = self.engine
        return replace(self, engine=replace(engine, decoding=self.decoding))

    def _served(self) -> SystemSpec:
        """The system in its cascade, or the one elsewhere that answers for it."""
        whole, batch = self.cascade.around(self.engine, self.batch)
        plain = self.decoding.greedy and not self.applied and whole is self.engine
        engine = answering(self.serving, whole, plain)
        found = replace(self, engine=engine, batch=batch, cascade=ALONE)
        return self if engine is self.engine else found

    @property
    def engine_name(self) -> str:
        """As it is chosen on the command line."""
        return choice_name(recogniser(self.engine))

    @property
    def called(self) -> str:
        """ "int8 + dynamic_window on openvino", or "plain openvino"."""
        chosen = [] if self.decoding.greedy else [self.decoding.name]
        by = " + ".join((*self.applied, *chosen))
        return f"{by} on {self.engine_name}" if by else f"plain {self.engine_name}"

    def check(self) -> None:
        """Raises AsrScalingError when the engine can't run the model here. Loads nothing.

        Of a composed system.
        """
        if self.device.kind == "fake" and not capabilities(self.engine).any_device:
            raise EngineError(f"device=fake computes nothing, and engine={self.engine_name} does.")
        self.engine.check(self.model)
        if isinstance(self.engine, Placed):
            self.engine.check_device(self.device)

    def loads_as(self, other: SystemSpec) -> bool:
        """True when both load the same: then they differ in their batches at most."""
        mine = (self.model, self.engine, self.device)
        return mine == (other.model, other.engine, other.device)

    def has(self, part: str, option: str) -> bool:
        """True when ``part`` ("engine", "device", "batch") has such an option."""
        return option in defaults(getattr(self, part))

    def set(self, part: str, **options: Any) -> SystemSpec:
        """The system with options of ``part`` set.

        Raises ConfigError when the part has no such option, refuses the value, or got another one
        from another optimisation or from the user.
        """
        target = getattr(self, part)
        for option, value in options.items():
            self._check_free(part, option, value)
        try:
            changed = replace(target, **options)
        except ConfigError as error:
            reason = str(error).rstrip(".")
            self.refuse(f"is not possible with {part}={choice_name(target)}: {reason}")
        set_by = {**self.set_by, **{f"{part}.{option}": self.by for option in options}}
        return replace(self, **{part: changed}, set_by=set_by)

    def _check_free(self, part: str, option: str, value: Any) -> None:
        """Raises ConfigError when the option isn't there or was set to something else."""
        target, where = getattr(self, part), f"{part}.{option}"
        known = defaults(target)
        if option not in known:
            self.refuse(f"sets {where}, which {part}={choice_name(target)} does not have")
        current, setter = getattr(target, option), self.set_by.get(where)
        if setter and current != value:
            self.refuse(f"and optimisation={setter} both set {where}: choose one of them")
        if not setter and current not in (known[option], value):
            self.refuse(f"sets {where} to {value}, and you set it to {current}: choose one of them")

    def change(self, change: Change) -> SystemSpec:
        """The system whose engine makes ``change`` to the network that it loads.

        Raises ConfigError when the engine has no network, or another change is of the same kind.
        """
        if not self.has("engine", "changes"):
            self.refuse(f"changes a torch network, and engine={self.engine_name} has none")
        where = f"changes.{change.kind}"
        if where in self.set_by:
            setter = self.set_by[where]
            self.refuse(
                f"and optimisation={setter} both change the {change.kind}: choose one of them"
            )
        engine: Any = self.engine
        changes = sorted((*engine.changes, change), key=lambda made: (made.turn, made.kind))
        set_by = {**self.set_by, where: self.by}
        return replace(self, engine=replace(engine, changes=tuple(changes)), set_by=set_by)

    def refuse(self, why: str) -> NoReturn:
        """Raises ConfigError: the optimisation at work ``why``."""
        raise ConfigError(f"optimisation={self.by} {why}.")


def _needs(optimisation: Optimisation, system: SystemSpec) -> Mapping[str, Optimisation]:
    return optimisation.needs(system) if isinstance(optimisation, Needing) else {}
