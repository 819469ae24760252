"""Steps of one shape, compiled or captured; features on the device; what these are refused with."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from support.fakes import FakeDevice, Listener, noise
from support.networks import ctc, transcribe, whisper

from asr_scaling.core.ports import NullProbe
from asr_scaling.core.workload import AudioBatch
from asr_scaling.engine._shared.log_mel import LogMel
from asr_scaling.engine.transformers import Transformers, _loop, _static_shape_decoding
from asr_scaling.engine.transformers._greedy_decoding import Greedy, Rules
from asr_scaling.engine.transformers._static_shape_decoding import FixedGreedy
from asr_scaling.errors import ConfigError, EngineError
from asr_scaling.model.transformers_objects import feature_extractor, random_model
from asr_scaling.model.whisper import Prompts

RULES = Rules(Prompts(50_257, 50_362), never=(7,), not_first=(9,), end=50_256)
CPU = torch.device("cpu")
pytestmark = pytest.mark.usefixtures("one_thread")


class FakeGraph:
    """Captures by warming up three times, as CUDA demands, and replays by running."""

    def __init__(self) -> None:
        self.captured = self.replayed = 0

    def __call__(self, step: Callable[[], None]) -> Callable[[], None]:
        self.captured += 1
        for _ in range(4):
            step()

        def replay() -> None:
            self.replayed += 1
            step()

        return replay


def encoded(rows: int, frames: int = 40, seed: int = 0) -> torch.Tensor:
    return torch.randn(rows, frames, 16, generator=torch.Generator().manual_seed(seed)) * 3


def decode(greedy: Greedy, states: torch.Tensor, most: list[int]) -> list[list[int]]:
    with torch.no_grad():
        return greedy.decode(states, most, lambda: None, ends=False)


class TestCaptured:
    def test_the_tokens_are_those_of_steps_that_shrink(self) -> None:
        model: Any = random_model(whisper(), 3).eval()
        graph, plain = FakeGraph(), Greedy(model, RULES, CPU)
        fixed = FixedGreedy(model, RULES, CPU, graph)
        for seed in (0, 1):
            states = encoded(3, seed=seed)
            assert decode(fixed, states, [4, 9, 2]) == decode(plain, states, [4, 9, 2])
        assert graph.captured == 1
        assert (
            graph.replayed == 2 * 8
        )  # the first step of each batch reads the prompt and is not captured

    def test_every_shape_is_captured_once_and_timed(self) -> None:
        model: Any = random_model(whisper(), 3).eval()
        graph = FakeGraph()
        fixed = FixedGreedy(model, RULES, CPU, graph)
        assert fixed.capture_s == 0
        for rows, frames in ((1, 40), (2, 40), (1, 40), (1, 60)):
            decode(fixed, encoded(rows, frames), [3] * rows)
        assert graph.captured == 3
        assert fixed.capture_s is not None
        assert fixed.capture_s > 0

    def test_the_shape_not_used_for_longest_is_forgotten(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(_static_shape_decoding, "SHAPES", 2)
        graph = FakeGraph()
        fixed = FixedGreedy(random_model(whisper(), 3).eval(), RULES, CPU, graph)
        captured = []
        for frames in (40, 50, 40, 60, 40, 50):
            decode(fixed, encoded(1, frames), [2])
            captured.append(graph.captured)
        assert captured == [1, 2, 2, 3, 3, 4]

    def test_what_is_not_captured_takes_no_time(self) -> None:
        assert FixedGreedy(random_model(whisper(), 3).eval(), RULES, CPU).capture_s is None

    def test_the_engine_captures_and_says_how_long_it_took(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        graph, device = FakeGraph(), FakeDevice()
        monkeypatch.setattr(_loop, "cuda_graph", graph)
        monkeypatch.setattr(device, "kind", "cuda", raising=False)
        monkeypatch.setattr(torch.cuda, "empty_cache", lambda: None)
        system = Transformers(decode="loop", cuda_graph=True).load(whisper(), device)
        done = system.transcribe(AudioBatch((noise(3.0), noise(1.0))), NullProbe())
        assert done == transcribe(whisper(), (3.0, 1.0))[0]
        assert graph.captured == 1
        assert system.facts.compile_s > 0
        system.close()

    def test_refused_on_a_cpu_before_anything_is_loaded(self) -> None:
        with pytest.raises(EngineError, match="needs device=cuda"):
            Transformers(decode="loop", cuda_graph=True).load(
                whisper(path="/nowhere"), FakeDevice()
            )

    @pytest.mark.parametrize(
        "options",
        [{"overlap": True}, {"cuda_graph": True}, {"features": "device"}, {"window_margin_s": 1.0}],
        ids=lambda o: next(iter(o)),
    )
    def test_refused_with_the_librarys_decoding(self, options: dict[str, Any]) -> None:
        with pytest.raises(ConfigError, match=r"needs engine\.decode=loop"):
            Transformers(**options)

    @pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")
    def test_on_a_gpu(self) -> None:
        from asr_scaling.device.cuda import Cuda

        batch, device = AudioBatch((noise(3.0), noise(1.0))), Cuda()
        plain = Transformers(decode="loop").load(whisper(), device).transcribe(batch, NullProbe())
        system = Transformers(decode="loop", cuda_graph=True).load(whisper(), device)
        assert [system.transcribe(batch, NullProbe()) for _ in range(2)] == [plain, plain]
        assert system.facts.compile_s > 0


class TestOverlap:
    @pytest.mark.parametrize(
        ("seconds", "groups"), [((2.0,) * 5, 3), ((3.0, 1.0), 2), ((1.0,) * 8, 4)]
    )
    @pytest.mark.parametrize("features", ["library", "device"])
    def test_the_batch_is_encoded_in_parts_and_decoded_as_one(
        self,
        seconds: tuple[float, ...],
        groups: int,
        features: str,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        device, listener = FakeDevice(), Listener()
        monkeypatch.setattr(device, "kind", "cuda", raising=False)
        system = Transformers(decode="loop", overlap=True, features=features).load(
            whisper(), device
        )
        done = system.transcribe(
            AudioBatch(tuple(noise(s, f"u{i}") for i, s in enumerate(seconds))), listener
        )
        assert done == transcribe(whisper(), seconds)[0]
        assert listener.stages.count("encoder") == groups
        assert listener.stages[-2:] == ["decoder", "text"]

    def test_refused_on_a_cpu(self) -> None:
        with pytest.raises(EngineError, match=r"engine\.overlap needs device=cuda"):
            Transformers(decode="loop", overlap=True).load(whisper(path="/nowhere"), FakeDevice())


class FakeCompiler:
    """Stands in for torch.compile: writes the mode down, and counts calls of what it was given."""

    def __init__(self) -> None:
        self.modes: list[str] = []
        self.calls = 0

    def __call__(self, function: Callable[..., Any], mode: str = "") -> Callable[..., Any]:
        self.modes.append(mode)

        def compiled(*args: Any, **kwargs: Any) -> Any:
            self.calls += 1
            return function(*args, **kwargs)

        return compiled


@pytest.fixture
def compiler(monkeypatch: pytest.MonkeyPatch) -> FakeCompiler:
    fake = FakeCompiler()
    monkeypatch.setattr(torch, "compile", fake)
    return fake


class TestCompiled:
    @pytest.mark.parametrize(
        ("option", "modes"),
        [
            (True, ["default"]),
            ("default", ["default"]),
            ("max-autotune", ["max-autotune"]),
            (None, []),
            (False, []),
        ],
    )
    def test_the_whole_network(self, compiler: FakeCompiler, option: Any, modes: list[str]) -> None:
        system = Transformers(compile=option).load(ctc(), FakeDevice())
        system.transcribe(AudioBatch((noise(1.0),)), NullProbe())
        assert (compiler.modes, compiler.calls) == (modes, len(modes))
        assert (system.facts.compile_s is None) == (not modes)

    @pytest.mark.parametrize("make", [whisper, ctc])
    def test_the_layers_of_the_encoder(self, compiler: FakeCompiler, make: Any) -> None:
        Transformers(compile="regional").load(make(), FakeDevice()).transcribe(
            AudioBatch((noise(1.0),)), NullProbe()
        )
        assert (compiler.modes, compiler.calls) == (["default"] * 2, 2)

    def test_the_loops_encoder_and_step(self, compiler: FakeCompiler) -> None:
        plain, _ = transcribe(whisper(), (5.0, 2.0))
        compiled, _ = transcribe(whisper(), (5.0, 2.0), decode="loop", compile="max-autotune")
        assert compiled == plain
        assert compiler.modes == ["max-autotune"] * 2
        assert (
            compiler.calls == 1 + plain.steps - 1
        )  # the encoder, and every step but the one that reads the prompt

    @pytest.mark.parametrize(
        ("options", "reason"),
        [
            ({"compile": "fast"}, "reduce-overhead, max-autotune, regional; got 'fast'"),
            (
                {"compile": "reduce-overhead", "overlap": True, "decode": "loop"},
                "reuses its memory",
            ),
            ({"compile": "reduce-overhead", "cuda_graph": True, "decode": "loop"}, "both capture"),
        ],
    )
    def test_refused(self, options: dict[str, Any], reason: str) -> None:
        with pytest.raises(ConfigError, match=reason):
            Transformers(**options)

    def test_reduce_overhead_is_refused_on_a_cpu(self) -> None:
        with pytest.raises(EngineError, match=r"use engine\.compile=default"):
            Transformers(compile="reduce-overhead").load(whisper(), FakeDevice())


class TestFeatures:
    @pytest.mark.parametrize("samples", [480_000, 88_000])
    def test_they_are_the_librarys(self, samples: int) -> None:
        extractor = feature_extractor(whisper())
        audio = [noise(5.0).audio, noise(2.3).audio]
        theirs = extractor(audio, sampling_rate=16_000, max_length=samples)
        ours = LogMel(extractor, CPU, torch.float32).of(audio, samples, NullProbe())
        assert ours.shape == (2, 80, samples // 160)
        np.testing.assert_allclose(ours.numpy(), theirs["input_features"], atol=2e-4)

    def test_samples_are_transferred_and_then_features_computed(self) -> None:
        done, listener = transcribe(whisper(), (3.0, 1.0), decode="loop", features="device")
        assert done == transcribe(whisper(), (3.0, 1.0))[0]
        assert isinstance(listener, Listener)
        assert listener.stages == ["transfer", "features", "encoder", "decoder", "text"]

    def test_what_lies_beyond_the_window_is_cut(self) -> None:
        log_mel = LogMel(
            SimpleNamespace(n_fft=400, hop_length=160, mel_filters=np.ones((201, 80))),
            CPU,
            torch.bfloat16,
        )
        features = log_mel.of([noise(3.0).audio], 16_000, NullProbe())
        assert (features.shape, features.dtype) == ((1, 80, 100), torch.bfloat16)
