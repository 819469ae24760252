"""What advice promises: from which facts, within which bound, where, and what came of it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

import pytest
from support.studies import TINY, WAV2VEC2, Law, record

from asr_scaling.analysis.bottlenecks.advice import promise
from asr_scaling.analysis.bottlenecks.lever_facts import Effects, learned, pairs_of
from asr_scaling.analysis.bottlenecks.offers import NOISE, Offer, offers
from asr_scaling.analysis.bottlenecks.possible import refusal
from asr_scaling.analysis.bottlenecks.timed import Timed
from asr_scaling.analysis.points import Point, to_point

STAGED = {"features": 0.05, "encoder": 0.45, "decoder": 0.4, "text": 0.1}
HALVED = (math.log(0.5), 0.0, 100)
AMX = {"instructions": ["avx2", "avx512_vnni", "amx_int8", "amx_bf16"]}


def point(
    stages: Mapping[str, float] = STAGED, *, length: float | None = 5.0, law: Law = TINY, **changes
) -> Point:
    base = to_point(record(law, length, 1))
    values = {f"stage/{name}_s": seconds for name, seconds in stages.items()}
    return replace(
        base,
        **{
            "values": {"throughput/rtfx": 10.0, **values},
            "intervals": {},
            "environment": {**base.environment, **AMX},
            **changes,
        },
    )


def facts(lever: str, processor: str = "amx", **stages: tuple[float, float, int]) -> Effects:
    return {(lever, "transformers", "whisper", processor): stages}


def promised(of: Point, effects: Effects) -> dict[str, Offer]:
    allowed = offers(of, possible=lambda *_: None, effects=effects)
    return {offer.option: offer for offer in allowed}


def test_a_gain_is_that_of_each_stage_and_its_bound_that_of_all_it_touches():
    """450 + 400 ms halved: 1000 / 575; without them: 1000 / 150."""
    (offer,) = promised(point(), facts("int8", encoder=HALVED, decoder=HALVED)).values()
    assert offer.option == "optimisation=[int8]"
    assert offer.gain == pytest.approx(1000 / 575)
    assert offer.bound == pytest.approx(1000 / 150)
    assert offer.touched == ("encoder", "decoder")
    assert offer.interval.low < offer.gain < offer.interval.high


def test_the_interval_holds_what_two_processes_differ_by_even_of_a_sure_effect():
    (offer,) = promised(point(), facts("int8", encoder=(*HALVED[:2], 10**6))).values()
    assert math.log(offer.interval.high / offer.gain) >= 1.96 * NOISE
    (unsure,) = promised(point(), facts("int8", encoder=(HALVED[0], 0.5, 5))).values()
    assert unsure.interval.high > offer.interval.high


def test_no_promise_is_beyond_its_bound():
    """Only the transfer, 1 % of a call, is touched."""
    stages = {"transfer": 0.05, "text": 0.95}
    (offer,) = promised(point(stages), facts("bf16", transfer=(-9.0, 1.0, 2))).values()
    assert offer.gain <= offer.interval.high == offer.bound == pytest.approx(1 / 0.95)


def test_what_comes_along_counts_in_gain_and_bound():
    window = facts("dynamic_window", encoder=(-1.0, 0.0, 9))
    loop = facts("decode_loop", decoder=HALVED)
    found = promised(point(), {**window, **loop})["optimisation=[dynamic_window,decode_loop]"]
    """The window of 5 + 4 s is 0.3 of the whole, and so is what is left of the encoder."""
    assert found.gain == pytest.approx(1 / (0.05 + 0.45 * 0.3 + 0.4 / 2 + 0.1), rel=1e-6)
    assert found.bound == pytest.approx(1 / 0.1)
    alone = point(optimisations=("decode_loop",))
    assert list(promised(alone, {**window, **loop})) == ["optimisation=[dynamic_window]"]


@pytest.mark.parametrize("length", [30.0, 60.0])
def test_a_window_is_not_shortened_where_speech_fills_it(length: float):
    known = {
        **facts("dynamic_window", encoder=(-1.0, 0.0, 9)),
        **facts("decode_loop", decoder=HALVED),
    }
    assert list(promised(point(length=length), known)) == ["optimisation=[decode_loop]"]


def test_what_was_measured_on_other_processors_only_is_wider_and_says_so():
    here = promised(point(), facts("int8", encoder=HALVED))["optimisation=[int8]"]
    there = promised(point(), facts("int8", "vnni", encoder=HALVED))["optimisation=[int8]"]
    assert (here.elsewhere, there.elsewhere) == (False, True)
    assert there.interval.low < 0.9 * here.interval.low
    assert "measured elsewhere only" in promise(there)
    assert "elsewhere" not in promise(here)


def test_processors_tell_nothing_of_gpus():
    assert promised(point(device="cuda:0"), facts("int8", encoder=HALVED)) == {}


@pytest.mark.parametrize(
    ("sets", "there"),
    [(["avx2", "amx_bf16"], True), (["avx512_bf16"], True), (["avx512_vnni"], False), ([], False)],
)
def test_bf16_is_offered_to_processors_that_multiply_it(sets: list[str], there: bool):
    known = facts("bf16", encoder=HALVED)
    machine = point(environment={**point().environment, "instructions": sets})
    assert bool(promised(machine, known)) is there


def test_only_engines_that_have_it_are_offered_bf16():
    """CTranslate2 says only when it loads that a processor's bfloat16 is none of its own."""
    known = facts("bf16", encoder=HALVED)
    assert promised(point(engine="openvino"), known)
    assert not promised(point(engine="faster_whisper"), known)


def test_what_promises_next_to_nothing_is_not_offered():
    assert promised(point(), facts("int8", encoder=(math.log(0.95), 0.0, 9))) == {}


def test_only_what_the_parts_take_is_offered():
    known = {**facts("int8", encoder=HALVED), **facts("bf16", encoder=HALVED)}
    assert refusal(point(), ["int8"]) is None
    assert "int8" in str(refusal(point(optimisations=("bf16",)), ["int8"]))
    assert offers(point(optimisations=("bf16",)), effects=known) == []
    ctc = point(law=WAV2VEC2, window_s=None)
    assert "window" in str(refusal(ctc, ["dynamic_window"]))
    assert "no choice" in str(refusal(point(), ["../../nothing"]))


def test_once_tried_both_are_shown():
    before = point(length=5.0)
    after = replace(
        to_point(record(TINY, 5.0, 1)),
        optimisations=("int8",),
        values={**before.values, "throughput/rtfx": 15.0},
    )
    known = facts("int8", encoder=HALVED)
    elsewhere = replace(after, length_s=15.0)
    (untried,) = offers(before, [before, elsewhere], possible=lambda *_: None, effects=known)
    assert untried.kept is None
    (offer,) = offers(before, [before, after], possible=lambda *_: None, effects=known)
    assert offer.kept is not None
    assert offer.kept.point is after
    assert " and brought " in promise(offer)


def test_facts_are_what_pairs_of_calls_show():
    base = Timed.of(point())
    quick = replace(base, optimisations=frozenset({"int8"}), stages={**STAGED, "encoder": 0.225})
    known = learned(pairs_of([base, quick]))
    assert known == {
        ("int8", "transformers", "whisper", "amx"): {
            "encoder": (-0.693, 0.15, 1),
            "decoder": (0.0, 0.15, 1),
        }
    }
