"""FunASR's own chain of small networks: what each module costs, and what it may decide."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from support.fakes import FakeDevice, Listener, noise
from support.small_funasr import (
    SMALL_PUNC,
    SMALL_VAD,
    SMALL_VOICES,
    folder_of,
    needs_funasr,
    paraformer,
    sensevoice,
)

from asr_scaling.batch.fixed import Fixed
from asr_scaling.batch.seconds import Seconds
from asr_scaling.core.module_use import BETWEEN, RECOGNITION
from asr_scaling.core.ports import NullProbe, Transcription
from asr_scaling.core.workload import AudioBatch, Utterance
from asr_scaling.engine.funasr import FunAsr
from asr_scaling.errors import ConfigError
from asr_scaling.punctuation.ct_punc import CtPunc
from asr_scaling.speaker.campplus import CamPlusPlus
from asr_scaling.vad.fsmn import Fsmn

pytestmark = pytest.mark.usefixtures("one_thread", "own_cache")
MODULES = ["vad", RECOGNITION, "punctuation", "speaker", BETWEEN]


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CtPunc, "layout", SMALL_PUNC)
    monkeypatch.setattr(CamPlusPlus, "layout", SMALL_VOICES)


class Foreign:
    """A module that is not FunASR's."""


@pytest.mark.parametrize(
    ("vad", "punctuation", "speaker"),
    [
        (None, None, None),
        (Foreign(), None, None),
        (Fsmn(), Foreign(), None),
        (Fsmn(), CtPunc(), Foreign()),
        (CtPunc(), None, None),
        (None, CtPunc(), CamPlusPlus()),  # FunASR tells no voices apart without voice activity
    ],
)
def test_chains_that_are_not_funasrs(vad: Any, punctuation: Any, speaker: Any):
    assert FunAsr().chained(vad, punctuation, speaker, Fixed(8)) is None


@pytest.mark.parametrize(
    ("vad", "punctuation", "speaker"),
    [
        (Fsmn(), None, None),
        (None, CtPunc(), None),
        (Fsmn(), None, CamPlusPlus()),
        (Fsmn(), CtPunc(), CamPlusPlus()),
    ],
)
def test_chains_that_are(vad: Any, punctuation: Any, speaker: Any):
    engine = FunAsr(ncpu=3).chained(vad, punctuation, speaker, Fixed(1))
    assert engine is not None
    assert engine.ncpu == 3
    assert engine.chain.modules == {
        name: module
        for name, module in (("vad", vad), ("punctuation", punctuation), ("speaker", speaker))
        if module is not None
    }


class TestBatches:
    def test_seconds(self):
        engine = FunAsr().chained(Fsmn(), None, None, Seconds(20.0))
        assert engine is not None
        assert engine.batch_size_s == 20

    def test_a_number_of_segments(self):
        with pytest.raises(ConfigError, match="by seconds of audio, not by a number of segments"):
            FunAsr().chained(Fsmn(), None, None, Fixed(8))

    def test_of_recordings(self):
        assert FunAsr().chained(None, CtPunc(), None, Fixed(8)) is not None

    def test_twice(self):
        with pytest.raises(ConfigError, match="leave one out"):
            FunAsr(batch_size_s=30).chained(Fsmn(), None, None, Seconds(20.0))


def call(
    engine: FunAsr | None, *recordings: Utterance, spec: Any = None, probe: Any = None
) -> tuple[Transcription, Any]:
    assert engine is not None
    system = engine.load(spec or paraformer(), FakeDevice())
    done = system.transcribe(AudioBatch(recordings), probe or NullProbe())
    system.close()
    return done, system.facts


