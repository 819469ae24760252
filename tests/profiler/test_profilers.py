"""Measurements: each figure against arithmetic done by hand."""

from __future__ import annotations

import csv
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.fakes import (
    ScriptedSystem,
    make_session,
    transcription,
    utterance,
    utterances,
)

from asr_scaling.core.metric import Metric
from asr_scaling.core.record import Findings
from asr_scaling.core.turns import Turn
from asr_scaling.errors import ConfigError
from asr_scaling.profiler._looping import METRICS as LOOPING
from asr_scaling.profiler._operators import CLASSES, operator_class, shares
from asr_scaling.profiler.flops import Flops
from asr_scaling.profiler.quality import Quality, normaliser, score
from asr_scaling.profiler.trace import Trace


def values(findings: Findings) -> dict[str, float]:
    return {metric.name: metric.value for metric in findings.metrics}


def scored(*pairs: tuple[str, str]) -> Findings:
    return score(
        [(f"u{i}", *pair) for i, pair in enumerate(pairs)],
        str.strip,
        {"quality/normaliser": "none"},
    )


class TestQuality:
    def test_edits_are_summed_over_utterances(self):
        """1 substitution in 1 word, nothing in 9:
        WER is 1/10, while the mean of the two WERs would be 1/2."""
        found = values(scored(("yes", "no"), ("a b c d e f g h i", "a b c d e f g h i")))
        assert found["quality/wer"] == pytest.approx(0.1)
        assert found["quality/cer"] == pytest.approx(3 / (3 + 17))
        assert found["quality/words"] == 10
        assert found["quality/left_out"] == 0

    def test_speech_whose_words_nobody_wrote_down_invents_nothing(self):
        """Turns without words, as an RTTM has them, leave a recording out of WER and of silence."""
        told = utterance(1.0, "told", "one two")
        untold = replace(utterance(2.0, "untold", ""), turns=(Turn(0.0, 2.0, "ann"),))
        silent = utterance(3.0, "silent", "")
        system = ScriptedSystem(lambda batch, probe: transcription(batch, texts=("one two",)))
        found = Quality("none").measure(make_session(system, [told, untold, silent]))
        assert values(found)["quality/wer"] == 0
        assert values(found)["quality/left_out"] == 2
        assert values(found)["quality/invented_words"] == 2
        assert found.transcripts[1]["left_out"] == "what is said is not known"

    def test_copies_of_an_utterance_make_no_interval_narrower(self):
        texts = [(f"u{i}", "a b c d e", "a b c d" if i % 3 else "a b c d e") for i in range(12)]
        copied = [(f"{key}~slower", *pair) for key, *pair in texts]

        def wer(rows: list[tuple[str, str, str]]) -> Metric:
            found = score(rows, str.strip, {"quality/normaliser": "none"})
            return next(m for m in found.metrics if m.name == "quality/wer")

        alone, together = wer(texts), wer([*texts, *copied])
        assert together.interval == alone.interval is not None
        assert (together.value, together.n) == (alone.value, 24)

    def test_each_kind_of_edit(self):
        """ "the cat sat on" → "the hat sat" : one substitution, one deletion; and "x" → "x y z":
        two insertions."""
        found = values(scored(("the cat sat on", "the hat sat"), ("x", "x y z")))
        edits = [found[f"quality/{name}"] for name in ("substitutions", "deletions", "insertions")]
        assert edits == [1, 1, 2]
        assert found["quality/wer"] == pytest.approx(4 / 5)
        assert found["quality/character_edits"] == 1 + 3 + 4  # c→h; " on" lost; " y z" added
        assert found["quality/cer"] == pytest.approx(8 / 15)

    def test_an_empty_hypothesis_is_all_deletions(self):
        found = values(scored(("one two three", "")))
        assert found["quality/wer"] == 1.0
        assert found["quality/deletions"] == 3
        assert found["quality/cer"] == 1.0

    def test_error_rates_have_intervals_from_six_utterances_on(self):
        pairs = [
            ("a b c d", "a b c d"),
            ("a b c", "a x c"),
            ("a b", "a"),
            ("a", "a"),
            ("a b c", "b c"),
            ("c d", "c d"),
        ]
        metrics = {metric.name: metric for metric in scored(*pairs).metrics}
        for name in ("quality/wer", "quality/cer"):
            interval = metrics[name].interval
            assert interval is not None
            assert 0 <= interval.low < metrics[name].value < interval.high
        assert {metric.interval for metric in scored(*pairs[:5]).metrics} == {None}

    def test_wer_may_exceed_one(self):
        assert values(scored(("a", "b c d")))["quality/wer"] == 3.0

    def test_an_empty_reference_is_left_out_and_counted(self):
        findings = scored(("", "words from nowhere"), ("  ", ""), ("a b", "a"))
        found = values(findings)
        assert found["quality/wer"] == 0.5
        assert found["quality/left_out"] == 2
        assert {m.n for m in findings.metrics if m.name == "quality/wer"} == {1}
        assert [row.get("left_out") for row in findings.transcripts] == [
            "empty reference",
            "empty reference",
            None,
        ]

    def test_no_reference_at_all_is_unavailable(self):
        findings = scored(("", "x"))
        assert values(findings) == {"quality/invented_words": 1}
        assert set(findings.unavailable) == {"quality/wer", "quality/cer"}
        assert len(findings.transcripts) == 1

    def test_words_invented_on_silence_are_counted_per_hour(self):
        pairs = [("a", "", "thank you very much"), ("b", "...", ""), ("c", "yes", "yes")]
        facts = {key: {"audio_s": seconds} for key, seconds in (("a", 10), ("b", 26), ("c", 5))}
        findings = score(pairs, normaliser("auto")[0], {}, facts)
        found = values(findings)
        assert found["quality/invented_words"] == 4
        assert found["quality/invented_words_per_hour"] == pytest.approx(400)
        assert found["quality/wer"] == 0
        assert findings.transcripts[0]["invented_words"] == 4
        assert "quality/invented_words_per_hour" not in values(scored(("a", "a")))

    @pytest.mark.parametrize("digits", ["1" * 5000, "0" * 5000])
    def test_a_text_that_the_normaliser_can_not_take_costs_the_wer_only(self, digits: str):
        found = (utterance(1.0, "u0", digits), utterance(1.0, "u1", "yes"))
        system = ScriptedSystem(lambda batch, probe: transcription(batch, texts=("yes",)))
        findings = Quality().measure(make_session(system, found))
        for name in ("quality/wer", "quality/cer"):
            assert name not in values(findings)
            assert (
                "can't score 'u0': its reference can't be normalised"
                in (findings.unavailable[name])
            )
        assert [row["hypothesis"] for row in findings.transcripts] == ["yes", "yes"]
        assert values(Quality("unicode").measure(make_session(system, found)))["quality/wer"] == 0.5

    def test_a_hindi_word_of_two_is_half(self):
        texts = ("प्राचीन संस्कृतियों", "प्राचीन संस्कृति")
        found = values(score([("u", *texts)], normaliser("auto")[0], {}))
        assert found["quality/wer"] == 0.5

    def test_japanese_letters_differ_by_their_marks(self):
        found = values(score([("u", "バンです", "パンてす")], normaliser("auto")[0], {}))
        assert found["quality/cer"] == found["quality/wer"] == 0.5

    def test_compounds_are_equal_for_the_leaderboard(self):
        pair = [("u", "the white paper on a boat house", "the whitepaper on a boathouse")]
        found = values(score(pair, normaliser("leaderboard")[0], {}))
        assert found["quality/wer"] == 0
        assert found["quality/words"] == 7
        assert values(score(pair, normaliser("whisper_english")[0], {}))["quality/wer"] == (
            pytest.approx(4 / 7)
        )

    def test_compounds_of_long_texts_are_found_in_pieces(self):
        """Of 6,000 words, one in 50 is two words and one in 70 is wrong."""
        words = [f"w{'abcdefgh'[i % 8]}{'klmnopqrst'[i % 10]}x" for i in range(6000)]
        heard, wrong = list[str](), 0
        for i, word in enumerate(words):
            wrong += i % 70 == 5
            halves = f"{word[:2]} {word[2:]}" if i % 50 == 7 else word
            heard.append("else" if i % 70 == 5 else halves)
        pair = [("u", " ".join(words), " ".join(heard))]
        found = values(score(pair, normaliser("leaderboard")[0], {}))
        assert found["quality/substitutions"] == wrong
        assert found["quality/wer"] == wrong / 6000

    def test_auto_says_which_normalisers_it_chose(self):
        pairs = [("a", "it is the end", "x"), ("b", "प्राचीन", "x")]
        tags = score(pairs, normaliser("auto")[0], {"quality/normaliser": "auto"}).tags
        first, second = tags["quality/normaliser"].split(" and ")
        assert first == "unicode (version 1)"
        assert second.startswith("whisper_english (whisper-normalizer ")

    def test_rows_hold_both_texts_and_their_counts(self):
        row = scored(("a b", "a c")).transcripts[0]
        assert (row["id"], row["reference"], row["hypothesis"]) == ("u0", "a b", "a c")
        assert (row["substitutions"], row["words"]) == (1, 2)

    @given(
        st.lists(
            st.tuples(st.text("ab ", max_size=8), st.text("ab ", max_size=8)),
            min_size=1,
            max_size=5,
        )
    )
    def test_a_perfect_text_has_no_error_and_counts_add_up(self, pairs: list[tuple[str, str]]):
        found = values(scored(*pairs))
        words = sum(len(reference.split()) for reference, _ in pairs)
        assert ("quality/wer" in found) == (words > 0)
        if words:
            edits = sum(
                found[f"quality/{name}"] for name in ("substitutions", "deletions", "insertions")
            )
            assert found["quality/wer"] == pytest.approx(edits / words)
            assert (
                values(scored(*((reference, reference) for reference, _ in pairs)))["quality/wer"]
                == 0
            )

    def test_whisper_english_ignores_spelling_and_punctuation(self):
        found = (utterance(1.0, "u0", "Mr. Smith's COLOUR isn't grey!"),)
        system = ScriptedSystem(
            lambda batch, probe: transcription(batch, texts=("mister smith's color, is not gray",))
        )
        findings = Quality().measure(make_session(system, found))
        assert findings.tags["quality/normaliser"].startswith(
            "whisper_english (whisper-normalizer "
        )
        assert values(findings)["quality/wer"] == 0
        assert values(Quality("none").measure(make_session(system, found)))["quality/wer"] > 0

    def test_random_weights_are_never_scored(self):
        calls: list[int] = []
        system = ScriptedSystem(lambda batch, probe: calls.append(1), weights="random")
        findings = Quality().measure(make_session(system, utterances([1.0])))
        assert findings.metrics == ()
        assert set(findings.unavailable) == {"quality/wer", "quality/cer", *LOOPING}
        assert findings.transcripts == ()
        assert calls == []

    def test_transcribes_only_what_nobody_transcribed_yet(self):
        seen: list[str] = []
        system = ScriptedSystem(lambda batch, probe: seen.extend(u.id for u in batch.utterances))
        session = make_session(system, utterances([1.0, 1.0, 1.0]))
        session.transcribe(session.batches[1])
        findings = Quality("none").measure(session)
        assert seen == ["u1", "u0", "u2"]
        assert values(findings)["quality/wer"] == 0
        assert len(findings.transcripts) == 3

    def test_a_repeated_utterance_counts_once(self):
        session = make_session(
            ScriptedSystem(lambda batch, probe: None), utterances([1.0, 1.0, 1.0]), size=2
        )
        assert len(session.batches) == 2
        assert values(Quality("none").measure(session))["quality/words"] == 6

    def test_normaliser(self):
        with pytest.raises(ConfigError, match=r"profiler\.quality\.normaliser"):
            Quality("german")


