"""Every optimisation, on every engine and device, changes one option beyond what its needs change;
and where it changes nothing, that is known before anything is loaded, or once the speech is."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from dataclasses import fields, replace
from typing import Any

import pytest
from support.choices import chosen
from support.fakes import make_spec, noise
from support.networks import ctc

from asr_scaling.batch.fixed import Fixed
from asr_scaling.core.ports import SystemSpec
from asr_scaling.core.workload import AudioBatch, Utterance
from asr_scaling.device.cpu import Cpu
from asr_scaling.device.cuda import Cuda
from asr_scaling.engine.fake import Fake
from asr_scaling.engine.faster_whisper import FasterWhisper
from asr_scaling.engine.onnxruntime import OnnxRuntime
from asr_scaling.engine.openvino import OpenVino
from asr_scaling.engine.transformers import Transformers
from asr_scaling.engine.whisper_cpp import WhisperCpp
from asr_scaling.errors import ConfigError, MissingExtraError
from asr_scaling.util.config_dir import conf_dir

NAMES = sorted(path.stem for path in (conf_dir() / "optimisation").glob("*.yaml"))
WHISPER = make_spec(window_s=30.0, tokens_per_s=3.0, family="whisper", model_type="whisper")
ENGINES = (Transformers, FasterWhisper, OnnxRuntime, OpenVino, WhisperCpp, Fake)
IDLE_HERE = {"attention_sdpa", "cache_dynamic"}
"""They choose what engine=transformers does anyway."""
IN_16_BITS = ("attention_flash", "sparse24")
"""They ask for bf16 or fp16, and leave the choice to the user."""


@pytest.fixture(autouse=True)
def every_package(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if torchao and flash-attn were installed, and as if the GPU were not here to be asked."""
    find = importlib.util.find_spec
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    monkeypatch.setattr(
        importlib.util,
        "find_spec",
        lambda name: name in ("torchao", "flash_attn") or find(name),
    )


def systems() -> Iterator[SystemSpec]:
    for engine in ENGINES:
        for model in (WHISPER, ctc()):
            for device in (Cpu(), Cuda()):
                for size in (1, 8):
                    yield SystemSpec(model, engine(), device, Fixed(size))


def composed(system: SystemSpec, *names: str) -> SystemSpec | None:
    """None where it is refused."""
    try:
        return replace(system, optimisation=chosen(*names)).composed()
    except (ConfigError, MissingExtraError):
        return None


def options(system: SystemSpec) -> dict[str, Any]:
    """Every option of the system, each change of the network one of its own."""
    found: dict[str, Any] = {}
    for part in ("engine", "device", "batch"):
        value = getattr(system, part)
        found[part] = type(value)
        found |= {f"{part}.{o.name}": getattr(value, o.name) for o in fields(value) if o.init}
    changes = found.pop("engine.changes", ())
    return found | {f"changes.{change.kind}": change for change in changes}


def differing(one: SystemSpec, other: SystemSpec) -> set[str]:
    a, b = options(one), options(other)
    return {key for key in a.keys() | b.keys() if a.get(key) != b.get(key)}


@pytest.mark.parametrize("name", NAMES)
def test_it_is_one_change_beyond_what_it_needs(name: str) -> None:
    beside = ["bf16"] if name in IN_16_BITS else []
    found = list[set[str]]()
    for start in systems():
        system = composed(start, *beside, name)
        if system is None:
            continue
        others = [other for other in system.applied if other != name]
        before = composed(start, *others) if others else start.composed()
        assert before is not None
        found.append(differing(before, system))
        asked = replace(start, optimisation=chosen(*beside, name))
        assert len(found[-1]) == (0 if name in asked.idle_optimisations else 1), found[-1]
    assert found, "nothing takes it"
    assert any(found) == (name not in IDLE_HERE)