@needs_funasr
class TestRandomWeights:
    def test_each_module_has_its_cost(self):
        engine = FunAsr().chained(Fsmn(), CtPunc(), CamPlusPlus(), Fixed(1))
        listener = Listener()
        done, _ = call(engine, noise(40.0), probe=listener)
        account = done.account
        assert set(account.modules) == set(MODULES)
        used = account.modules
        assert sum(use.wall_s for use in used.values()) == pytest.approx(account.total_s)
        assert all(use.wall_s > 0 and use.cpu_s >= 0 for use in used.values())
        assert all(use.device_s is None for use in used.values())
        assert (used["vad"].calls, used["vad"].items) == (1, 1)
        assert (used[RECOGNITION].calls, used[RECOGNITION].items) == (3, 3)
        assert used[RECOGNITION].padding_share == pytest.approx(0.0)
        assert (used["punctuation"].calls, used["punctuation"].items) == (1, 1)
        assert used["speaker"].items == 3 * 17  # of 1.5 s, each 0.75 s, in three pieces of 13.3 s
        assert used["speaker"].calls == 3 * 17 + 1  # FunASR gives one window at a time; clusters
        assert all(one.end_s <= two.start_s for one, two in pairwise(account.spans))
        assert account.spans[-1].end_s <= account.total_s
        assert [span.module for span in account.spans][:2] == ["vad", RECOGNITION]
        assert listener.stages[0] == BETWEEN
        assert set(listener.stages) == set(MODULES)

    def test_they_decide_nothing(self):
        engine = FunAsr().chained(Fsmn(), CtPunc(), CamPlusPlus(), Fixed(1))
        done, facts = call(engine, noise(40.0))
        (turns,) = done.turns
        assert len(turns) == 3  # as the recording was cut, in pieces of at most 15 s
        assert turns[0].start_s == 0
        assert turns[-1].end_s == pytest.approx(40.0)
        assert all(turn.duration_s == pytest.approx(40 / 3, abs=0.01) for turn in turns)
        assert {turn.speaker for turn in turns} == {None}
        assert "".join(turn.text for turn in turns) == done.texts[0]
        assert len(done.texts[0]) == done.tokens[0] == pytest.approx(160, abs=3)
        assert len(facts.notes) == 3
        assert all("random" in note for note in facts.notes)
        assert set(facts.details["modules"]) == {"vad", "punctuation", "speaker"}

    def test_pieces_at_once(self):
        """On a processor FunASR takes them one by one unless it is told a size."""
        for size, calls in ((None, 3), (13, 3), (20, 2), (30, 1), (300, 1)):
            engine = FunAsr(batch_size_s=size).chained(Fsmn(), None, None, Fixed(1))
            done, _ = call(engine, noise(40.0))
            used = done.account.modules[RECOGNITION]
            assert (used.calls, used.items) == (calls, 3), size

    def test_the_texts_are_those_of_the_pieces(self):
        one, _ = call(FunAsr().chained(Fsmn(), None, None, Fixed(1)), noise(40.0))
        many, _ = call(FunAsr(batch_size_s=300).chained(Fsmn(), None, None, Fixed(1)), noise(40.0))
        assert one.texts == many.texts

    def test_windows_at_once(self):
        engine = FunAsr().chained(Fsmn(), None, CamPlusPlus(batch=17), Fixed(1))
        done, _ = call(engine, noise(40.0))
        assert done.account.modules["speaker"].calls == 3 + 1

    def test_several_recordings(self):
        engine = FunAsr().chained(Fsmn(), CtPunc(), None, Fixed(1))
        done, _ = call(engine, noise(3.0), noise(0.01, "v"), noise(2.0, "w"))
        assert [len(text) for text in done.texts] == list(done.tokens)
        assert done.tokens[1] == 0
        assert [len(turns) for turns in done.turns] == [1, 0, 1]
        assert done.account.modules["vad"].calls == 2  # the second is shorter than a frame

    def test_punctuation_alone(self):
        done, _ = call(FunAsr().chained(None, CtPunc(), None, Fixed(1)), noise(3.0))
        assert set(done.account.modules) == {RECOGNITION, "punctuation", BETWEEN}
        assert len(done.texts[0]) == done.tokens[0] > 0

    def test_sensevoice(self):
        engine = FunAsr().chained(Fsmn(), CtPunc(), CamPlusPlus(), Fixed(1))
        done, _ = call(engine, noise(20.0), spec=sensevoice())
        assert done.account.modules[RECOGNITION].calls == 2
        assert done.texts[0]

    def test_a_modules_own_threads(self, monkeypatch: pytest.MonkeyPatch):
        seen = list[int]()
        engine = FunAsr(ncpu=1).chained(Fsmn(threads=2), None, None, Fixed(1))
        system = engine.load(paraformer(), FakeDevice())
        network = system.modules["model"]
        encoder = network.encoder.forward
        network.encoder.forward = lambda *given: (
            seen.append(torch.get_num_threads()) or encoder(*given)
        )
        monkeypatch.setattr(
            "funasr.models.fsmn_vad_streaming.model.FsmnVADStreaming.ComputeScores",
            _spy(seen, "funasr.models.fsmn_vad_streaming.model"),
        )
        system.transcribe(AudioBatch((noise(2.0),)), NullProbe())
        system.close()
        assert seen == [2, 1]


def _spy(seen: list[int], module: str) -> Any:
    import importlib

    inner = importlib.import_module(module).FsmnVADStreaming.ComputeScores

    def called(*given: Any, **options: Any) -> Any:
        seen.append(torch.get_num_threads())
        return inner(*given, **options)

    return called


@needs_funasr
class TestWeightsOfFolders:
    """They decide, whatever they are."""

    def test_marks_make_turns(self, tmp_path: Path):
        punctuation = CtPunc(path=folder_of(SMALL_PUNC, tmp_path / "marks"))
        done, facts = call(FunAsr().chained(Fsmn(), punctuation, None, Fixed(1)), noise(3.0))
        words = [turn.text for turn in done.turns[0]]
        assert len(words) == done.tokens[0]
        assert all(len(word) == 2 and word.endswith("。") for word in words)
        assert done.texts[0] == "".join(words)
        assert len(facts.notes) == 1

    def test_voices_have_names(self, tmp_path: Path):
        speaker = CamPlusPlus(path=folder_of(SMALL_VOICES, tmp_path / "voices"))
        done, _ = call(FunAsr().chained(Fsmn(), None, speaker, Fixed(1)), noise(20.0))
        assert {turn.speaker for turn in done.turns[0]} <= {"0", "1", "2", "3"}

    def test_silence_has_no_text(self, tmp_path: Path):
        place = Path(folder_of(SMALL_VAD, tmp_path / "ears"))
        tensors = torch.load(place / "model.pt")
        tensors["encoder.out_linear2.linear.bias"][0] = 20.0
        torch.save(tensors, place / "model.pt")
        engine = FunAsr().chained(Fsmn(path=str(place)), CtPunc(), None, Fixed(1))
        done, facts = call(engine, noise(4.0))
        assert (done.texts, done.tokens, done.turns) == (("",), (0,), ((),))
        assert set(done.account.modules) == {"vad", BETWEEN}
        assert len(facts.notes) == 1