class TestTrace:
    @pytest.mark.parametrize(
        ("name", "expected"),
        [
            ("aten::_scaled_dot_product_flash_attention_for_cpu", "attention"),
            ("aten::scaled_dot_product_attention", "attention"),
            ("pytorch_flash::flash_fwd_kernel", "attention"),
            ("fmha_cutlassF_f32_aligned_64x64", "attention"),
            ("aten::addmm", "gemm"),
            ("aten::mm", "gemm"),
            ("aten::bmm", "gemm"),
            ("aten::linear", "gemm"),
            ("aten::matmul", "gemm"),
            ("ampere_sgemm_128x64_tn", "gemm"),
            ("aten::convolution", "convolution"),
            ("aten::mkldnn_convolution", "convolution"),
            ("aten::conv1d", "convolution"),
            ("aten::native_layer_norm", "normalisation"),
            ("aten::batch_norm", "normalisation"),
            ("aten::_softmax", "normalisation"),
            ("aten::copy_", "memory"),
            ("aten::_to_copy", "memory"),
            ("aten::to", "memory"),
            ("aten::cat", "memory"),
            ("aten::index_select", "memory"),
            ("aten::embedding", "memory"),
            ("aten::transpose", "memory"),
            ("aten::item", "memory"),
            ("Memcpy HtoD (Pageable -> Device)", "memory"),
            ("aten::gelu", "other"),
            ("aten::add", "other"),
            ("aten::mul", "other"),
            ("aten::argmax", "other"),
            ("aten::_fft_r2c", "other"),
            ("cudaLaunchKernel", "other"),
        ],
    )
    def test_class_of_an_operator(self, name: str, expected: str):
        assert operator_class(name) == expected

    @pytest.mark.parametrize(
        ("name", "expected"),
        [
            ("aten::topk", "other"),
            ("mkldnn::_linear_pointwise", "gemm"),
            (
                "void at::native::elementwise_kernel<128, 4, at::native::direct_copy_kernel_cuda>",
                "memory",
            ),
        ],
    )
    def test_class_of_an_operator_that_looks_like_another(self, name: str, expected: str):
        assert operator_class(name) == expected

    @given(
        st.lists(st.tuples(st.sampled_from([*CLASSES, "other"]), st.floats(1e-9, 1e3)), min_size=1)
    )
    def test_shares_add_up_to_one(self, rows: list[tuple[str, float]]):
        found = shares([{"class": name, "self_s": seconds} for name, seconds in rows])
        assert set(found) == {*CLASSES, "other"}
        assert sum(found.values()) == pytest.approx(1.0)

    def test_shares_of_nothing(self):
        assert set(shares([]).values()) == {0.0}

    def test_an_engine_without_torch_says_so(self, tmp_path: Path):
        session = make_session(
            ScriptedSystem(lambda b, p: None), utterances([1.0]), folder=tmp_path
        )
        findings = Trace().measure(session)
        assert findings.metrics == ()
        assert set(findings.unavailable) == {f"ops/{name}_share" for name in (*CLASSES, "other")}
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize("shapes", [False, True])
    def test_of_a_matrix_product(self, tmp_path: Path, shapes: bool):
        import torch

        matrix = torch.ones(300, 300)

        def script(batch: Any, probe: Any) -> None:
            for _ in range(20):
                matrix @ matrix

        system = ScriptedSystem(script, modules={"model": torch.nn.Identity()})
        findings = Trace(shapes).measure(make_session(system, utterances([1.0]), folder=tmp_path))
        found = values(findings)
        assert sum(found.values()) == pytest.approx(1.0)
        assert found["ops/gemm_share"] > found["ops/convolution_share"] == 0
        assert findings.tags == {"ops/clock": "cpu"}
        assert sorted(findings.artifacts) == sorted(path.name for path in tmp_path.iterdir())
        with (tmp_path / "operators.csv").open(encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        assert sum(float(row["share"]) for row in rows) == pytest.approx(1.0)
        assert {row["operator"]: row["calls"] for row in rows}["aten::mm"] == "20"

    def test_of_the_encoder_alone(self, tmp_path: Path):
        import torch

        class Encoder(torch.nn.Module):
            def forward(self, matrix: torch.Tensor) -> torch.Tensor:
                for _ in range(20):
                    matrix = matrix @ matrix
                return torch.softmax(matrix, -1)

        encoder, matrix = Encoder(), torch.ones(300, 300)

        def script(batch: Any, probe: Any) -> None:
            encoder(matrix)
            torch.nn.functional.conv1d(matrix, torch.ones(300, 300, 3))

        system = ScriptedSystem(script, modules={"encoder": encoder, "model": encoder})
        found = values(Trace().measure(make_session(system, utterances([1.0]), folder=tmp_path)))
        encoders = {
            name: share
            for name, share in found.items()
            if name.startswith("ops/encoder_") and name.endswith("_share")
        }
        assert 0 < found["ops/encoder_s"] < 60
        assert sum(encoders.values()) == pytest.approx(1.0)
        assert encoders["ops/encoder_gemm_share"] > encoders["ops/encoder_normalisation_share"] > 0
        assert encoders["ops/encoder_python_share"] > 0
        assert found["ops/convolution_share"] > encoders["ops/encoder_convolution_share"] == 0
        assert not encoder._forward_hooks
        assert not encoder._forward_pre_hooks


@pytest.fixture(scope="module")
def _thop():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # thop imports distutils
        import thop
    return thop


@pytest.mark.usefixtures("_thop")
class TestFlops:
    """An encoder of one convolution, one linear layer and one attention;
    a decoder of one linear layer."""

    FRAMES, WIDTH, OUT, KERNEL, HEADS = 50, 16, 24, 3, 2
    CONVOLUTION = 2 * FRAMES * WIDTH * OUT * KERNEL
    LINEAR = 2 * FRAMES * OUT * OUT
    ATTENTION = 2 * (2 * FRAMES * FRAMES * OUT)  # q·k and weights·v, all heads together
    FIRST, STEP = 2 * OUT * 100, 2 * OUT * 10

    def findings(
        self, sdpa: bool, steps: int = 3, seconds: tuple[float, ...] = (1.0,)
    ) -> tuple[Findings, list[str]]:
        import torch

        test = self

        class Encoder(torch.nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.convolution = torch.nn.Conv1d(test.WIDTH, test.OUT, test.KERNEL, padding=1)
                self.linear = torch.nn.Linear(test.OUT, test.OUT)

            def forward(self, features: Any) -> Any:
                hidden = self.linear(self.convolution(features).transpose(1, 2))
                heads = hidden.unflatten(-1, (test.HEADS, -1)).transpose(1, 2)
                if sdpa:
                    return torch.nn.functional.scaled_dot_product_attention(heads, heads, heads)
                return (heads @ heads.transpose(-1, -2)).softmax(-1) @ heads

        encoder, once, each = (
            Encoder(),
            torch.nn.Linear(self.OUT, 100),
            torch.nn.Linear(self.OUT, 10),
        )
        seen: list[str] = []

        def script(batch: Any, probe: Any) -> None:
            seen.extend(u.id for u in batch.utterances)
            with torch.no_grad():
                probe.stage("encoder")
                encoder(torch.ones(1, self.WIDTH, self.FRAMES))
                probe.stage("decoder")
                for i in range(steps):
                    if i == 0:
                        once(torch.ones(1, self.OUT))
                    each(torch.ones(1, self.OUT))
                    probe.token()

        system = ScriptedSystem(script, modules={"encoder": encoder})
        found = Flops().measure(make_session(system, utterances(seconds)))
        assert not encoder._forward_pre_hooks
        return found, seen

    @pytest.mark.parametrize("sdpa", [False, True], ids=["eager", "sdpa"])
    def test_by_hand(self, sdpa: bool):
        found, _ = self.findings(sdpa)
        encoder = self.CONVOLUTION + self.LINEAR + self.ATTENTION
        assert {
            name: value for name, value in values(found).items() if name.startswith("flops/")
        } == {
            "flops/encoder": encoder,
            "flops/utterance": encoder + self.FIRST + 3 * self.STEP,
            "flops/decoder_first": self.FIRST + self.STEP,
            "flops/decoder_step": self.STEP,
            "flops/audio_s": 1.0,
            "flops/encoder_thop": self.CONVOLUTION
            + self.LINEAR,  # thop sees modules, and attention is none
        }
        assert found.unavailable == {}

    def test_one_step_is_no_figure(self):
        found, _ = self.findings(sdpa=True, steps=1)
        assert "flops/decoder_step" not in values(found)
        assert "flops/decoder_step" in found.unavailable

    def test_of_the_longest_utterance_alone(self):
        found, seen = self.findings(sdpa=True, seconds=(1.0, 7.0, 2.0))
        assert seen == ["u1"]
        assert values(found)["flops/audio_s"] == 7.0

    def test_an_engine_without_modules_says_so(self):
        found = Flops().measure(make_session(ScriptedSystem(lambda b, p: None), utterances([1.0])))
        assert found.metrics == ()
        assert "flops/encoder" in found.unavailable

    def test_every_window_of_the_encoder_counts(self):
        import torch

        encoder = torch.nn.Linear(8, 4)

        def script(batch: Any, probe: Any) -> Any:
            for _ in range(3):
                probe.stage("encoder")
                encoder(torch.ones(5, 8))
                probe.stage("decoder")
            return transcription(batch)

        found = values(
            Flops().measure(
                make_session(ScriptedSystem(script, {"encoder": encoder}), utterances([1.0]))
            )
        )
        assert found["flops/encoder"] == found["flops/encoder_thop"] == 3 * 2 * 5 * 8 * 4
