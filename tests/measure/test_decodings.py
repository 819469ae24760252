"""Decodings after the first are inside the timed call, counted and recorded."""

from __future__ import annotations

from typing import Any

import pytest
from support.fakes import ScriptedSystem, altered, brief, make_job

from asr_scaling.core.decoding import GREEDY, Decoding
from asr_scaling.core.record import RunRecord
from asr_scaling.measure.job import run
from asr_scaling.measure.record_builder import system_cautions
from asr_scaling.profiler.latency import Latency
from asr_scaling.profiler.quality import Quality

pytestmark = pytest.mark.usefixtures("quiet")
FALLBACK = Decoding(temperatures=(0.0, 0.2, 0.4, 0.6))
LOOPING = {"fixed_s": 0.4, "per_audio_s": 0.1, "loops": 1.0}


def measured(decoding: Decoding, size: int = 1, **engine: Any) -> RunRecord:
    job = make_job(durations=(2.0, 2.0), size=size, engine=engine, pipeline=brief())
    profiler = {"latency": Latency(), "quality": Quality("none")}
    return run(altered(altered(job, decoding=decoding), profiler=profiler))


def test_a_call_lasts_as_long_as_all_its_decodings():
    """A decoding takes 0.6 s; at temperature 0.4, the third, no text loops any more."""
    once, thrice = measured(GREEDY, **LOOPING), measured(FALLBACK, **LOOPING)
    assert once.values["latency/mean_s"] == pytest.approx(0.6)
    assert thrice.values["latency/mean_s"] == pytest.approx(3 * 0.6)
    assert thrice.values["throughput/rtfx"] == pytest.approx(2 / 1.8)
    assert (once.values["quality/looping_share"], thrice.values["quality/looping_share"]) == (1, 0)
    assert thrice.values["quality/wer"] == 0


def test_decodings_are_counted_and_stand_beside_each_text():
    record = measured(FALLBACK, **LOOPING)
    assert record.values["decoding/redecoded_share"] == 1
    assert record.values["decoding/per_utterance"] == 3
    assert record.values["decoding/highest_temperature"] == 0.4
    assert record.values["workload/decoded_again_share"] == 1
    assert [(row["temperature"], row["decodings"]) for row in record.transcripts] == [(0.4, 3)] * 2
    assert record.system["decoding"]["name"] == "fallback"
    assert record.system["decoding"]["temperatures"] == [0.0, 0.2, 0.4, 0.6]


def test_what_does_not_fail_costs_nothing():
    plain, fallback = measured(GREEDY), measured(FALLBACK)
    assert fallback.values["latency/mean_s"] == plain.values["latency/mean_s"]
    assert fallback.values["decoding/per_utterance"] == 1
    assert plain.system["decoding"] == {"name": "greedy", "beam": 1, "package_default": ""}


def test_random_weights_are_said_to_be_decoded_once():
    system = ScriptedSystem(lambda batch, probe: None, weights="random")
    kinds = [caution.message for caution in system_cautions(system, FALLBACK)]
    assert any("decoding=fallback decoded nothing again" in message for message in kinds)
    assert len(system_cautions(system)) == len(kinds) - 1
