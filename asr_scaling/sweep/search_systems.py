"""The systems that a search may ask for, made of parts that are composed once.

Hydra takes a tenth of a second to compose a point, and a search asks about hundreds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from asr_scaling.core.ports import Optimisation, SystemSpec, option_of
from asr_scaling.errors import AsrScalingError, MissingExtraError
from asr_scaling.search.bench import Kind
from asr_scaling.search.candidates import Candidate, Entry
from asr_scaling.sweep.instantiate import build, build_job

_ANY = 1
"""What optimisations need is the same at any batch size."""
Plain = Mapping[str, Any]
"""A point's options as plain values."""


@dataclass
class _Parts:
    """What all systems of one engine are made of.

    plain: options of a point with this engine and every optimisation that may be asked for.
    """

    plain: Plain
    _built: dict[str, Optimisation] = field(default_factory=dict)

    @cached_property
    def bare(self) -> SystemSpec:
        """The system at the batch size of the options, without optimisations.

        Raises AsrScalingError for a point that can't be built.
        """
        return build_job({**self.plain, "optimisation": {}}).system

    def system(self, entry: Entry) -> SystemSpec:
        """The system of an entry with this engine. Raises AsrScalingError as its parts do."""
        chosen = {name: self._optimisation(name) for name in entry.candidate.optimisations}
        batch: Any = self.bare.batch
        return replace(self.bare, batch=replace(batch, size=entry.batch), optimisation=chosen)

    def _optimisation(self, name: str) -> Optimisation:
        if name not in self._built:
            node = self.plain["optimisation"][name]
            self._built[name] = build(dict(node), f"optimisation.{name}")
        return self._built[name]


@dataclass
class SearchSystems:
    """Answers what can be known of an entry without loading anything.

    options_of: options of a point with an engine and with every optimisation that the search tries;
    slow, and asked once an engine.
    """

    options_of: Callable[[str], Plain]
    _parts: dict[str, _Parts] = field(default_factory=dict)
    _refusals: dict[Entry, tuple[Kind, str] | None] = field(default_factory=dict)

    def system(self, entry: Entry) -> SystemSpec:
        """The system under test. Raises AsrScalingError for one that can't be."""
        engine = entry.candidate.engine
        if engine not in self._parts:
            self._parts[engine] = _Parts(self.options_of(engine))
        return self._parts[engine].system(entry)

    def refusal(self, entry: Entry) -> tuple[Kind, str] | None:
        """Why an entry can't be measured here; None when it seems that it can."""
        if entry not in self._refusals:
            self._refusals[entry] = self._refusal(entry)
        return self._refusals[entry]

    def _refusal(self, entry: Entry) -> tuple[Kind, str] | None:
        try:
            system = self.system(entry)
            if idle := system.idle_optimisations:
                same = f"optimisation={idle[0]} changes nothing here: it is what runs without it."
                return "refused", same
            system.composed().check()
        except MissingExtraError as error:
            return "not installed", str(error)
        except AsrScalingError as error:
            return "refused", str(error)
        return None

    def resolved(self, candidate: Candidate) -> Candidate:
        """The candidate with the optimisations that its own need beside them."""
        system = self.system(Entry(candidate, _ANY))
        return Candidate(candidate.engine, system.resolved_optimisations)

    def regroups(self, entry: Entry) -> bool:
        """Whether other utterances share a batch than without its optimisations."""
        if self.refusal(entry):
            return False
        system = self.system(entry)
        return type(system.composed().batch) is not type(system.batch)

    def changes_its_process(self, entry: Entry) -> bool:
        """Whether it keeps the heap, for good, of a process that would release it.

        What is measured later in that process would find memory that needs no page fault.
        """
        bare = replace(self.system(entry), optimisation={})
        return _keeps_heap(self.system(entry).composed()) and not _keeps_heap(bare)


def _keeps_heap(system: SystemSpec) -> bool:
    heap, steady = (option_of(system.device, name) for name in ("heap", "steady"))
    return heap == "keep" or bool(steady)
