"""Two records compared: what is paired with what, changes and verdicts to the digit, refusals,
and gates."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.studies import ALIKE

from asr_scaling.analysis.comparison.blocks import paired_blocks
from asr_scaling.analysis.comparison.gate import Gate
from asr_scaling.analysis.comparison.verdict import (
    ENERGY,
    LATENCY,
    MEMORY,
    RTFX,
    WER,
    Comparison,
    MetricChange,
    compare,
)
from asr_scaling.core.call_summary import summarise
from asr_scaling.core.cautions import caution
from asr_scaling.core.energy_methods import GIVEN, GUESSED, NOT_MEASURED
from asr_scaling.core.metric import Metric
from asr_scaling.core.record import RunRecord
from asr_scaling.core.sample import Sample
from asr_scaling.core.spread import Spread
from asr_scaling.core.statistics import Interval, mean_interval
from asr_scaling.errors import ConfigError

HOST = {
    "host": "vm",
    "cpu": "EPYC",
    "cpu_cores": 2,
    "versions": {"torch": "2.13"},
    "commit": "aaa",
    "spread": ALIKE.to_json(),
}
CPU, GPU = {"kind": "cpu"}, {"kind": "cuda", "gpu": "H200", "uuid": "GPU-1"}
Call = tuple[Sequence[int], float]


def call(numbers: Sequence[int], seconds: float) -> Sample:
    """One call on utterances u0, u1 …, which last 1, 2 … seconds."""
    audio_s = float(sum(number + 1 for number in numbers))
    return Sample(
        tuple(f"u{number}" for number in numbers), audio_s, audio_s, seconds, {"other": seconds}
    )


def rounds(
    size: int, times: Sequence[float], utterances: int = 8, repeats: int = 2
) -> list[Sample]:
    """All batches of ``size`` again and again, the last filled up; ``times``: of each batch."""
    filled = [i % utterances for i in range(len(times) * size)]
    batches = [filled[i : i + size] for i in range(0, len(filled), size)]
    return [
        call(batch, time)
        for _ in range(repeats)
        for batch, time in zip(batches, times, strict=True)
    ]


def point(samples: Sequence[Sample], **changes: Any) -> RunRecord:
    metrics = (*summarise(samples).metrics, *changes.pop("metrics", ()))
    plain = RunRecord(
        "tiny", "ok", {}, {**HOST, "device": CPU}, samples=tuple(samples), metrics=metrics
    )
    plain = replace(plain, scope="in memory to text", dataset={"name": "demo", "digest": "d" * 40})
    return replace(plain, **changes)


def row(a: RunRecord, b: RunRecord, metric: str) -> MetricChange:
    return compare(a, b, also=[metric]).row(metric)


EIGHT = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8]
SLOWER = [1.1 * time for time in EIGHT]


class TestTimes:
    def test_every_utterance_takes_a_tenth_longer(self):
        a, b = point(rounds(1, EIGHT)), point(rounds(1, SLOWER))
        latency, rtfx = row(a, b, LATENCY), row(a, b, RTFX)
        assert (latency.a, latency.b) == (a.values[LATENCY], b.values[LATENCY])
        assert latency.relative == pytest.approx(0.1)
        assert latency.absolute == pytest.approx(0.1 * a.values[LATENCY])
        assert latency.interval is not None
        assert (latency.interval.low, latency.interval.high) == pytest.approx((0.1, 0.1), abs=1e-5)
        assert rtfx.relative == pytest.approx(1 / 1.1 - 1)
        assert (latency.verdict, rtfx.verdict) == ("slower", "slower")
        assert (row(b, a, LATENCY).verdict, row(b, a, RTFX).verdict) == ("faster", "faster")

    def test_an_interval_around_zero_is_the_same_only_where_it_is_narrow(self):
        for deviation, answer in ((0.002, "same"), (0.1, "can't tell")):
            mixed = [
                time * (1 + (deviation if i % 2 else -deviation)) for i, time in enumerate(EIGHT)
            ]
            found = row(point(rounds(1, EIGHT)), point(rounds(1, mixed)), LATENCY)
            assert found.interval is not None
            assert found.interval.low < 0 < found.interval.high
            assert found.answer == answer

    def test_the_same_says_which_difference_it_rules_out(self):
        mixed = [time * (1.002 if i % 2 else 0.998) for i, time in enumerate(EIGHT)]
        found = row(point(rounds(1, EIGHT)), point(rounds(1, mixed)), LATENCY)
        assert found.interval is not None
        bound = 100 * max(-found.interval.low, found.interval.high)
        assert found.verdict == f"no difference beyond ± {math.ceil(100 * bound) / 100:.2f} %"

    def test_two_calls_against_one_are_too_few(self):
        a, b = point(rounds(8, [1.0], repeats=2)), point(rounds(8, [3.0], repeats=1))
        found = row(a, b, LATENCY)
        assert (found.verdict, found.interval) == ("can't tell: too few calls", None)
        assert found.relative == pytest.approx(2.0)
        assert found.absolute is None  # so few calls bound no median
        gate = Gate.parse("latency/p99_s>5%")
        assert gate.judge(compare(a, b, also=["latency/p99_s"])).failed is None

    def test_three_calls_are_judged_as_far_as_they_agree(self):
        near = [call(range(8), seconds) for seconds in (0.99, 1.0, 1.01)]
        far = [call(range(8), seconds) for seconds in (2.0, 3.0, 4.0)]
        found = row(point(near), point([call(range(8), 3.0)] * 3), LATENCY)
        assert found.verdict == "slower"
        assert row(point(near), point(far), LATENCY).answer == "differs"
        assert row(point([call(range(8), 2.5)] * 3), point(far), LATENCY).answer == "can't tell"

    def test_one_block_of_six_calls_is_judged(self):
        a, b = point(rounds(8, [1.0], repeats=6)), point(rounds(8, [3.0], repeats=6))
        assert row(a, b, LATENCY).verdict == "slower"
        assert any("about this very speech" in note for note in compare(a, b).notes)

    def test_batching_makes_utterances_wait_and_calls_cheaper(self):
        a, b = point(rounds(1, [0.4] * 16, 16)), point(rounds(8, [1.6, 1.6], 16, repeats=3))
        found = compare(a, b)
        assert (found.blocks, found.utterances) == (2, 16)
        assert found.row(LATENCY).relative == pytest.approx(1.6 / 0.4 - 1)
        assert found.row(RTFX).relative == pytest.approx(16 * 0.4 / 3.2 - 1)
        assert found.row(RTFX).relative == pytest.approx(b.values[RTFX] / a.values[RTFX] - 1)


class TestBlocks:
    def test_batch_1_against_8(self):
        first, second = paired_blocks(
            rounds(1, [float(i) for i in range(1, 17)], 16), rounds(8, [4.0, 8.0], 16)
        )
        assert first.utterances == {f"u{i}" for i in range(8)}
        assert first.wait_a == ((4.5, 4.5),)  # the mean of 1 … 8
        assert first.wait_b == ((4.0, 4.0),)
        assert first.work_a == ((36.0, 36.0),)
        assert second.work_b == ((8.0, 8.0),)

    def test_a_batch_filled_up_joins_its_blocks_and_counts_its_audio_once(self):
        whole, filled = rounds(1, [0.5] * 12, 12, repeats=1), rounds(8, [1.0, 1.0], 12, repeats=1)
        (block,) = paired_blocks(whole, filled)
        assert len(block.utterances) == 12
        audio_s, twice_s = sum(range(1, 13)), sum(range(1, 5))
        assert block.work_a == ((pytest.approx(6.0),),)
        assert block.work_b == ((pytest.approx(2.0 * audio_s / (audio_s + twice_s)),),)
        found = compare(point(whole), point(filled)).row(RTFX)
        assert found.relative == pytest.approx(
            point(filled).values[RTFX] / point(whole).values[RTFX] - 1
        )

    def test_one_batch_that_repeats_everything(self):
        (block,) = paired_blocks(rounds(1, [0.5] * 2, 2, repeats=1), rounds(8, [4.0], 2, repeats=1))
        assert block.wait_b == ((4.0,),)
        assert block.work_b == ((pytest.approx(1.0),),)

    def test_speech_that_only_one_system_timed_is_left_out_with_its_batch(self):
        a, b = rounds(4, [1.0, 1.0]), rounds(1, [0.2] * 6, 6)
        (block,) = paired_blocks(a, b)
        assert block.utterances == {"u0", "u1", "u2", "u3"}
        assert (
            compare(point(a), point(b))
            .notes[0]
            .startswith("Paired over 4 of 8 utterances in 1 block;")
        )

    def test_leaving_out_goes_on_until_both_have_the_same(self):
        a = [call((0, 1), 1.0), call((2, 3), 1.0)]
        b = [call((1, 2), 1.0), call((3, 9), 1.0), call((0, 0), 1.0)]
        assert (
            paired_blocks(a, b) == []
        )  # without u9 there is no u3, without u3 no u2, without u2 no u1

    def test_the_round_that_was_cut_short_is_not_used(self):
        (block,) = paired_blocks(
            rounds(2, [1.0], 2, repeats=3), [*rounds(1, [0.4, 0.6], 2), call((0,), 9.0)]
        )
        assert block.wait_b == ((pytest.approx(0.5), pytest.approx(0.5)),)
        assert len(block.wait_a[0]) == 3

    def test_a_call_that_took_no_time_says_nothing(self):
        a = [*rounds(1, [1.0, 1.0], 2), call((0,), 0.0), call((2,), 0.0)]
        assert [block.wait_a for block in paired_blocks(a, a)] == [((1.0, 1.0),)] * 2

    def test_repeats_are_of_one_process(self):
        first, second = (
            [replace(each, process=number) for each in rounds(1, [1.0 + number, 2.0], 2, repeats)]
            for number, repeats in ((0, 2), (1, 1))
        )
        (whole, _) = paired_blocks([*second, *first], first)
        assert whole.wait_a == ((1.0, 1.0), (2.0,))
        assert whole.wait_b == ((1.0, 1.0),)

    def test_what_no_process_finished_is_no_block(self):
        halves = [replace(call((number,), 1.0), process=number) for number in range(2)]
        assert paired_blocks(halves, [call((0, 1), 1.0)]) == []
        assert len(paired_blocks(halves, rounds(1, [1.0, 1.0], 2))) == 2

    @given(st.integers(1, 20), st.integers(1, 9), st.integers(1, 9))
    def test_blocks_part_the_speech_and_no_call_crosses_them(
        self, utterances: int, size_a: int, size_b: int
    ):
        a, b = (
            rounds(size, [1.0] * -(-utterances // size), utterances) for size in (size_a, size_b)
        )
        blocks = [block.utterances for block in paired_blocks(a, b)]
        assert sum(map(len, blocks)) == utterances
        assert set().union(*blocks) == {f"u{i}" for i in range(utterances)}
        assert all(
            any(block.issuperset(sample.utterances) for block in blocks) for sample in (*a, *b)
        )


unhurried = settings(deadline=None)  # the first example imports scipy
times = st.lists(st.floats(0.01, 10.0), min_size=8, max_size=8)
sizes = st.sampled_from([1, 2, 8])


def studied(size: int, eight: list[float]) -> RunRecord:
    return point(rounds(size, eight[: 8 // size], repeats=max(2, size)))


class TestProperties:
    @unhurried
    @given(times, sizes)
    def test_nothing_differs_from_itself(self, eight: list[float], size: int):
        found = compare(studied(size, eight), studied(size, eight))
        for metric in (LATENCY, RTFX):
            assert found.row(metric).relative == pytest.approx(0, abs=1e-12)
            assert found.row(metric).answer == "same"

    @unhurried
    @given(times, times, sizes, sizes)
    def test_the_other_way_round_signs_turn(
        self, ours: list[float], theirs: list[float], size_a: int, size_b: int
    ):
        a, b = studied(size_a, ours), studied(size_b, theirs)
        turned = {"faster": "slower", "slower": "faster"}
        for metric in (LATENCY, RTFX):
            there, back = row(a, b, metric), row(b, a, metric)
            assert there.relative is not None
            assert back.relative is not None
            assert math.log1p(there.relative) == pytest.approx(-math.log1p(back.relative), abs=1e-9)
            if there.verdict in turned and back.verdict in turned:
                assert back.verdict == turned[there.verdict]


def scored(
    edits: Mapping[str, int], words: int = 10, normaliser: str = "none", **changes: Any
) -> RunRecord:
    rows = [
        {"id": key, "substitutions": n, "deletions": 0, "insertions": 0, "words": words}
        for key, n in edits.items()
    ]
    wer = sum(edits.values()) / (words * len(edits))
    tags = {"quality/normaliser": normaliser}
    metrics = (Metric(WER, wer),)
    return point(rounds(1, EIGHT), metrics=metrics, transcripts=tuple(rows), tags=tags, **changes)


def each(*edits: int) -> dict[str, int]:
    return {f"u{i}": n for i, n in enumerate(edits)}


class TestWer:
    def test_the_difference_is_in_points_of_the_same_utterances(self):
        found = row(scored(each(*[1] * 8)), scored(each(*[3] * 8)), WER)
        assert (found.a, found.b) == (0.1, 0.3)
        assert found.absolute == pytest.approx(0.2)
        assert found.relative == pytest.approx(2.0)
        assert found.verdict == "worse"
        assert row(scored(each(*[3] * 8)), scored(each(*[1] * 8)), WER).verdict == "better"

    def test_only_common_utterances_count(self):
        a = scored({**each(*[1] * 8), "x": 9})
        assert row(a, scored({**each(*[2] * 8), "y": 0}), WER).absolute == pytest.approx(0.1)

    def test_utterances_left_out_of_the_wer_are_no_part_of_it(self):
        a = scored(each(*[1] * 8))
        empty = {"id": "x", "reference": "", "hypothesis": "", "left_out": "empty reference"}
        b = replace(a, transcripts=(*a.transcripts, empty))
        assert row(b, b, WER).absolute == 0

    def test_what_can_not_be_told_says_how_much_speech_would_decide(self):
        a, b = scored(each(0, 1, 0, 1, 0, 1, 0, 1)), scored(each(1, 0, 1, 0, 1, 0, 1, 1))
        found = row(a, b, WER)
        assert found.answer == "can't tell"
        assert found.interval is not None
        said = re.fullmatch(
            r"can't tell: 80 words leave ± [\d.]+ points; about ([\d,]+) more words would decide",
            found.verdict,
        )
        assert said is not None
        times = math.ceil(1 + int(said[1].replace(",", "")) / 80)
        longer = [
            scored(each(*[0, 1, 0, 1, 0, 1, 0, 1] * times)),
            scored(each(*[1, 0, 1, 0, 1, 0, 1, 1] * times)),
        ]
        assert row(*longer, WER).answer != "can't tell"

    def test_equal_texts_of_few_words_prove_nothing(self):
        few, many = scored(each(*[0] * 8)), scored(each(*[0] * 100))
        assert row(few, few, WER).answer == "can't tell"
        assert row(many, many, WER).verdict.startswith("no difference beyond ± 0.6")
        gate = Gate.parse("quality/wer>0.005")
        assert gate.judge(compare(few, few)).failed is None
        assert gate.judge(compare(*[scored(each(*[0] * 130))] * 2)).failed is False

    def test_one_utterance_is_enough_for_an_interval_and_for_no_more(self):
        found = row(scored({"x": 1}), scored({"x": 9}), WER)
        assert found.interval is not None
        assert found.answer == "can't tell"

    def test_from_no_error_at_all_there_is_no_relative_change(self):
        assert row(scored(each(*[0] * 8)), scored(each(*[1] * 8)), WER).relative is None
        assert row(scored(each(*[0] * 8)), scored(each(*[0] * 8)), WER).relative == 0

    def test_reasons(self):
        random = point(
            rounds(1, EIGHT), unavailable={WER: "the weights are random, so the texts mean nothing"}
        )
        a = scored(each(*[1] * 8))
        assert row(a, random, WER).reason == "B: the weights are random, so the texts mean nothing"
        assert row(random, point(rounds(1, EIGHT)), WER).reason.endswith("B: not measured")
        assert "number of words" in row(a, scored(each(*[1] * 8), words=9), WER).reason
        assert row(a, scored({"x": 1}), WER).reason == "no utterance was scored in both"

    def test_synthetic_speech_stands_with_it(self):
        a = scored(each(*[1] * 8), dataset={"name": "demo", "digest": "d", "synthetic": True})
        assert row(a, a, WER).qualifier == "synthetic speech"

    def test_copies_stand_with_it(self):
        speech = {"name": "demo", "digest": "d", "utterances": 8, "copies": 3}
        a = scored(each(*[1] * 8), dataset=speech)
        said = "5 utterances and 3 copies of them, slower, faster or noisier"
        assert row(a, a, WER).qualifier == said

    def test_characters_stand_with_it_where_they_are_words(self):
        a = replace(scored(each(*[1] * 8)), tags={"quality/headline": "cer"})
        assert row(a, a, WER).qualifier == "of characters"


def powered(*windows: float, method: str = "measured", **tags: str) -> RunRecord:
    value = sum(windows) / len(windows) if windows else 5.0
    tags = {"energy/method": method, **tags}
    metric = Metric(ENERGY, value, len(windows), mean_interval(windows))
    return point(rounds(1, EIGHT), metrics=(metric,), tags=tags)


class TestEnergy:
    def test_windows_are_compared_unpaired(self):
        found = row(powered(5.0, 5.1, 4.9), powered(6.0, 6.1, 5.9), ENERGY)
        assert found.relative == pytest.approx(0.2)
        assert (found.verdict, found.qualifier) == ("more", "measured")
        assert row(powered(6.0, 6.1, 5.9), powered(5.0, 5.1, 4.9), ENERGY).verdict == "less"

    def test_within_a_bound_they_are_the_same(self):
        found = row(powered(5.0, 5.001, 4.999), powered(5.003, 5.004, 5.002), ENERGY)
        assert found.answer == "same"
        wide = row(powered(5.0, 5.5, 4.5), powered(5.2, 5.6, 4.8), ENERGY)
        assert wide.answer == "can't tell"

    def test_why_a_component_is_not_counted_makes_no_difference(self):
        a, b = (
            powered(5.0, 5.1, 4.9, **{"energy/method_gpu": f"unavailable: {why}"})
            for why in ("none", "no NVML")
        )
        assert row(a, b, ENERGY).reason == ""

    def test_two_windows_are_too_few(self):
        assert (
            row(powered(5.0, 5.1), powered(9.0, 9.1), ENERGY).verdict
            == "can't tell: too few windows"
        )

    def test_joules_of_guessed_power_are_shown_and_not_judged(self):
        guess = powered(5.0, 5.1, 4.9, method=GUESSED)
        for other in (powered(9.0, 9.1, 8.9, method=GUESSED), powered(9.0, 9.1, 8.9)):
            for found in (row(guess, other, ENERGY), row(other, guess, ENERGY)):
                assert {found.a, found.b} == {5.0, 9.0}
                assert (found.reason, found.verdict, found.relative) == (NOT_MEASURED, "", None)

    @pytest.mark.parametrize("name", ["energy/power_w", "energy/per_sample_j", "energy/cpu_j"])
    def test_no_other_figure_of_guessed_power_is_judged(self, name: str):
        a, b = (
            point(
                rounds(1, EIGHT),
                metrics=(Metric(name, value, 3, Interval(0.99 * value, 1.01 * value)),),
                tags={"energy/method": GUESSED},
            )
            for value in (5.0, 9.0)
        )
        (found,) = (change for change in compare(a, b, also=(name,)).rows if change.metric == name)
        assert (found.reason, found.verdict) == (NOT_MEASURED, "")
        gate = Gate.parse(f"{name}>1%").judge(compare(a, b, also=(name,)))
        assert gate.failed is None, "what can't be judged does not pass"

    def test_reasons(self):
        a = powered(5.0, 5.1, 4.9)
        assert row(a, point(rounds(1, EIGHT)), ENERGY).reason == "B: not measured"
        assert row(a, powered(5.0, 5.1, method=GIVEN), ENERGY).reason == (
            "the methods differ: measured and estimated from given watts"
        )
        assert (
            "component"
            in row(a, powered(5.0, 5.1, **{"energy/method_gpu": "measured by NVML"}), ENERGY).reason
        )
        assert row(a, powered(), ENERGY).verdict == "can't tell: too few windows"
        reaches = "can't tell: an interval reaches 0"
        assert row(a, powered(5.0, -0.1, 5.0), ENERGY).verdict == reaches


class TestUnpaired:
    def read(self, a: Metric, b: Metric, **changes: Any) -> MetricChange:
        ours, theirs = (point(rounds(1, EIGHT), metrics=(metric,), **changes) for metric in (a, b))
        return row(ours, theirs, a.name)

    def test_memory_is_shown_and_not_judged(self):
        found = self.read(Metric(MEMORY, 100e6), Metric(MEMORY, 150e6))
        assert (found.relative, found.absolute, found.verdict, found.interval) == (
            0.5,
            50e6,
            "",
            None,
        )
        assert self.read(Metric(MEMORY, 0.0), Metric(MEMORY, 1.0)).relative is None

    def test_other_metrics_by_the_logarithms_of_their_intervals(self):
        """Half widths of 3 % and 4 % leave 5 % in the logarithm, 1.96 standard errors of it."""
        a, b = (
            Metric("latency/p99_s", x, 500, Interval(x * math.exp(-half), x * math.exp(half)))
            for x, half in ((1.0, 0.03), (math.exp(0.06), 0.04))
        )
        found, back = self.read(a, b), self.read(b, a)
        assert found.interval is not None
        assert math.log1p(found.interval.low) == pytest.approx(0.01, abs=1e-6)
        assert math.log1p(found.interval.high) == pytest.approx(0.11, abs=1e-6)
        assert (found.verdict, back.verdict) == ("slower", "faster")
        assert self.read(a, replace(b, value=1.03)).answer == "can't tell"

    def test_an_interval_of_one_process_is_widened_by_what_processes_differ_by(self):
        a, b = (
            Metric("latency/p99_s", value, 500, Interval(0.999 * value, 1.001 * value))
            for value in (1.0, 1.1)
        )
        spread = on(spread=Spread(0.05, freedom=1000.0).to_json())
        assert self.read(a, b, **spread).answer == "can't tell"
        for of in ("3 processes", "this process; widened by this machine's spread"):
            both = self.read(a, b, **spread, tags={"interval/of": of})
            assert both.verdict == "slower"
        assert self.read(a, b, **spread, tags={"interval/of": "this process"}).answer != "differs"

    def test_more_processes_are_not_advised_for_what_one_alone_measures(self):
        a, b = (Metric("decoder/step_s", v, 9, Interval(0.9 * v, 1.1 * v)) for v in (1.0, 1.05))
        calls = [replace(call, process=k) for k in range(3) for call in rounds(1, EIGHT)]
        of, alone = {"interval/of": "3 processes"}, {"interval/of_one_process": "decoder/step_s"}
        spread = on(spread=Spread(0.05, freedom=9.0, source="x").to_json())
        pair = [point(calls, metrics=(metric,), tags=of | alone, **spread) for metric in (a, b)]
        assert row(*pair, "decoder/step_s").verdict == (
            "can't tell: one process a side, and processes differ by 5 % here"
        )
        pair = [replace(each, tags=of) for each in pair]
        assert "sweep.processes=" in row(*pair, "decoder/step_s").verdict

    def test_shares_of_errors_differ_in_points(self):
        a, b = (
            Metric("quality/cer", value, 9, Interval(value - 0.01, value + 0.01))
            for value in (0.0, 0.02)
        )
        found = self.read(a, b)
        assert found.verdict == "worse"
        assert found.interval is not None
        assert found.interval.low == pytest.approx(0.02 - math.hypot(0.01, 0.01))

    def test_missing(self):
        assert (
            row(point(rounds(1, EIGHT)), point(rounds(1, EIGHT)), MEMORY).reason
            == "A: not measured; B: not measured"
        )


def on(**environment: Any) -> dict[str, Any]:
    return {"environment": {**HOST, "device": CPU, **environment}}


REFUSED = {
    "name": ("host", {}, on(host="box")),
    "CPU": ("machine", {}, on(cpu="Xeon")),
    "cores": ("machine", {}, on(cpu_cores=4)),
    "memory": ("machine", on(memory_bytes=16e9), on(memory_bytes=64e9)),
    "GPU": ("machine", on(device=GPU), on(device={**GPU, "gpu": "A100"})),
    "GPU id": ("host", on(device=GPU), on(device={**GPU, "uuid": "GPU-2"})),
    "dataset": ("dataset", {}, {"dataset": {"name": "librispeech", "digest": "f" * 40}}),
    "digest": ("dataset", {}, {"dataset": {"name": "demo", "digest": "e" * 40}}),
    "normaliser": (
        "normaliser",
        {"tags": {"quality/normaliser": "x"}},
        {"tags": {"quality/normaliser": "y"}},
    ),
    "scope": ("scope", {}, {"scope": "from a file"}),
}


class TestRefusals:
    @pytest.mark.parametrize("name", REFUSED)
    def test_what_differs_is_not_compared_unless_told_and_then_said(self, name: str):
        kind, ours, theirs = REFUSED[name]
        a, b = point(rounds(1, EIGHT), **ours), point(rounds(1, EIGHT), **theirs)
        others = {"host", "machine", "dataset", "normaliser", "scope"} - {kind}
        with pytest.raises(ConfigError, match=rf"differ in {kind} .*--allow {kind}\.$"):
            compare(a, b, allow=others)
        assert compare(a, b, allow=[kind]).notes[0].startswith(f"The {kind} differs: ")

    def test_all_that_differs_is_named_at_once(self):
        other = point(rounds(1, EIGHT), scope="x", **on(host="box"))
        with pytest.raises(
            ConfigError, match=r"host \(name vm and box\) and scope .*--allow host,scope"
        ):
            compare(point(rounds(1, EIGHT)), other)

    def test_two_devices_of_one_host_and_a_wer_of_one_only(self):
        a = point(rounds(1, EIGHT), tags={"quality/normaliser": "x"})
        assert compare(a, point(rounds(1, EIGHT), **on(device=GPU)))

    def test_points_that_failed(self):
        failed = point(rounds(1, EIGHT), status="failed", reason="no weights")
        with pytest.raises(
            ConfigError, match=r"B's point 'tiny' can't be compared \(failed: no weights\)"
        ):
            compare(point(rounds(1, EIGHT)), failed)

    def test_no_speech_in_common(self):
        other = point([call((9,), 1.0)], dataset={"name": "other", "digest": "x"})
        with pytest.raises(ConfigError, match="no utterances in common"):
            compare(point(rounds(1, EIGHT)), other, allow=["dataset"])

    def test_versions_and_cautions_are_noted(self):
        b = point(
            rounds(1, EIGHT),
            cautions=(caution("BusyMachine", share=0.2),),
            **on(versions={"torch": "2.14"}),
        )
        notes = compare(point(rounds(1, EIGHT)), b).notes
        assert "Versions differ: torch 2.13 → 2.14." in notes
        assert "Cautions of B: BusyMachine; its record explains them." in notes

    @pytest.mark.parametrize("limit_w", [350.5, 700.0, None])
    def test_another_power_limit_of_the_gpu_is_noted(self, limit_w: float | None):
        a, b = (
            point(rounds(1, EIGHT), **on(device={**GPU, "power_limit_w": watts}))
            for watts in (700.0, limit_w)
        )
        said = "The GPU's power limit differs: 700 W → 350.5 W." in compare(a, b).notes
        assert said is (limit_w == 350.5)


class TestGate:
    @pytest.mark.parametrize(
        ("text", "metric", "above", "limit", "relative"),
        [
            ("latency/p50_s>5%", "latency/p50_s", True, 0.05, True),
            (" throughput/rtfx < -5 % ", "throughput/rtfx", False, -0.05, True),
            ("quality/wer>0.005", "quality/wer", True, 0.005, False),
            ("memory/peak_rss_bytes>1e6", "memory/peak_rss_bytes", True, 1e6, False),
        ],
    )
    def test_forms(self, text: str, metric: str, above: bool, limit: float, relative: bool):
        gate = Gate.parse(text)
        assert (gate.metric, gate.above, gate.limit, gate.relative) == (
            metric,
            above,
            pytest.approx(limit),
            relative,
        )

    @pytest.mark.parametrize(
        "text", ["", "latency/p50_s", "latency/p50_s>=5%", "latency/p50_s>x", ">5%", "a>5%", "5>x"]
    )
    def test_malformed(self, text: str):
        with pytest.raises(ConfigError, match="--fail-if"):
            Gate.parse(text)

    def judged(self, text: str, a: RunRecord, b: RunRecord) -> bool | None:
        gate = Gate.parse(text)
        return gate.judge(compare(a, b, also=[gate.metric])).failed

    @pytest.mark.parametrize(
        ("text", "failed"),
        [
            ("latency/p50_s>9%", True),
            ("latency/p50_s>11%", False),
            ("latency/p50_s<-1%", False),
            ("latency/p50_s>0.04", True),  # a tenth of 0.45 s
            ("latency/p50_s>0.05", False),
            ("throughput/rtfx<-9%", True),
            ("throughput/rtfx<-9.1%", False),
            ("workload/iterations>0", False),
            ("latency/p99_s>5%", None),
        ],
    )
    def test_a_tenth_slower(self, text: str, failed: bool | None):
        assert self.judged(text, point(rounds(1, EIGHT)), point(rounds(1, SLOWER))) is failed

    @pytest.mark.parametrize(
        ("limit", "answer"),
        [(4.8, "failed"), (4.9, "can't tell"), (10, "can't tell"), (15.1, "can't tell"),
         (15.4, "passed")],
    )  # fmt: skip
    def test_what_has_the_limit_in_its_interval_is_neither(self, limit: float, answer: str):
        """The logarithm of the change is 0.0953 ± 0.0477: 4.88 to 15.37 %."""
        known = on(spread=Spread(0.0477 / 2.571 / math.sqrt(2), freedom=1e9).to_json())
        a, b = point(rounds(1, EIGHT), **known), point(rounds(1, SLOWER), **known)
        outcome = Gate.parse(f"latency/p50_s>{limit}%").judge(compare(a, b))
        assert outcome.to_json()["answer"] == answer
        assert "95 % interval" in outcome.sentence
        assert ("sweep.processes=" in outcome.sentence) == (answer == "can't tell" and limit != 10)

    def test_what_can_not_be_told_says_how_many_processes_would_decide(self):
        known = on(spread=Spread(0.04, freedom=1e9).to_json())
        a, b = point(rounds(1, EIGHT), **known), point(rounds(1, SLOWER), **known)
        (sentence,) = (Gate.parse("latency/p50_s>5%").judge(compare(a, b)).sentence,)
        needed = math.ceil(2 * (1.96 * 0.04 / math.log(1.1 / 1.05)) ** 2)
        assert f"about {needed} each would decide: sweep.processes={needed}" in sentence

    def test_processes_that_take_turns_have_no_minutes_between_them(self):
        """Measured one after the other the change can't be told; in turns few processes would."""
        known = on(spread=Spread(0.01, freedom=1e9, minutes=0.2, minutes_freedom=50.0).to_json())
        a, b = point(rounds(1, EIGHT), **known), point(rounds(1, SLOWER), **known)
        later = replace(b, started_at=b.started_at + 300, ended_at=b.ended_at + 600)
        earlier = replace(a, ended_at=a.started_at + 100)
        together, apart = compare(a, b).row(LATENCY), compare(earlier, later).row(LATENCY)
        assert together.verdict == "slower"
        assert apart.verdict.startswith("can't tell")
        assert apart.verdict.endswith("about 2 each would decide: sweep.processes=2")

    def test_more_processes_are_asked_for_in_the_words_of_the_command(self):
        known = on(spread=Spread(0.1, freedom=1e9).to_json())
        a, b = point(rounds(1, EIGHT), **known), point(rounds(1, SLOWER), **known)
        found = compare(a, b, also=["latency/p90_s"], ask="--more {}")
        needed = math.ceil(2 * (1.96 * 0.1 / math.log(1.1)) ** 2)
        for metric in (LATENCY, RTFX):
            verdict = found.row(metric).verdict
            assert verdict.endswith(f"about {needed} each would decide: --more {needed}")
        sentence = Gate.parse("latency/p50_s>5%").judge(found).sentence
        assert re.search(r"would decide: --more \d+\.$", sentence)

    def test_a_change_of_words_says_how_much_speech_would_decide(self):
        a, b = scored(each(0, 1, 0, 1, 0, 1, 0, 1)), scored(each(1, 1, 0, 1, 1, 1, 0, 1))
        outcome = Gate.parse("quality/wer>0.02").judge(compare(a, b))
        assert outcome.failed is None
        assert "more words would decide" in outcome.sentence

    def test_what_can_not_be_judged_has_not_passed(self):
        few = point(rounds(8, [1.0], repeats=1))
        assert self.judged("latency/p50_s>5%", few, few) is None
        assert self.judged("memory/peak_rss_bytes>5%", few, few) is None
        clean, faulty = scored(each(*[0] * 8)), scored(each(*[3] * 8))
        assert self.judged("quality/wer>5%", clean, faulty) is None
        assert self.judged("quality/wer>0.05", clean, faulty) is True
        assert self.judged("quality/wer>0.005", scored(each(*[1] * 8)), random_weights()) is None


