"""What an engine declares, and what is taken of one that declares nothing."""

from __future__ import annotations

from asr_scaling.core.model_spec import ModelSpec
from asr_scaling.core.ports import Capabilities, Device, System, capabilities, option_of
from asr_scaling.engine.fake import Fake
from asr_scaling.engine.transformers import Transformers


class Plain:
    """All that an engine has to be."""

    def check(self, model: ModelSpec) -> None:
        """Takes every model."""

    def load(self, model: ModelSpec, device: Device) -> System:
        raise NotImplementedError


def test_an_engine_that_declares_nothing_has_the_defaults() -> None:
    assert capabilities(Plain()) == Capabilities(reads_weights=True, streaming=False)
    assert capabilities(Transformers()).reads_weights
    assert not capabilities(Transformers()).streaming


def test_an_engine_declares_what_it_can_do() -> None:
    assert not capabilities(Fake()).reads_weights


def test_options_are_those_of_the_specification() -> None:
    assert option_of(Transformers(cache="static"), "cache") == "static"
    assert option_of(Fake(), "cache") is None
    assert option_of(Fake(), "capabilities") is None
    assert option_of(Plain(), "check") is None
