"""The machine's state over a sweep: what the metronome's readings say, and which are kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from support.states import PROBES, Slowness, usual, with_beats
from support.studies import BASE, TINY, study

from asr_scaling.analysis.beats import thinned
from asr_scaling.analysis.machine_state import MachineState, machine_state
from asr_scaling.analysis.points import Point, to_point
from asr_scaling.core.record import RunRecord
from asr_scaling.core.sample import Beat


def records(slowness: Slowness = usual, **options: float | bool) -> list[RunRecord]:
    """Six points of 30 s, a minute apart."""
    return with_beats(study((TINY, BASE), (5.0,), (1, 2, 4)), slowness, **options)


def state(found: Sequence[RunRecord]) -> MachineState:
    made = machine_state(map(to_point, found))
    assert made is not None
    return made


def slow_memory(probe: str, moment: float) -> float:
    """Memory takes 1.5 times as long while the second and the third point are measured."""
    return 1.5 if probe.startswith("memory") and 90 <= moment < 210 else 1.0


class TestThinned:
    def test_long_passes_keep_few_readings_and_their_medians(self):
        beats = [Beat(float(i), {"memory/2": 1.0 + i % 3}) for i in range(1000)]
        (part,) = thinned(beats, ())
        assert len(part.at) <= 64
        assert set(part.seconds["memory/2"]) == {2.0}, "each the median of neighbours"
        assert list(part.at) == sorted(part.at)

    def test_short_passes_keep_all(self):
        (part,) = thinned([Beat(float(i), {"dispatch": float(i)}) for i in range(1, 9)], ())
        assert list(part.seconds["dispatch"]) == list(part.at) == list(range(1, 9))

    def test_processes_are_kept_apart(self):
        beats = [Beat(float(i), {"dispatch": 1.0}, process=i // 50) for i in range(100)]
        parts = thinned(beats, ())
        assert [(part.began_at, part.ended_at) for part in parts] == [(0.0, 49.0), (50.0, 99.0)]

    def test_a_probe_that_only_some_readings_have(self):
        beats = [Beat(1.0, {"memory/1": 0.5}), Beat(2.0, {"memory/2": 0.25})]
        (part,) = thinned(beats, ())
        assert list(part.seconds["memory/2"])[1] == 0.25
        assert machine_state([]) is None

    def test_a_span_holds_the_timed_calls(self):
        (first, *_) = records()
        (part,) = thinned(first.beats, first.samples)
        last = first.samples[-1]
        assert part.ended_at == pytest.approx(
            max(first.beats[-1].at, last.started_at + last.total_s)
        )

    def test_a_point_holds_few_numbers_whatever_was_beaten(self):
        (point, *_) = map(to_point, records(every_s=0.01))
        assert sum(len(part.at) for part in point.beats) <= 64
        assert point.load().beats, "the record has them all"


class TestState:
    def test_relative_to_the_usual_state_where_it_is_known(self):
        made = state(records(lambda probe, moment: 1.2))
        assert made.usual
        assert made.reference == "this machine's usual state"
        assert set(made.readings) == {"memory", "products", "dispatch"}
        ratios = [reading.ratio for reading in made.readings["memory"]]
        assert sum(ratios) / len(ratios) == pytest.approx(1.2, rel=0.02)

    def test_else_to_the_median_of_the_sweep(self):
        made = state(records(lambda probe, moment: 1.2, known=False))
        assert not made.usual
        assert made.reference == "the median of this sweep"
        ratios = [reading.ratio for reading in made.readings["memory"]]
        assert sum(ratios) / len(ratios) == pytest.approx(1.0, rel=0.02)

    def test_a_single_point_without_a_certificate_makes_it_the_median(self):
        found = records()
        found[2] = replace(found[2], environment={**found[2].environment, "certificate": None})
        assert not state(found).usual

    @pytest.mark.parametrize(
        "damaged", [{"memory/2": 0.0}, {"memory/2": "fast"}, "none", {"memory/2": 0.006}]
    )
    def test_a_certificate_that_lacks_a_probe_is_no_reference(self, damaged: object):
        found = [
            replace(one, environment={**one.environment, "certificate": {"usual_state": damaged}})
            for one in records()
        ]
        assert not state(found).usual

    def test_probes_on_other_numbers_of_threads_are_one_kind(self):
        first, second, *_ = records()
        other = [replace(b, seconds={"memory/1": 2 * b.seconds["memory/2"]}) for b in second.beats]
        made = state([first, replace(second, beats=tuple(other))])
        assert not made.usual, "the certificate knows two threads only"
        ratios = [reading.ratio for reading in made.readings["memory"]]
        assert max(ratios) < 1.2

    def test_spans_are_numbered_in_the_order_they_began(self):
        found = records()
        made = state([*found[3:], *found[:3]])
        assert [span.point.name for span in made.spans] == [one.name for one in found]
        assert [span.place for span in made.spans] == [1, 2, 3, 4, 5, 6]

    def test_the_spread_is_that_of_the_readings(self):
        made = state(records(noise=0.05))
        assert made.spread["memory"] == pytest.approx(0.05, rel=0.2)

    def test_without_beats_there_is_none(self):
        points: list[Point] = [to_point(replace(one, beats=())) for one in records()]
        assert machine_state(points) is None


class TestSpells:
    def test_a_spell_says_how_much_how_long_and_of_which_points(self):
        (spell,) = state(records(slow_memory)).spells
        assert spell.kind == "memory"
        assert spell.ratio == pytest.approx(1.5, rel=0.02)
        assert spell.places == (2, 3)
        assert spell.lasted_s == pytest.approx(60, abs=3), "the pause between them is none of it"

    def test_an_instant_is_none(self):
        def once(probe: str, moment: float) -> float:
            return 5.0 if 100 <= moment < 101 else 1.0

        assert state(records(once)).spells == []

    def test_noise_is_none(self):
        assert state(records(noise=0.08)).spells == []

    def test_a_faster_machine_is_one_too(self):
        (spell, *rest) = state(
            records(lambda probe, moment: 0.5 if probe == "dispatch" else 1.0)
        ).spells
        assert (spell.kind, rest) == ("dispatch", [])
        assert spell.ratio == pytest.approx(0.5, rel=0.02)
        assert spell.places == (1, 2, 3, 4, 5, 6)

    def test_what_matters_most_is_first(self):
        def two(probe: str, moment: float) -> float:
            if probe.startswith("memory") and moment < 30:
                return 1.3
            return 2.0 if probe == "dispatch" and moment > 200 else 1.0

        assert [spell.kind for spell in state(records(two)).spells] == ["dispatch", "memory"]


def test_the_probes_of_the_made_machine_are_those_of_the_metronome():
    assert {probe.partition("/")[0] for probe in PROBES} == {"memory", "products", "dispatch"}
