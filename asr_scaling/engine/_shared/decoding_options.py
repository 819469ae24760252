"""The options that every engine with a decoder of its own has."""

from __future__ import annotations

from dataclasses import dataclass

from asr_scaling.core.decoding import GREEDY, Decoding
from asr_scaling.core.model_spec import ModelSpec
from asr_scaling.engine._shared.decoding_steps import Plan
from asr_scaling.engine._shared.short_window import check_margin
from asr_scaling.engine._shared.whisper import window_of
from asr_scaling.errors import ConfigError, EngineError
from asr_scaling.model.weights import resolve


@dataclass(frozen=True)
class DecodingOptions:
    """How an engine decodes.

    ``long_form``: False decodes only a model's first window; the record says that the rest is lost.
    ``window_margin_s``: seconds that Whisper's encoder sees beyond the longest utterance of a
    batch; None for its whole window (_shared/short_window.py).
    ``seed``: of random weights, and of samples.
    ``decoding``: by beams or greedily, and what is decoded again.
    """

    long_form: bool = True
    window_margin_s: float | None = None
    seed: int = 42
    decoding: Decoding = GREEDY

    def __post_init__(self) -> None:
        check_margin(self.window_margin_s)

    def check_length(self, model: ModelSpec, longest_s: float) -> None:
        """One window where decoding falls back, unless the weights are random.

        Raises EngineError for longer utterances. Loads nothing.
        """
        one_window = not self.decoding.falls_back or not self.long_form
        if one_window or model.window_s is None or longest_s <= model.window_s:
            return
        if resolve(model).folder is not None:
            raise EngineError(
                f"decoding={self.decoding.name} decodes one window of {model.window_s:g} s again, "
                f"and an utterance has {longest_s:.1f} s: choose shorter ones with "
                "dataset.length_s, or decoding=greedy or beam."
            )

    def plan(self, model: ModelSpec, random: bool) -> Plan:
        """How an utterance is decoded, and decoded again.

        ``random``: whether the weights are random.
        """
        margin_s = self.window_margin_s
        return Plan(self.decoding, self.seed, margin_s, window_of(model), not random)


def check_decoding(model: ModelSpec, decoding: Decoding) -> None:
    """Raises ConfigError when ``model`` can't be decoded so."""
    if decoding.greedy or model.family == "whisper":
        return
    if model.family != "moonshine":
        raise ConfigError(
            f"'{model.name}' is decoded in one pass, without beams and temperatures: leave out "
            f"decoding={decoding.name}."
        )
    if decoding.falls_back:
        raise ConfigError(
            f"decoding={decoding.name} is the rule of Whisper's authors, and '{model.name}' is no "
            "Whisper: choose decoding=greedy or beam."
        )