@pytest.mark.parametrize("name", NAMES)
def test_what_it_needs_has_a_name_and_may_be_listed_too(name: str) -> None:
    beside = ["bf16"] if name in IN_16_BITS else []
    for start in systems():
        system = composed(start, *beside, name)
        if system is None:
            continue
        asked = replace(start, optimisation=chosen(*beside, name))
        assert system.applied == asked.resolved_optimisations == tuple(sorted(system.applied))
        assert composed(start, *system.applied) == system
        assert composed(start, *reversed(system.applied)) == system


def test_what_needs_the_loop_names_it() -> None:
    start = SystemSpec(WHISPER, Transformers(), Cpu(), Fixed(1))
    system = composed(start, "dynamic_window")
    assert system is not None
    assert system.applied == ("decode_loop", "dynamic_window")
    assert system.called == "decode_loop + dynamic_window on transformers"
    other = composed(replace(start, engine=OpenVino()), "dynamic_window")
    assert other is not None
    assert other.applied == ("dynamic_window",)


def test_what_the_user_set_is_no_step() -> None:
    start = SystemSpec(WHISPER, Transformers(decode="loop"), Cpu(), Fixed(1))
    system = composed(start, "dynamic_window")
    assert system is not None
    assert system.applied == ("dynamic_window",)


def test_a_need_that_is_refused_says_whose_it_is() -> None:
    start = SystemSpec(WHISPER, Transformers(cache="static"), Cpu(), Fixed(1))
    with pytest.raises(ConfigError, match=r"^optimisation=decode_loop \(needed by dynamic_window"):
        replace(start, optimisation=chosen("dynamic_window")).composed()


class TestIdle:
    def idle(self, *names: str, **parts: Any) -> tuple[str, ...]:
        start = replace(SystemSpec(WHISPER, Transformers(), Cpu(), Fixed(8)), **parts)
        return replace(start, optimisation=chosen(*names)).idle_optimisations

    def test_what_the_engine_does_anyway(self) -> None:
        assert self.idle("attention_sdpa", "bf16") == ("attention_sdpa",)

    def test_what_the_user_set(self) -> None:
        assert self.idle("bf16", engine=Transformers(dtype="bfloat16")) == ("bf16",)
        assert self.idle("keep_heap", device=Cpu(steady=True)) == ("keep_heap",)

    def test_what_others_need_is_at_work(self) -> None:
        assert self.idle("decode_loop", "dynamic_window") == ()

    def test_what_alone_makes_the_others_possible_is_at_work(self) -> None:
        assert self.idle("sparse24", "bf16", device=Cuda()) == ()


def batch(*seconds: float) -> AudioBatch:
    return AudioBatch(
        tuple(Utterance(f"{i}", noise(s).audio, "words") for i, s in enumerate(seconds))
    )


class TestIdleOnSpeech:
    @pytest.mark.parametrize(
        ("name", "engine", "batches", "why"),
        [
            ("dynamic_window", OpenVino(), [(5.0,), (29.0,)], None),
            ("dynamic_window", OpenVino(), [(5.0, 27.0), (29.0,)], "fills the window of 30 s"),
            ("dynamic_window", Transformers(), [(60.0,)], "fills the window of 30 s"),
            ("decode_loop", Transformers(), [(60.0,), (5.0,)], None),
            ("decode_loop", Transformers(), [(60.0,), (5.0, 31.0)], "the library decodes"),
            ("decode_loop", Transformers(long_form=False), [(60.0,)], None),
            ("device_features", Transformers(), [(60.0,)], "the library decodes"),
            ("device_features", OpenVino(), [(60.0,)], None),
            ("bucketing", Transformers(), [(5.0, 5.0), (5.0, 5.0)], "equally long"),
            ("bucketing", Transformers(), [(5.0, 6.0)], "in one batch"),
            ("bucketing", Transformers(), [(5.0, 5.0), (6.0, 6.0)], None),
        ],
    )
    def test_why(
        self, name: str, engine: Any, batches: list[tuple[float, ...]], why: str | None
    ) -> None:
        system = composed(SystemSpec(WHISPER, engine, Cpu(), Fixed(2)), name)
        assert system is not None
        found = chosen(name)[name].idle_on(system, [batch(*seconds) for seconds in batches])
        assert (found is None) if why is None else (why in found)
