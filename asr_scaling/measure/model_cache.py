"""A model that stays loaded for the next point of a sweep, where that changes no measurement."""

from __future__ import annotations

from dataclasses import dataclass, replace

from asr_scaling.core.ports import System, SystemSpec


@dataclass(frozen=True)
class Loaded:
    """A loaded system.

    ``spec``: what was loaded.
    ``kept``: it was loaded for an earlier point and has made calls.
    """

    spec: SystemSpec
    system: System
    kept: bool = False


class ModelCache:
    """Holds at most one loaded system.

    None that compiles: what its calls cost depends on the calls before them.
    """

    def __init__(self) -> None:
        self._loaded: Loaded | None = None

    def take(self, spec: SystemSpec) -> Loaded | None:
        """The system that was put here for a ``spec`` that loads the same; any other is closed."""
        loaded = self._loaded
        if loaded is None or not loaded.spec.loads_as(spec):
            self.clear()
            return None
        self._loaded = None
        return replace(loaded, spec=spec, kept=True)

    def put(self, loaded: Loaded) -> bool:
        """Keep ``loaded`` for the next point; False when it must not be kept."""
        if loaded.system.facts.compile_s is not None:
            return False
        self._loaded = loaded
        return True

    def clear(self) -> None:
        """Close what is held."""
        if self._loaded is not None:
            self._loaded.system.close()
        self._loaded = None
