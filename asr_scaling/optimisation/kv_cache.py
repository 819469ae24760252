"""Where the decoder keeps the keys and values of the tokens so far."""

from __future__ import annotations

from dataclasses import dataclass

from asr_scaling.core.ports import SystemSpec


@dataclass(frozen=True)
class KeyValueCache:
    """``cache``: where keys and values are kept.

    "dynamic" grows with every token, "static" is allocated at its largest, "none" computes all
    anew.
    """

    cache: str

    def apply(self, system: SystemSpec) -> SystemSpec:
        """For models that decode step by step, in engines with a choice."""
        if system.model.tokens_per_s is None:
            system.refuse(f"is about decoding steps, and '{system.model.name}' decodes without any")
        return system.set("engine", cache=self.cache)
