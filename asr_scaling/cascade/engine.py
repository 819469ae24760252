"""An engine with the modules of a cascade around it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from asr_scaling.cascade.lane import Lane
from asr_scaling.cascade.system import CascadeSystem, Loaded, Order
from asr_scaling.core.cascade_facts import cascade_details
from asr_scaling.core.model_spec import ModelSpec
from asr_scaling.core.module_use import RECOGNITION, VAD
from asr_scaling.core.ports import (
    Bounded,
    Capabilities,
    Device,
    Engine,
    ModuleSpec,
    Placed,
    SystemFacts,
    capabilities,
)
from asr_scaling.errors import DeviceError
from asr_scaling.machine.memory import resident_bytes
from asr_scaling.machine.thread_owners import ThreadOwners

_UNOBSERVABLE = "modules work at once, so what recognition does can't be told apart"
_AT_ONCE = ("latency/first_token_s", "latency/per_token_s")


@dataclass(frozen=True)
class CascadeEngine:
    """Loads recognition and each module in a thread of its own.

    specs: "vad", "punctuation", "speaker" → module, of those that are there.
    """

    recognition: Engine
    specs: Mapping[str, ModuleSpec]
    order: Order

    @property
    def capabilities(self) -> Capabilities:
        """Those of recognition."""
        return capabilities(self.recognition)

    def check(self, model: ModelSpec) -> None:
        """Raises as recognition and each module do."""
        self.recognition.check(model)
        for spec in self.specs.values():
            spec.check()

    def check_device(self, device: Device) -> None:
        """Raises EngineError when recognition can't be had on ``device``, DeviceError when a
        module's own device isn't there."""
        if isinstance(self.recognition, Placed):
            self.recognition.check_device(device)
        for name, spec in self.specs.items():
            where = _place(spec.device, device)
            if where.startswith("cuda") and not _there(where):
                raise DeviceError(
                    f"{name}.device={spec.device or where} is not on this machine: say "
                    f"{name}.device=cpu."
                )

    def check_length(self, model: ModelSpec, longest_s: float) -> None:
        """Raises EngineError when a recording, or a segment of it, is too long for recognition."""
        if isinstance(self.recognition, Bounded):
            cut = VAD in self.specs
            length_s = min(longest_s, self.order.longest_s) if cut else longest_s
            self.recognition.check_length(model, length_s)

    def load(self, model: ModelSpec, device: Device) -> CascadeSystem:
        """Load all of it. Raises as recognition and each module do."""
        owners = ThreadOwners()
        recognition = self.recognition.load(model, device)
        owners.worked(RECOGNITION)
        loaded: dict[str, Loaded] = {}
        told: dict[str, Any] = {}
        try:
            for name, spec in self.specs.items():
                loaded[name], told[name] = _loaded(spec, Lane(name, spec.threads, owners), device)
                owners.worked(name)
        except BaseException:
            for part in loaded.values():
                part.close()
            recognition.close()
            raise
        facts = self._facts(recognition.facts, loaded, told)
        return CascadeSystem(recognition, device, loaded, self.order, owners, facts)

    def _facts(
        self, own: SystemFacts, loaded: Mapping[str, Loaded], told: Mapping[str, Any]
    ) -> SystemFacts:
        """What is said of recognition, and of each module beside it."""
        every = [part.module.facts for part in loaded.values()]
        at_once = dict.fromkeys(_AT_ONCE if self.order.overlap else (), _UNOBSERVABLE)
        return replace(
            own,
            weights_bytes=own.weights_bytes + sum(facts.weights_bytes for facts in every),
            parameters=own.parameters + sum(facts.parameters for facts in every),
            load_s=own.load_s + sum(row["load_s"] for row in told.values()),
            notes=(
                *own.notes,
                *(note for name, part in loaded.items() for note in _notes(name, part)),
            ),
            details={**(own.details or {}), **cascade_details(told, self.order.to_json())},
            unobservable={**own.unobservable, **at_once},
        )


def _loaded(spec: ModuleSpec, lane: Lane, device: Device) -> tuple[Loaded, dict[str, Any]]:
    """The module, and what the record says of it."""
    where = _place(spec.device, device)
    before, start_s = resident_bytes(), time.perf_counter()
    try:
        module = lane.run(spec.load, where)
    except BaseException:
        lane.close()
        raise
    facts: SystemFacts = module.facts
    told = {
        "name": type(spec).__module__.rpartition(".")[2],
        "weights": facts.weights,
        "weights_source": facts.weights_source,
        "weights_bytes": facts.weights_bytes,
        "parameters": facts.parameters,
        "device": where,
        "movable": _usual(spec, "device") is None,
        "threads": spec.threads,
        "batch": spec.batch,
        "usual_batch": _usual(spec, "batch"),
        "load_s": time.perf_counter() - start_s,
        "memory_bytes": max(0, resident_bytes() - before),
    }
    return Loaded(module, where, spec.batch, lane), told


def _there(where: str) -> bool:
    """Whether this machine has the GPU that torch calls ``where``."""
    import torch

    return torch.cuda.is_available() and int(where[5:] or 0) < torch.cuda.device_count()


def _usual(spec: Any, option: str) -> Any:
    """What an option of a module is where nobody says anything."""
    return next(own.default for own in fields(spec) if own.name == option)


def _place(asked: str | None, device: Device) -> str:
    """torch's name of the device that a module computes on."""
    if asked is None:
        return device.torch_name
    if asked == device.kind:
        return device.torch_name
    return f"{asked}:0" if asked == "cuda" else asked


def _notes(name: str, loaded: Loaded) -> tuple[str, ...]:
    """What a reader must know of a module."""
    facts: SystemFacts = loaded.module.facts
    if not facts.random:
        return facts.notes
    random = (
        f"The weights of {name} are random: what it costs is measured, and its answers are "
        "thrown away."
    )
    if name == VAD:
        random += (
            " Recordings are cut where the references say that somebody speaks, which no detector "
            "knows: the WER is too good."
        )
    return (*facts.notes, random)