def random_weights() -> RunRecord:
    return point(rounds(1, EIGHT), unavailable={WER: "the weights are random"})


def test_as_json():
    found: Comparison = compare(scored(each(*[1] * 8)), scored(each(*[3] * 8)))
    plain = found.to_json()
    assert (plain["a"], plain["blocks"], plain["utterances"]) == ("tiny", 8, 8)
    assert (plain["processes"], plain["spread"]) == ([1, 1], ALIKE.to_json())
    assert json.loads(json.dumps(plain, allow_nan=False)) == plain
    (wer,) = (row for row in plain["rows"] if row["metric"] == WER)
    assert (wer["unit"], wer["verdict"], set(wer["interval"])) == ("1", "worse", {"low", "high"})
    assert wer["answer"] == "differs"


@pytest.mark.parametrize(
    ("spread", "processes", "said"),
    [
        (
            None,
            1,
            "one process a side; processes are assumed to differ by 9 % here "
            "(no self-test has measured it on this machine)",
        ),
        (
            Spread(0.031, source="self-test of today"),
            3,
            "3 processes a side; processes differ by 3.1 % here (self-test of today)",
        ),
    ],
)
def test_what_intervals_rest_on_is_said_in_a_line(
    spread: Spread | None, processes: int, said: str
) -> None:
    samples = [
        replace(sample, process=number)
        for number in range(processes)
        for sample in rounds(1, EIGHT)
    ]
    side = point(samples, **on(spread=spread and spread.to_json()))
    assert compare(side, side).machine.line() == said
