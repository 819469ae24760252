"""The transformers engine on models of two layers:
options, decoding lengths, stages, long audio, CTC."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from support.fakes import FakeDevice, Listener, altered, make_job, noise
from support.networks import (
    ENCODER_DECODER,
    ctc,
    moonshine,
    transcribe,
    whisper,
    whisper_multilingual,
)
from support.refusals import refusal

from asr_scaling.core.decoding import Decoding
from asr_scaling.core.ports import NullProbe
from asr_scaling.core.workload import AudioBatch
from asr_scaling.engine.transformers import Transformers
from asr_scaling.engine.transformers._loaded_model import Loaded
from asr_scaling.engine.transformers.ctc import Adapter
from asr_scaling.errors import ConfigError, EngineError, OutOfMemoryError, WeightsError
from asr_scaling.measure.job import run
from asr_scaling.profiler.flops import Flops
from asr_scaling.profiler.quality import Quality

pytestmark = pytest.mark.usefixtures("one_thread")


EVERY = [*ENCODER_DECODER, ctc]
BEAMS = Decoding(beam=2)


class TestOptions:
    @pytest.mark.parametrize(
        ("option", "value"),
        [
            ("dtype", "float64"),
            ("dtype", "int8"),
            ("attention", "fast"),
            ("cache", "disk"),
        ],
    )
    def test_refused(self, option: str, value: Any):
        with pytest.raises(ConfigError, match=rf"engine\.{option}.*{value}"):
            Transformers(**{option: value})

    @pytest.mark.parametrize("family", ["unheard_of", "", "a.b", "not-a-name", "__init__x"])
    def test_an_unknown_family(self, family: str):
        with pytest.raises(EngineError, match="family"):
            Transformers().check(whisper(family=family))

    def test_a_private_module_is_no_family(self):
        with pytest.raises(EngineError):
            Transformers().check(whisper(family="_loaded_model"))

    @pytest.mark.parametrize("make", EVERY)
    def test_the_known_families(self, make: Any):
        assert refusal(Transformers().check, make()) is None

    @pytest.mark.parametrize("options", [{"cache": "static"}, {"cache": "none"}])
    def test_ctc_has_no_steps(self, options: dict[str, Any]):
        with pytest.raises(EngineError, match="decodes without steps"):
            Transformers(**options).check(ctc())
        Transformers(**options).check(whisper())

    def test_an_architecture_that_is_none(self):
        with pytest.raises(ConfigError, match="model"):
            Transformers().check(whisper(model_type="unheard_of"))

    def test_weights_that_are_nowhere(self, tmp_path: Path):
        with pytest.raises(WeightsError):
            Transformers().load(
                whisper(weights="pretrained", path=str(tmp_path / "none")), FakeDevice()
            )


class TestRandomWeights:
    @pytest.mark.parametrize("make", ENCODER_DECODER)
    @pytest.mark.parametrize("seconds", [(1.0,), (4.0, 2.0)])
    def test_token_counts_are_the_planned_ones(self, make: Any, seconds: tuple[float, ...]):
        done, listener = transcribe(make(), seconds)
        planned = tuple(round(s) for s in seconds)
        assert done.tokens == planned
        assert done.steps == max(planned) + 1  # the last step would give the end of text
        assert listener.log.count("token") == done.steps
        assert tuple(len(text.split()) for text in done.texts) == planned

    @pytest.mark.parametrize("make", EVERY)
    @pytest.mark.parametrize("seconds", [(1.0,), (40.0,), (1.0, 40.0)])
    def test_all_audio_is_processed(self, make: Any, seconds: tuple[float, ...]):
        done, _ = transcribe(make(), seconds)
        assert done.audio_s == seconds
        assert len(done.texts) == len(done.tokens) == len(seconds)

    @pytest.mark.parametrize("make", [whisper, whisper_multilingual])
    def test_whisper_encodes_every_window(self, make: Any):
        done, listener = transcribe(make(), (40.0,))
        recognising = ["language"] if make().multilingual else []
        windows = ["encoder", "decoder"] * 2
        assert listener.stages == ["features", "transfer", *recognising, *windows, "text"]
        assert done.tokens == (30 + 10,)
        assert done.steps == 31 + 11

    def test_a_short_utterance_is_not_decoded_in_windows_it_does_not_reach(self):
        done, listener = transcribe(whisper(), (1.0, 40.0))
        assert listener.stages.count("encoder") == 2
        assert done.tokens == (1, 40)

    @pytest.mark.parametrize("seconds", [30.0, 60.0])
    def test_whole_windows(self, seconds: float):
        done, listener = transcribe(whisper(), (seconds,))
        assert listener.stages.count("encoder") == seconds / 30
        assert done.tokens == (seconds,)

    def test_without_long_form_only_the_first_window_is_processed(self):
        done, listener = transcribe(whisper(), (70.0, 5.0), long_form=False)
        assert listener.stages.count("encoder") == 1
        assert done.audio_s == (30.0, 5.0)
        assert done.tokens == (30, 5)

    def test_a_model_without_a_window_has_no_first_one(self):
        with pytest.raises(EngineError, match="has no window"):
            Transformers(long_form=False).check(ctc())

    def test_moonshine_encodes_long_audio_at_once(self):
        done, listener = transcribe(moonshine(), (40.0,))
        assert listener.stages == ["features", "transfer", "encoder", "decoder", "text"]
        assert done.tokens == (40,)

    def test_ctc_takes_no_steps(self):
        done, listener = transcribe(ctc(), (2.0, 1.0))
        assert listener.log == ["features", "transfer", "encoder", "decoder", "text"]
        assert done.steps == 0

    def test_token_counts_do_not_depend_on_what_chance_decodes(self):
        done, _ = transcribe(whisper(tokens_per_s=2.0), (5.0,), seed=12)
        assert done.tokens == (10,)

    def test_a_timestamp_that_chance_decodes_does_not_have_the_window_decoded_again(self):
        system = Transformers().load(whisper_multilingual(), FakeDevice())
        weights = system.modules["model"].proj_out.weight.data
        weights[-1000], weights[-900] = (
            1000 * weights[7],
            -1000 * weights[7],
        )  # one of the two has the largest score
        done = system.transcribe(AudioBatch((noise(5.0, "u"),)), NullProbe())
        system.close()
        assert done.texts[0].split()[0] in {str(len(weights) - 1000), str(len(weights) - 900)}
        assert done.steps == 6

    @pytest.mark.parametrize("make", EVERY)
    def test_the_same_every_time(self, make: Any):
        assert transcribe(make(), (1.5,))[0] == transcribe(make(), (1.5,))[0]

    def test_another_seed_gives_other_weights(self):
        assert (
            transcribe(whisper(), (5.0,), seed=1)[0].texts
            != transcribe(whisper(), (5.0,), seed=2)[0].texts
        )

    @pytest.mark.parametrize(
        "options",
        [
            {"decoding": BEAMS},
            {"cache": "none"},
            {"attention": "eager"},
            {"dtype": "bfloat16"},
        ],
    )
    @pytest.mark.parametrize("make", [whisper, moonshine])
    def test_options_keep_the_length(self, make: Any, options: dict[str, Any]):
        done, _ = transcribe(make(), (2.0,), **options)
        assert done.tokens == (2,)

    @pytest.mark.parametrize("attention", ["eager", "sdpa"])
    def test_facts(self, attention: str):
        system = Transformers(attention=attention, dtype="bfloat16").load(whisper(), FakeDevice())
        facts = system.facts
        assert facts.random
        assert facts.weights_source.endswith(".")
        assert facts.dtype == "bfloat16"
        assert facts.details["attention"] == attention
        unique = sum(p.numel() for p in system.modules["model"].parameters())
        assert facts.parameters == unique > 0
        assert facts.weights_bytes >= 2 * unique

    def test_the_weights_bytes_of_a_known_model(self):
        """Whisper's fixed sinusoids and tied projection are counted once; float32 is four bytes."""
        system = Transformers().load(whisper(), FakeDevice())
        model = system.modules["model"]
        assert system.facts.weights_bytes == 4 * sum(p.numel() for p in model.parameters())
        assert model.proj_out.weight is model.model.decoder.embed_tokens.weight


