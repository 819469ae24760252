"""Sentences about what to optimise first, rule by rule, on figures that can be checked by hand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.studies import GPU_TINY, TINY, WAV2VEC2, record, study

from asr_scaling.analysis.bottlenecks.advice import Advice, advice, advise
from asr_scaling.analysis.bottlenecks.diagnosis import (
    STAGES,
    amdahl,
    diagnose,
    gain,
    padding,
    regime,
)
from asr_scaling.analysis.points import Point, to_point
from asr_scaling.analysis.system_names import named
from asr_scaling.core.statistics import Interval

STAGED = {"features": 0.1, "encoder": 0.3, "decoder": 0.6}
IDLE = {"utilisation/mfu_decoder": 0.02, "utilisation/membw_decoder": 0.15}


def point(
    stages: Mapping[str, float] = STAGED,
    values: Mapping[str, float] | None = None,
    *,
    batch: int = 1,
    length: float | None = 30.0,
    rtfx: float = 30.0,
    **changes: object,
) -> Point:
    """A point of the stages given and nothing else known but RTFx."""
    known = {f"stage/{name}_s": seconds for name, seconds in stages.items()}
    known |= {"throughput/rtfx": rtfx, **(values or {})}
    base = to_point(record(TINY, length, batch))
    return replace(
        base, **{"values": known, "intervals": {}, "unavailable": {}, "tags": {}, **changes}
    )


def said(*points: Point) -> Advice:
    (found,) = advise(points)
    return found


def whole(*points: Point) -> str:
    found = said(*points)
    return " ".join((found.sentence, *found.remarks))


def test_the_longest_stage_comes_first_with_its_time_and_amdahls_bound():
    assert said(point()).sentence.startswith(
        "Start with the decoder, 60 % of a call (600 ms of 1.00 s at 30 s, batch 1; "
        "at most 2.5× if it cost nothing): "
    )


def test_a_stage_that_is_nearly_everything_has_no_bound_worth_saying():
    sentence = said(point({"encoder": 0.998, "text": 0.002})).sentence
    assert "99.8 % of a call (998 ms of 1.00 s at 30 s, batch 1): " in sentence


@pytest.mark.parametrize(
    ("mfu", "membw", "expected"),
    [
        (0.5, 0.1, "compute"),
        (0.49, 0.1, "overhead"),
        (0.1, 0.6, "memory"),
        (0.1, 0.59, "overhead"),
        (0.7, 0.9, "memory"),
        (0.9, 0.7, "compute"),
        (0.7, None, "compute"),
        (None, 0.7, "memory"),
        (0.2, None, "unknown"),
        (None, 0.2, "unknown"),
        (None, None, "unknown"),
    ],
)
def test_what_bounds_a_stage_follows_from_its_two_shares(
    mfu: float | None, membw: float | None, expected: str
):
    shares = {"utilisation/mfu_decoder": mfu, "utilisation/membw_decoder": membw}
    known = {name: share for name, share in shares.items() if share is not None}
    assert regime(point(values=known), "decoder") == expected


@pytest.mark.parametrize(
    ("mfu", "membw", "words"),
    [
        (
            0.63,
            0.03,
            "at 63 % of peak FLOP/s, only fewer or cheaper operations help",
        ),
        (0.01, 0.8, "at 80 % of copy speed, only fewer bytes help"),
        (
            0.02,
            0.15,
            (
                "at 2.0 % of peak FLOP/s and 15 % of copy speed, overhead bounds it, dispatch, "
                "launches and"
            ),
        ),
    ],
)
def test_the_sentence_names_the_share_it_stands_on_and_what_helps(
    mfu: float, membw: float, words: str
):
    assert (
        words
        in said(
            point(values={"utilisation/mfu_decoder": mfu, "utilisation/membw_decoder": membw})
        ).sentence
    )


def test_what_can_not_be_judged_says_why_and_which_roof_is_lower():
    known = {"roofline/decoder_intensity": 1.2, "roofline/ridge": 3.7}
    sentence = said(
        point(values=known, unavailable={"utilisation/mfu_decoder": "set batch=1"})
    ).sentence
    assert (
        "peaks is not known (set batch=1), "
        "but with 1.20 FLOP per byte (ridge 3.70) copy speed is its"
    ) in sentence
    assert "(profiler=all measures it)" in said(point()).sentence


@pytest.mark.parametrize(
    ("audio", "share"), [(5, 5 / 6), (30, 0), (60, 0), (45, 0.25), (15, 0.5), (30 + 1e-12, 0)]
)
def test_silence_is_what_the_windows_hold_beyond_the_audio(audio: float, share: float):
    assert padding(point(audio_s=audio)) == pytest.approx(share, abs=1e-9)


def test_there_is_no_silence_without_a_window():
    assert padding(point(window_s=None)) is None
    assert padding(point(audio_s=0.0)) is None
    assert padding(point(optimisations=("int8", "dynamic_window"))) is None
    assert padding(point(options={"window_margin_s": "2"})) is None


@pytest.mark.parametrize(("share", "heard"), [(0.2, True), (0.19, False)])
def test_copies_are_said_from_a_fifth_of_operator_time(share: float, heard: bool):
    text = whole(point(values={"ops/memory_share": share}))
    assert ("Copies and look-ups take 20 % of operator time (at most 1.2×" in text) is heard


def test_a_stage_farther_from_its_roof_is_named_although_shorter():
    """0.6 s · (1 - 0.7) = 180 ms against 0.4 s · (1 - 0.15) = 340 ms."""
    found = point({"encoder": 0.6, "decoder": 0.4}, {"utilisation/mfu_encoder": 0.7, **IDLE})
    assert "More is lost in the decoder, 40 % of the call, 340 ms beyond" in whole(found)
    assert "against 180 ms: at 2.0 % of peak FLOP/s" in whole(found)
    near = point({"encoder": 0.6, "decoder": 0.4}, {"utilisation/mfu_encoder": 0.3, **IDLE})
    assert "More is lost" not in whole(near)


def test_stages_whose_intervals_overlap_take_as_long():
    intervals = {"stage/decoder_s": Interval(0.55, 0.65), "stage/encoder_s": Interval(0.2, 0.56)}
    assert "; the encoder takes as long within noise)" in said(point(intervals=intervals)).sentence
    apart = {**intervals, "stage/encoder_s": Interval(0.2, 0.4)}
    assert "within noise" not in said(point(intervals=apart)).sentence
    widened = replace(point(intervals=intervals), stages_within=apart)  # as processes differ
    assert "within noise" not in said(widened).sentence


@pytest.mark.parametrize(
    ("rtfx", "verdict"),
    [(33.0, "faster"), (32.9, "alike"), (30.0, "alike"), (27.3, "alike"), (27.2, "slower")],
)
def test_a_larger_batch_must_change_rtfx_by_a_tenth(rtfx: float, verdict: str):
    assert gain(point(rtfx=30.0), point(rtfx=rtfx, batch=8)) == (rtfx / 30, verdict)


def test_a_change_within_the_intervals_is_none():
    near = {"throughput/rtfx": Interval(20.0, 50.0)}
    assert gain(point(rtfx=30.0, intervals=near), point(rtfx=45.0, intervals=near)) == (
        1.5,
        "alike",
    )


def test_batching_is_the_remedy_where_overhead_bounds():
    small = point(values=IDLE)
    assert (
        "batch 8 has 3.00× the RTFx of batch 1."
        in said(small, point(values=IDLE, batch=8, rtfx=90.0)).sentence
    )
    assert (
        "larger batches bring little: batch 8 has 1.00×"
        in said(small, point(values=IDLE, batch=8)).sentence
    )
    assert "batch 8" not in said(small).sentence
    assert "Larger batches cost speed: batch 8 has 0.500×" in whole(
        point(), point(batch=8, rtfx=15.0)
    )


def test_the_largest_batch_is_spoken_of_where_it_differs():
    busy = {"encoder": 0.8, "decoder": 0.2}
    other = point(busy, {"utilisation/mfu_encoder": 0.7}, batch=8)
    assert "At batch 8 the encoder takes most, 80 % of a call, near peak FLOP/s." in whole(
        point(), other
    )
    assert "At batch" not in whole(point(values=IDLE), point(values=IDLE, batch=8))
    assert "At batch" not in whole(point(values=IDLE), point(batch=8)), (
        "the same stage, and not judged there"
    )


@pytest.mark.parametrize(
    ("stage", "words"),
    [
        ("features", "computing features, 90 % of a call"),
        ("transfer", "its operations and bytes are not counted"),
        ("other", "a trace (profiler=all)"),
        ("vad", "stage “vad”, 90 % of a call"),
    ],
)
def test_stages_without_a_roof_say_what_would_show_more(stage: str, words: str):
    assert words in said(point({"encoder": 0.1, stage: 0.9})).sentence


def test_an_engine_that_can_not_be_looked_into_says_so():
    assert "the engine can't be looked into" in said(point({"other": 1.0})).sentence


def test_each_device_has_its_sentence():
    points = named(map(to_point, study((TINY, GPU_TINY, WAV2VEC2), lengths=(15.0,), batches=(1,))))
    texts = advice(points)
    assert list(texts) == ["whisper_tiny_en", "wav2vec2"]
    assert texts["whisper_tiny_en"].startswith(
        "On cpu, start with the encoder, 60 % of a call (300 ms of 500 ms at 15 s"
    )
    assert (
        " On cuda:0, start with the encoder, 60 % of a call (31.2 ms of 52.0 ms"
        in texts["whisper_tiny_en"]
    )
    assert texts["wav2vec2"].startswith("Start with the encoder, 90 % of a call")


def test_hardware_of_one_kind_is_told_apart_by_its_name():
    found = advise(named([point(hardware="Epyc"), point(hardware="Xeon")]))
    assert [each.sentence[:14] for each in found] == ["On cpu (Epyc),", "On cpu (Xeon),"]


def test_a_system_measured_at_another_length_is_judged_there():
    points = [point(length=15.0), point(length=15.0, batch=2), point(length=60.0, system="late")]
    assert "at 60 s, batch 1" in advice(points)["late"]


def test_natural_lengths_and_other_smallest_batches_are_said():
    assert "at natural lengths, batch 4" in said(point(length=None, batch=4)).sentence


def test_nothing_measured_ends_in_a_sentence():
    failed = point(status="out_of_memory", reason="12 GB were asked for", values={})
    assert advice([failed]) == {
        "whisper_tiny_en": "Nothing was measured (out of memory: 12 GB were asked for)."
    }
    assert "no stage was timed" in advice([point({})])["whisper_tiny_en"]
    assert advice([]) == {}


@given(
    st.dictionaries(st.sampled_from((*STAGES, "other", "vad")), st.floats(1e-6, 1e3), min_size=1)
)
def test_shares_add_up_and_no_bound_promises_more_than_the_call(stages: dict[str, float]):
    found = diagnose(point(stages))
    assert found is not None
    assert sum(map(found.share, stages)) == pytest.approx(1)
    assert all(stages[name] <= stages[found.stage] for name in stages)
    bound = amdahl(found.share())
    assert bound >= 1
    assert found.call_s / bound == pytest.approx(
        found.call_s - stages[found.stage], abs=1e-9 * found.call_s
    )
    assert found.farther != found.stage


TRACED = {
    "gemm": 0.6,
    "attention": 0.15,
    "convolution": 0.05,
    "normalisation": 0.11,
    "memory": 0.01,
    "python": 0.08,
}
TRACED_VALUES = {f"ops/encoder_{name}_share": share for name, share in TRACED.items()} | {
    "ops/encoder_s": 0.6
}


def test_where_the_rest_of_the_encoders_time_goes():
    values = {"utilisation/mfu_encoder": 0.52, **TRACED_VALUES, **IDLE}
    text = whole(point({"encoder": 0.6, "decoder": 0.4}, values))
    assert (
        "; its products take 80 % of its time and run at 65 % of peak, "
        "normalisation and softmax 11 %, "
        "Python between operators 8.0 %" in text
    )
    assert "copies" not in text
    assert "times as long" not in text


def test_a_traced_call_that_was_slower_than_the_timed_ones():
    values = {"utilisation/mfu_encoder": 0.6, **TRACED_VALUES, "ops/encoder_s": 0.9, **IDLE}
    text = whole(point({"encoder": 0.6, "decoder": 0.4}, values))
    assert "run at 50 % of peak" in text
    assert "Python between operators 8.0 %, in a traced call 1.5 times as long" in text


@pytest.mark.parametrize(
    "known", [{"utilisation/mfu_encoder": 0.8, **TRACED_VALUES}, {"utilisation/mfu_encoder": 0.5}]
)
def test_nothing_is_said_of_an_encoder_near_its_peak_or_without_a_trace(known: Mapping[str, float]):
    assert "its products" not in whole(point({"encoder": 0.6, "decoder": 0.4}, {**known, **IDLE}))


def test_the_decoder_is_no_encoder():
    assert (
        "its products"
        not in said(
            point(values={"utilisation/mfu_encoder": 0.5, **TRACED_VALUES, **IDLE})
        ).sentence
    )
