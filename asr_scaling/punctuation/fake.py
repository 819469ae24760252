"""Marks whose cost is known: for tests with exact arithmetic and for dry runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from asr_scaling.core.option_checks import must_be
from asr_scaling.machine.spend import FakeModule


@dataclass(frozen=True)
class FakePunctuation:
    """Begins a text with a capital letter and ends it with a full stop.

    ``device``: "cpu" costs a core's time, anything else only time; None for where recognition runs.
    ``threads``: has no effect.
    ``accelerated``: how many times as fast it is elsewhere than on the processor.
    ``batch``: texts in a call.
    ``per_call_s``, ``per_text_s``: seconds of a call, and for each text.
    """

    device: str | None = None
    threads: int | None = None
    batch: int = 16
    per_call_s: float = 0.0
    per_text_s: float = 0.001
    accelerated: float = 1.0

    def __post_init__(self) -> None:
        cheapest = min(self.per_call_s, self.per_text_s)
        must_be("punctuation.per_call_s and .per_text_s", cheapest, cheapest >= 0, "0 or more")
        must_be("punctuation.accelerated", self.accelerated, self.accelerated > 0, "more than 0")

    def check(self) -> None:
        """Needs nothing."""

    def load(self, torch_name: str) -> LoadedFakePunctuation:
        """Nothing to load."""
        return LoadedFakePunctuation(self, torch_name)


class LoadedFakePunctuation(FakeModule):
    """The module on a device."""

    def __init__(self, options: FakePunctuation, torch_name: str) -> None:
        super().__init__("punctuation=fake", torch_name, options.accelerated)
        self._options = options

    def restored(self, texts: Sequence[str]) -> list[str]:
        """Each text with a capital letter and a full stop; an empty one stays empty."""
        cost_s = self._options.per_call_s + self._options.per_text_s * len(texts)
        self.take(cost_s)
        return [f"{text[:1].upper()}{text[1:].rstrip('.')}." if text else "" for text in texts]
