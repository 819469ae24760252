"""Optimisations of decoding: what each sets, and what it is refused with."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import pytest
from support.fakes import FakeDevice, make_spec

from asr_scaling.batch.bucketed import Bucketed
from asr_scaling.batch.fixed import Fixed
from asr_scaling.core.decoding import Decoding
from asr_scaling.core.ports import SystemSpec
from asr_scaling.device.cpu import Cpu
from asr_scaling.engine.fake import Fake
from asr_scaling.engine.faster_whisper import FasterWhisper
from asr_scaling.engine.onnxruntime import OnnxRuntime
from asr_scaling.engine.openvino import OpenVino
from asr_scaling.engine.transformers import Transformers
from asr_scaling.errors import ConfigError
from asr_scaling.optimisation.compiled import Compiled
from asr_scaling.optimisation.cuda_graph import CudaGraph
from asr_scaling.optimisation.decode_loop import DecodeLoop
from asr_scaling.optimisation.device_features import DeviceFeatures
from asr_scaling.optimisation.draft import Draft
from asr_scaling.optimisation.dynamic_window import DynamicWindow
from asr_scaling.optimisation.keep_heap import KeepHeap
from asr_scaling.optimisation.overlap import Overlap

WHISPER = make_spec(window_s=30.0, tokens_per_s=3.0)
CTC = make_spec(name="wav", family="ctc")


@dataclass(frozen=True)
class Gpu:
    kind: str = "cuda"


def parts(**changes: Any) -> SystemSpec:
    return replace(
        SystemSpec(WHISPER, Transformers(), FakeDevice(), Fixed(1)),
        **changes,  # type: ignore[arg-type]
    )


@pytest.mark.parametrize(
    ("optimisation", "device", "options"),
    [
        (DecodeLoop(), FakeDevice(), {"decode": "loop"}),
        (DynamicWindow(1.5), FakeDevice(), {"decode": "loop", "window_margin_s": 1.5}),
        (DeviceFeatures(), FakeDevice(), {"decode": "loop", "features": "device"}),
        (CudaGraph(), Gpu(), {"decode": "loop", "cuda_graph": True}),
        (Overlap(), Gpu(), {"decode": "loop", "overlap": True}),
        (Compiled(), FakeDevice(), {"compile": "default"}),
        (Compiled("regional"), FakeDevice(), {"compile": "regional"}),
        (Compiled("reduce-overhead"), Gpu(), {"compile": "reduce-overhead"}),
        (Draft("whisper_tiny"), FakeDevice(), {"draft": "whisper_tiny"}),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_it_sets(optimisation: Any, device: Any, options: dict[str, Any]) -> None:
    size = 4 if isinstance(optimisation, Overlap) else 1
    engine = (
        parts(device=device, batch=Fixed(size), optimisation={"one": optimisation})
        .composed()
        .engine
    )
    assert engine == Transformers(**options)


def test_all_that_need_the_loop_compose() -> None:
    chosen = {"w": DynamicWindow(2.0), "f": DeviceFeatures(), "g": CudaGraph(), "l": DecodeLoop()}
    engine = parts(device=Gpu(), optimisation=chosen).composed().engine
    assert engine == Transformers(
        decode="loop", window_margin_s=2.0, features="device", cuda_graph=True
    )
    assert (
        parts(device=Gpu(), optimisation=dict(reversed(chosen.items()))).composed().engine == engine
    )


@pytest.mark.parametrize("engine", [FasterWhisper, OnnxRuntime, OpenVino])
def test_features_on_the_device_of_engines_without_a_loop_to_choose(engine: Any) -> None:
    assert parts(engine=engine(), optimisation={"f": DeviceFeatures()}).composed().engine == engine(
        features="device"
    )


def test_the_heap_is_the_devices() -> None:
    assert parts(device=Cpu(), optimisation={"keep_heap": KeepHeap()}).composed().device == Cpu(
        heap="keep"
    )
    with pytest.raises(ConfigError, match=r"sets device\.heap"):
        parts(device=Gpu(), optimisation={"keep_heap": KeepHeap()}).composed()


@pytest.mark.parametrize(
    ("chosen", "changes", "reason"),
    [
        ([DecodeLoop()], {"model": CTC}, "'wav' has none"),
        ([DeviceFeatures()], {"model": CTC}, "'wav' is none"),
        ([DeviceFeatures()], {"engine": Fake()}, "does not have"),
        ([CudaGraph()], {"model": CTC, "device": Gpu()}, "'wav' has no window"),
        ([CudaGraph()], {}, "device=cpu does not have"),
        ([Overlap()], {"batch": Fixed(4)}, "device=cpu has one of them"),
        ([Overlap()], {"model": CTC, "device": Gpu(), "batch": Fixed(4)}, "'wav' has no window"),
        ([Overlap()], {"device": Gpu()}, "batch=1 has none"),
        ([Compiled("reduce-overhead")], {}, "device=cpu does not have"),
        ([CudaGraph(), Compiled("reduce-overhead")], {"device": Gpu()}, "both capture"),
        ([Compiled("default"), Compiled("regional")], {}, "both set engine.compile"),
        ([Draft()], {"batch": Fixed(4)}, "set batch=1"),
        ([Draft()], {"batch": Bucketed(4)}, "set batch=1"),
        ([Draft(), DynamicWindow()], {}, "needs engine.decode=library"),
        ([DynamicWindow(), Draft()], {}, "needs engine.decode=library"),
        ([DecodeLoop()], {"engine": Transformers(decoding=Decoding(beam=4))}, "no beams"),
        ([DecodeLoop()], {"engine": Fake()}, "does not have"),
        ([Draft()], {"engine": Fake()}, "does not have"),
        ([Compiled()], {"engine": Fake()}, "does not have"),
    ],
    ids=lambda value: (
        "+".join(type(one).__name__ for one in value) if isinstance(value, list) else None
    ),
)
def test_refused(chosen: list[Any], changes: dict[str, Any], reason: str) -> None:
    with pytest.raises(ConfigError, match=reason):
        parts(**changes, optimisation={f"o{i}": one for i, one in enumerate(chosen)}).composed()
