"""engine=openvino: its own options."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import pytest
from support.exports import whisper

from asr_scaling.engine.openvino import OpenVino
from asr_scaling.errors import EngineError, MissingExtraError


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
