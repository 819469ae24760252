"""engine=onnxruntime: its own options."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any

import pytest
from support.exports import whisper

from asr_scaling.engine.onnxruntime import LEVELS, OnnxRuntime
from asr_scaling.errors import ConfigError, EngineError, MissingExtraError


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