class TestSystem:
    def test_closed_twice_and_then_used(self):
        system = Transformers().load(whisper(), FakeDevice())
        system.close()
        system.close()
        assert system.modules == {}
        with pytest.raises(EngineError, match="is closed"):
            system.transcribe(AudioBatch((noise(1.0),)), NullProbe())

    def test_nothing_is_told_to_the_probe_of_an_earlier_call(self):
        system, batch = Transformers().load(whisper(), FakeDevice()), AudioBatch((noise(1.0),))
        first, second = Listener(), Listener()
        system.transcribe(batch, first)
        before = list(first.log)
        done = system.transcribe(batch, second)
        assert first.log == before == second.log
        assert done.steps == 2

    @pytest.mark.parametrize(
        "error",
        [
            torch.OutOfMemoryError("CUDA out of memory. Tried to allocate"),
            RuntimeError(
                "[enforce fail at alloc_cpu.cpp:121] DefaultCPUAllocator: can't allocate memory: "
                "you tried"
            ),
            MemoryError(),
        ],
        ids=["cuda", "cpu", "python"],
    )
    def test_every_way_of_running_out_of_memory(self, error: Exception):
        system = Transformers().load(whisper(), FakeDevice())

        def fail(*_: Any) -> None:
            raise error

        system.modules["encoder"].register_forward_pre_hook(fail)
        with pytest.raises(OutOfMemoryError, match=r"batch\.size"):
            system.transcribe(AudioBatch((noise(1.0),)), NullProbe())

    def test_another_error_stays_what_it_is(self):
        system = Transformers().load(whisper(), FakeDevice())

        def fail(*_: Any) -> None:
            raise RuntimeError("shapes do not match")

        system.modules["encoder"].register_forward_pre_hook(fail)
        with pytest.raises(RuntimeError, match="shapes"):
            system.transcribe(AudioBatch((noise(1.0),)), NullProbe())

    @pytest.mark.parametrize("make", [whisper, ctc])
    def test_as_a_job(self, make: Any):
        profiler = {"quality": Quality(), "flops": Flops()}
        job = make_job(durations=(2.0,), model=make(), profiler=profiler, device=FakeDevice())
        record = run(altered(job, engine=Transformers()))
        assert record.status == "ok", record.reason
        assert "RandomWeights" in [caution.kind for caution in record.cautions]
        assert "quality/wer" in record.unavailable
        assert record.values["flops/encoder"] > 0
        assert record.system["engine"] == "transformers"


