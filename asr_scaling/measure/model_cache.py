"""A loaded model that stays loaded between neighbouring points of a sweep, where that changes no measurement."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from asr_scaling.core.ports import System


@dataclass(frozen=True)
class Loaded:
    """``idle_rss_bytes``: resident memory of the process before the system was loaded.

    ``kept``: it was loaded for an earlier point and has made calls.
    """

    system: System
    idle_rss_bytes: int
    kept: bool = False


class Shelf:
    """Holds at most one system. Systems that compile aren't kept: what a call costs depends on the calls before it."""

    def __init__(self) -> None:
        self._key: Any = None
        self._loaded: Loaded | None = None

    def take(self, key: Any) -> Loaded | None:
        """The system that was put here under an equal ``key``; any other is closed."""
        held = self._loaded if self._key == key else None
        if held is None:
            self.clear()
            return None
        self._key, self._loaded = None, None
        return replace(held, kept=True)

    def put(self, key: Any, loaded: Loaded) -> bool:
        """Keep ``loaded`` for the next point; False when it must not be kept."""
        if loaded.system.facts.compile_s is not None:
            return False
        self._key, self._loaded = key, loaded
        return True

    def clear(self) -> None:
        """Close what is held."""
        if self._loaded is not None:
            self._loaded.system.close()
        self._key, self._loaded = None, None
