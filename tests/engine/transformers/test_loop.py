"""Whisper by this package's own loop: the library's texts, shorter windows, utterances that leave,
what is refused."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from support.fakes import FakeDevice, Listener, make_session, noise
from support.networks import ENCODER_DECODER, ctc, transcribe, whisper, whisper_multilingual

from asr_scaling.core.decoding import Decoding
from asr_scaling.core.ports import NullProbe
from asr_scaling.core.workload import AudioBatch
from asr_scaling.engine.transformers import Transformers
from asr_scaling.engine.transformers._greedy_decoding import Greedy, Rules
from asr_scaling.errors import ConfigError, EngineError
from asr_scaling.model.transformers_objects import random_model
from asr_scaling.model.whisper import Prompts
from asr_scaling.optimisation.fused import JoinProjections
from asr_scaling.optimisation.int8 import Int8Dynamic
from asr_scaling.profiler.flops import Flops

WHISPERS = [whisper, whisper_multilingual]
pytestmark = pytest.mark.usefixtures("one_thread")


class TestRandomWeights:
    @pytest.mark.parametrize("make", WHISPERS)
    @pytest.mark.parametrize("seconds", [(3.0,), (2.0, 5.0, 1.0)])
    def test_the_tokens_are_the_librarys(self, make: Any, seconds: tuple[float, ...]) -> None:
        ours, listener = transcribe(make(), seconds, decode="loop")
        theirs, _ = transcribe(make(), seconds)
        assert ours == theirs
        assert listener.log.count("token") == ours.steps == max(seconds) + 1
        assert listener.stages == ["features", "transfer", "encoder", "decoder", "text"]

    def test_beyond_a_window_the_library_decodes(self) -> None:
        seconds = (40.0, 3.0)
        assert transcribe(whisper(), seconds, decode="loop")[0] == transcribe(whisper(), seconds)[0]

    def test_the_record_says_who_decoded(self) -> None:
        system = Transformers(decode="loop").load(whisper(), FakeDevice())
        system.transcribe(AudioBatch((noise(2.0),)), NullProbe())
        assert system.facts.details["decode"] == "loop"
        system.transcribe(AudioBatch((noise(31.0),)), NullProbe())
        assert system.facts.details["decode"] == "loop; library for 1 calls beyond a window"
        assert "decode" not in Transformers().load(whisper(), FakeDevice()).facts.details

    def test_the_first_window_alone_is_the_loops(self) -> None:
        done, listener = transcribe(whisper(), (40.0,), decode="loop", long_form=False)
        assert (done.audio_s, done.tokens, listener.stages.count("encoder")) == ((30.0,), (30,), 1)
        assert done == transcribe(whisper(), (40.0,), long_form=False)[0]

    def test_bfloat16(self) -> None:
        assert transcribe(whisper(), (2.0, 4.0), decode="loop", dtype="bfloat16")[0].tokens == (
            2,
            4,
        )

    @pytest.mark.parametrize(("margin", "frames"), [(None, 1500), (2.0, 350), (0.1, 275)])
    def test_the_encoder_sees_the_window_that_was_asked_for(
        self, margin: float | None, frames: int
    ) -> None:
        system = Transformers(decode="loop", window_margin_s=margin).load(whisper(), FakeDevice())
        seen: list[int] = []
        system.modules["encoder"].register_forward_hook(
            lambda _, __, out: seen.append(out[0].shape[1])
        )
        done = system.transcribe(AudioBatch((noise(5.0), noise(4.0))), NullProbe())
        assert (seen, done.again, done.audio_s) == ([frames], 0, (5.0, 4.0))

    @pytest.mark.filterwarnings("ignore:distutils Version classes:DeprecationWarning")  # thop's
    def test_flops_and_bytes_are_counted_in_the_loop_as_in_the_library(self) -> None:
        """But for the self-attention of the prompt and the bytes of what the library does
        around the network."""
        found = {}
        for decode in ("library", "loop"):
            system = Transformers(decode=decode).load(whisper(), FakeDevice())
            measured = Flops().measure(make_session(system, (noise(3.0),), model=whisper()))
            assert measured.unavailable == {}
            found[decode] = {metric.name: metric.value for metric in measured.metrics}
        loop, library = found["loop"], found["library"]
        for name in ("flops/encoder", "flops/encoder_thop", "bytes/decoder_step_weights"):
            assert loop[name] == pytest.approx(library[name], rel=1e-3), name
        positions = 1500 * 16 * 4  # the library copies them, and the copy is no weight
        assert loop["bytes/encoder_weights"] == library["bytes/encoder_weights"] + positions
        assert loop["flops/decoder_step"] == pytest.approx(library["flops/decoder_step"], rel=0.01)
        assert (
            0.5 * library["bytes/decoder_step"]
            < loop["bytes/decoder_step"]
            <= library["bytes/decoder_step"]
        )


def model_and_rules() -> tuple[Any, Rules]:
    """A random network whose choices differ from one input to the next."""
    model: Any = random_model(whisper(), 3).eval()
    return model, Rules(Prompts(50_257, 50_362), never=(7,), not_first=(9,), end=50_256)


class TestGreedy:
    def rows(
        self, encoded: torch.Tensor, most: list[int], rules: Rules | None = None, ends: bool = False
    ) -> Any:
        model, known = model_and_rules()
        steps = [0]
        with torch.no_grad():
            greedy = Greedy(model, rules or known, torch.device("cpu"))
            found = greedy.decode(encoded, most, lambda: steps.__setitem__(0, steps[0] + 1), ends)
        return found, steps[0]

    def encoded(self, rows: int) -> torch.Tensor:
        return torch.randn(rows, 40, 16, generator=torch.Generator().manual_seed(0)) * 3

    def test_utterances_that_leave_change_nothing_for_those_that_stay(self) -> None:
        encoded = self.encoded(5)
        together, steps = self.rows(encoded, [4, 9, 2, 9, 6])
        alone = [self.rows(encoded[i : i + 1], [n])[0][0] for i, n in enumerate([4, 9, 2, 9, 6])]
        assert together == alone
        assert [len(row) for row in together] == [4, 9, 2, 9, 6]
        assert steps == 9

    def test_the_end_of_text_ends_a_row_and_is_no_part_of_it(self) -> None:
        encoded, (_, rules) = self.encoded(3), model_and_rules()
        plain, _ = self.rows(encoded, [8, 8, 8])
        end = plain[1][3]
        first = [row.index(end) if end in row else 8 for row in plain]
        cut, steps = self.rows(
            encoded, [8, 8, 8], Rules(rules.prompts, rules.never, rules.not_first, end), ends=True
        )
        assert cut == [row[:n] for row, n in zip(plain, first, strict=True)]
        assert steps == min(8, max(first) + 1)

    def test_tokens_that_are_never_chosen_or_not_first(self) -> None:
        encoded, (_, rules) = self.encoded(1), model_and_rules()
        (plain,), _ = self.rows(encoded, [5])
        never = Rules(rules.prompts, (plain[0],), (), rules.end)
        assert plain[0] not in self.rows(encoded, [5], never)[0][0]
        not_first = Rules(rules.prompts, (), (plain[0],), rules.end)
        assert self.rows(encoded, [5], not_first)[0][0][0] != plain[0]

    def test_no_row_is_longer_than_the_positions_there_are(self) -> None:
        (row,), steps = self.rows(self.encoded(1), [1000])
        assert len(row) == steps == 448 - 2

    def test_rules_of_a_multilingual_model(self) -> None:
        model: Any = random_model(whisper_multilingual(), 3)
        config = model.generation_config
        config.lang_to_id = {"<|en|>": 50_259, "<|de|>": 50_261, "<|jw|>": 50_356}
        config.task_to_id = {"transcribe": 50_359}
        config.no_timestamps_token_id, config.suppress_tokens, config.begin_suppress_tokens = (
            50_363,
            [1, 2],
            [220],
        )
        prompts = Prompts.of_config(whisper_multilingual(), config)
        assert prompts.of("en") == (50_258, 50_259, 50_359, 50_363)
        assert prompts.of("jv") == (50_258, 50_356, 50_359, 50_363)
        assert Rules.of(model, prompts) == Rules(prompts, (1, 2), (220,), 50_257)


@pytest.mark.parametrize(
    "changes", [(JoinProjections(),), (Int8Dynamic(),), (JoinProjections(), Int8Dynamic())]
)
def test_changed_networks_are_decoded_as_by_the_library(changes: tuple[Any, ...]) -> None:
    seconds = (3.0, 2.0)
    library, _ = transcribe(whisper(), seconds, changes=changes)
    assert transcribe(whisper(), seconds, changes=changes, decode="loop")[0] == library


class TestRefused:
    @pytest.mark.parametrize(
        ("options", "reason"),
        [
            ({"decoding": Decoding(beam=2)}, "no beams"),
            ({"cache": "static"}, "keys and values"),
            ({"cache": "none"}, "keys and values"),
            ({"attention": "eager"}, "sdpa"),
        ],
    )
    def test_with_the_loop(self, options: dict[str, Any], reason: str) -> None:
        with pytest.raises(ConfigError, match=reason):
            Transformers(decode="loop", **options)

    def test_a_short_window_with_the_librarys_decoding(self) -> None:
        with pytest.raises(ConfigError, match=r"needs engine\.decode=loop"):
            Transformers(window_margin_s=2.0)

    def test_an_unheard_of_way_to_decode(self) -> None:
        with pytest.raises(ConfigError, match="library, loop"):
            Transformers(decode="fast")

    @pytest.mark.parametrize(
        "options", [{"decode": "loop"}, {"decode": "loop", "window_margin_s": 1.0}]
    )
    @pytest.mark.parametrize("make", [ctc, ENCODER_DECODER[2]])
    def test_models_without_a_window(self, make: Any, options: dict[str, Any]) -> None:
        with pytest.raises(EngineError, match="has no window"):
            Transformers(**options).check(make())


def test_nothing_is_told_to_the_probe_of_an_earlier_call() -> None:
    system, batch = (
        Transformers(decode="loop").load(whisper(), FakeDevice()),
        AudioBatch((noise(1.0),)),
    )
    first, second = Listener(), Listener()
    system.transcribe(batch, first)
    before = list(first.log)
    assert system.transcribe(batch, second).steps == 2
    assert first.log == before == second.log
