"""The options that every engine with a decoder of its own has."""

from __future__ import annotations

from dataclasses import dataclass

from asr_scaling.engine._shared.short_window import check_margin
from asr_scaling.errors import ConfigError


@dataclass(frozen=True)
class DecodingOptions:
    """How an engine decodes.

    ``beam``: number of hypotheses of the beam search; 1 is greedy.
    ``long_form``: False decodes only a model's first window; the record says that the rest is lost.
    ``window_margin_s``: seconds that Whisper's encoder sees beyond the longest utterance of a
    batch; None for its whole window (_shared/short_window.py).
    ``seed``: of random weights.
    """

    beam: int = 1
    long_form: bool = True
    window_margin_s: float | None = None
    seed: int = 42

    def __post_init__(self) -> None:
        check_margin(self.window_margin_s)
        if self.beam < 1:
            raise ConfigError(f"engine.beam must be at least 1; got {self.beam}.")
