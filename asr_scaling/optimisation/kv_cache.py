"""Where the decoder keeps the keys and values of the tokens so far."""

from __future__ import annotations

from dataclasses import dataclass

from asr_scaling.core.ports import Composition


@dataclass(frozen=True)
class KeyValueCache:
    """``cache``: "dynamic" grows with every token, "static" is allocated at its largest, "none" computes all anew."""

    cache: str

    def apply(self, composition: Composition) -> Composition:
        """For models that decode step by step, in engines with a choice."""
        if composition.model.tokens_per_s is None:
            composition.refuse(
                f"is about decoding steps, and '{composition.model.name}' decodes without any"
            )
        return composition.set("engine", cache=self.cache)