LETTERS = ["<pad>", "<s>", "</s>", "<unk>", "|", "H", "E", "L", "O", "A"]


@pytest.fixture(scope="module")
def letters(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """wav2vec 2.0's own tokenizer for five letters."""
    from transformers import Wav2Vec2CTCTokenizer

    path = tmp_path_factory.mktemp("letters") / "vocab.json"
    path.write_text(json.dumps({letter: i for i, letter in enumerate(LETTERS)}))
    return Wav2Vec2CTCTokenizer(str(path))


class Scripted:
    """A CTC model that says which letter each frame is; ``-`` is the blank.
    320 samples are a frame."""

    def __init__(self, *frames: str) -> None:
        ids = [[0 if letter == "-" else LETTERS.index(letter) for letter in row] for row in frames]
        longest = max(map(len, ids))
        padded = torch.tensor(
            [row + [LETTERS.index("A")] * (longest - len(row)) for row in ids]
        )  # junk in the padding
        self.logits = torch.nn.functional.one_hot(padded, len(LETTERS)).float()
        self.config = SimpleNamespace(pad_token_id=0)

    def __call__(self, **_: Any) -> SimpleNamespace:
        return SimpleNamespace(logits=self.logits)

    def _get_feat_extract_output_lengths(self, samples: torch.Tensor) -> torch.Tensor:
        return samples // 320


class TestCtc:
    def done(self, tokenizer: Any, *frames: str) -> Any:
        features = lambda arrays, **_: {"input_values": torch.zeros(len(arrays), 1)}  # noqa: E731
        loaded = Loaded(
            spec=ctc(),
            features=features,
            tokenizer=tokenizer,
            model=Scripted(*frames),
            device=torch.device("cpu"),
            dtype=torch.float32,
            options=Transformers(),
        )
        batch = AudioBatch(tuple(noise(len(row) * 0.02, f"u{i}") for i, row in enumerate(frames)))
        return Adapter(loaded).transcribe(batch, NullProbe())

    @pytest.mark.parametrize(
        ("frames", "text"),
        [
            ("HHEEL-LOO", "HELLO"),  # a blank between two equal letters keeps both
            ("HHEELLLOO", "HELO"),
            ("--H--", "H"),
            ("H-H-H", "HHH"),
            ("-----", ""),
            ("HE||LO", "HE LO"),
            ("L-LO|L-L", "LLO LL"),
        ],
    )
    def test_repeats_collapse_before_blanks_go(self, letters: Any, frames: str, text: str):
        done = self.done(letters, frames)
        assert done.texts == (text,)
        assert done.tokens == (len(text),)  # one token a character, the word boundary one too

    def test_frames_of_padding_are_dropped(self, letters: Any):
        done = self.done(letters, "HE", "HEL-LO")
        assert done.texts == ("HE", "HELLO")
        assert done.tokens == (2, 5)

    def test_random_weights_count_the_same_tokens(self):
        assert self.done(None, "HHEEL-LOO").tokens == (5,)
