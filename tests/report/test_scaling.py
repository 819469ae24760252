"""Scaling of made-up studies whose laws are known, and of sweeps that leave much out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from support.reading import figures, points, row, tables, without, words
from support.studies import BASE, GPU_TINY, TINY, WAV2VEC2, Law

from asr_scaling.analysis.fits import Fit, NoFit, Power
from asr_scaling.analysis.laws import JOULES, TIME, BatchLaw, LengthLaw, batch_laws, length_laws
from asr_scaling.analysis.points import Point, windows
from asr_scaling.analysis.size_laws import ALL, FLOPS, PARAMETERS, SECONDS, size_laws
from asr_scaling.core.cautions import caution
from asr_scaling.core.energy_methods import GIVEN
from asr_scaling.report.document import Section
from asr_scaling.report.output.drawing import Style
from asr_scaling.report.scaling import section as scaling


def section(found: Sequence[Point]) -> Section:
    return scaling.section(found, Style.of(found))


@pytest.fixture(scope="module")
def made() -> Section:
    """The section on three systems with a little noise."""
    return section(points(batches=(1, 4), noise=0.02))


def coefficients(law: LengthLaw | BatchLaw) -> tuple[float, ...]:
    assert isinstance(law.fit, Fit)
    return law.fit.coefficients


def of_length(cost: str, length_s: float, seconds: float) -> Point:
    """A batch-1 point of a model without a window that takes ``seconds``."""
    (found,) = points(
        Law(cost, 1_000_000, 1e9, 0.0, seconds / length_s, 0.0, None),
        lengths=(length_s,),
        batches=(1,),
    )
    return found


class TestLength:
    def test_windowed_models_pay_for_windows_and_seconds(self):
        free = replace(TINY, call_s=0.0)
        (law,) = length_laws(points(free, batches=(1,)), TIME)
        assert coefficients(law) == pytest.approx((0.30, 0.010))
        (law,) = length_laws(points(free, batches=(1,)), JOULES)
        assert coefficients(law) == pytest.approx((0.30 * 20, 0.010 * 20))

    def test_other_models_pay_once_and_for_seconds(self):
        (law,) = length_laws(points(WAV2VEC2, batches=(4,)), TIME)
        assert coefficients(law) == pytest.approx((0.01 + 0.05 / 4, 0.110))

    def test_a_law_for_each_system_device_and_batch_smallest_model_first(self):
        laws = length_laws(points(WAV2VEC2, TINY, GPU_TINY, batches=(8, 1)), TIME)
        assert [(law.system, law.device, law.batch) for law in laws] == [
            ("whisper_tiny_en", "cpu", 1),
            ("whisper_tiny_en", "cpu", 8),
            ("whisper_tiny_en", "cuda:0", 1),
            ("whisper_tiny_en", "cuda:0", 8),
            ("wav2vec2", "cpu", 1),
            ("wav2vec2", "cpu", 8),
        ]

    @pytest.mark.parametrize(
        ("audio_s", "expected"), [(0.1, 1), (30.0, 1), (30.0000001, 1), (30.1, 2), (60.0, 2)]
    )
    def test_windows(self, audio_s: float, expected: int):
        assert windows(audio_s, 30.0) == expected
        assert windows(audio_s, None) == 1

    def test_the_table_has_coefficients_what_a_minute_costs_and_the_held_out_errors(self):
        table = tables(section(points(replace(TINY, call_s=0.0), batches=(1,), noise=0.05)))[
            "length-time"
        ]
        line = row(table)
        assert line["a"].sort == pytest.approx(300, rel=0.2)
        assert "±" in line["a"].text
        assert line["a is paid"].text == "every 30 s"
        assert line["one minute"].sort == pytest.approx(1.2, rel=0.1)
        assert 0 < float(line["held-out error, worst"].text) < 15
        assert "60 s: " in line["held-out error, worst"].note
        assert line["predicts"].text == "well"
        assert table.rows[0].keys == {"model": "whisper_tiny_en", "device": "cpu", "batch": "1"}

    def test_a_quadratic_cost_is_said_to_predict_badly_and_why(self):
        found = [of_length("square", d, 0.01 * d * d) for d in (5.0, 15.0, 30.0, 60.0)]
        made = section(found)
        assert row(tables(made)["length-time"])["predicts"].text == "badly"
        assert "cost grows faster than length, as that of attention" in words(made)
        assert "square (cpu)" in figures(made)["length-time-curves"].caption

    def test_a_batch_measured_at_one_length_has_no_panel(self):
        found = [*points(TINY, batches=(1, 4)), *points(TINY, lengths=(5.0,), batches=(112,))]
        assert "at batch 1 and 4." in figures(section(found))["length-time-curves"].alt

    def test_a_cost_that_flattens_out_is_said_to(self):
        found = [of_length("root", d, 0.1 * d**0.3) for d in (5.0, 15.0, 30.0, 120.0)]
        assert "cost grows more slowly than length" in words(section(found))

    def test_more_windows_than_assumed_are_suspected(self):
        dear = replace(TINY, call_s=0.0, window_s=29.5)  # three windows in a minute
        found = [
            replace(p, window_s=30.0)
            for p in points(dear, lengths=(5.0, 15.0, 29.0, 60.0), batches=(1,))
        ]
        assert "longest audio costs more than its windows say" in words(section(found))

    def test_a_good_fit_suggests_nothing(self, made: Section):
        assert "predicts badly at" not in words(made)

    def test_two_lengths_have_no_interval_and_no_check(self):
        made = section(points(WAV2VEC2, lengths=(5.0, 15.0), batches=(1,)))
        line = row(tables(made)["length-time"])
        assert "±" not in line["a"].text
        assert "no interval" in line["a"].note
        assert line["held-out error, worst"].text == "–"
        assert line["predicts"].text == "unchecked"
        assert "It lies beyond the longest measured (15 s)." in line["one minute"].note
        assert (
            "s by its law, beyond the longest measured (15 s); too few lengths to check it."
            in words(made)
        )

    def test_one_length_is_no_law(self):
        made = section(points(WAV2VEC2, lengths=(15.0,), batches=(1,)))
        line = row(tables(made)["length-time"])
        assert (line["a"].text, line["predicts"].text) == ("–", "no law")
        assert "one length was measured" in line["a"].note
        assert "one length was measured" in words(made)

    def test_whole_windows_alone_do_not_tell_window_from_second(self):
        (law,) = length_laws(points(TINY, lengths=(30.0, 60.0), batches=(1,)), TIME)
        assert isinstance(law.fit, NoFit)
        assert "30 s" in law.fit.reason

    def test_natural_lengths_are_left_out_and_said_to_be(self):
        assert (
            "no point has both a length and a cost"
            in words(section(points(TINY, lengths=(None,), batches=(1,)))).lower()
        )
        found = section(points(TINY, lengths=(None, 5.0, 15.0), batches=(1,)))
        assert (
            "Natural utterances vary in length and are left out of these laws: whisper_tiny_en."
            in words(found)
        )
        assert row(tables(found)["length-time"])["lengths"].text == "5, 15 s"

    def test_audio_that_was_left_out_counts_for_no_length(self):
        cut = (caution("TruncatedAudio", seconds=30.0),)
        found = [
            replace(p, cautions=cut) if p.length_s == 60.0 else p
            for p in points(TINY, batches=(1,))
        ]
        assert row(tables(section(found))["length-time"])["lengths"].text == "5, 15, 30 s"
        said = (
            "Points that did not transcribe all of their audio are left out of these laws: "
            "whisper_tiny_en."
        )
        assert said in words(section(found))
        assert said not in words(section(points(TINY, batches=(1,))))

    def test_joules_say_how_they_were_had(self, made: Section):
        table = tables(made)["length-energy"]
        assert row(table)["energy is"].text == GIVEN
        assert any("between the two watts" in note for note in table.notes)
        assert "estimated" in figures(made)["length-energy-curves"].caption

    def test_a_minute_is_what_was_measured_and_what_the_law_says(self, made: Section):
        assert "**wav2vec2** on cpu, batch 1: a minute of audio took 6." in words(made)

    def test_random_weights_are_said(self, made: Section):
        assert any("Random weights: wav2vec2" in note for note in tables(made)["length-time"].notes)


class TestBatch:
    def test_a_call_costs_c_and_each_utterance_m(self):
        (law,) = batch_laws(points(TINY, lengths=(15.0,)))
        assert coefficients(law) == pytest.approx((0.05, 0.45))
        assert law.limit is not None
        assert law.limit[0] == pytest.approx(0.5 / 0.45)

    def test_the_table_has_speed_up_and_the_saving_of_energy(self):
        table = tables(section(points(TINY, lengths=(15.0,))))["batch-saving"]
        line = row(table, 4)
        assert line["batch"].text == "16"
        assert line["speed-up"].sort == pytest.approx(0.5 / (0.05 / 16 + 0.45))
        assert line["share of batch 1's time"].sort == pytest.approx(100 * (0.05 / 16 + 0.45) / 0.5)
        assert line["share of batch 1's energy"].sort == pytest.approx(
            100 * (0.05 / 16 + 0.45) / 0.5
        )
        assert "±" in line["share of batch 1's energy"].text
        assert table.rows[4].keys["batch"] == "16"

    def test_without_batch_1_there_is_nothing_to_compare_with(self):
        found = section(points(TINY, lengths=(5.0, 15.0), batches=(2, 4)))
        assert row(tables(found)["batch-saving"])["speed-up"].text == "–"
        assert "batch 1 was not measured" in row(tables(found)["batch-saving"])["speed-up"].note
        assert "batch-speed-up" not in figures(found)

    def test_calls_that_cost_nothing_gain_nothing(self):
        (law,) = batch_laws(points(replace(TINY, call_s=-0.02), lengths=(15.0,)))
        assert law.limit is not None
        assert law.limit[0] == 1

    def test_one_batch_size_is_a_sentence(self):
        found = section(points(TINY, lengths=(5.0,), batches=(1,)))
        assert "one batch size only" in words(found)
        assert not {"batch-law", "batch-saving"} & set(tables(found))


class TestSize:
    SIZES = tuple(
        Law(f"m{k}", 10**6 * k, 1e9 * k, 0.01 * k**0.8, 0.0, 0.0, None, wer=None)
        for k in (1, 2, 5, 10)
    )

    def test_the_exponent_is_found_over_flops_and_parameters(self):
        laws = size_laws(points(*self.SIZES, lengths=(5.0,)))
        times = {law.measure: law.fit for law in laws if law.cost is SECONDS}
        for measure in (FLOPS, PARAMETERS):
            fit = times[measure]
            assert isinstance(fit, Power)
            assert fit.exponent == pytest.approx(0.8)
            assert fit.held_out.worst == pytest.approx(0, abs=1e-6)
        assert {law.family for law in laws} == {ALL}
        assert all(point.batch == 1 for law in laws for point in law.points)

    def test_a_family_of_three_has_its_own_law_two_have_not(self):
        laws = size_laws(points(TINY, BASE, *self.SIZES, lengths=(5.0,)))
        assert {law.family for law in laws} == {ALL, "ctc"}

    def test_what_it_says(self):
        noisy = section(points(*self.SIZES, lengths=(5.0,), batches=(1,), noise=0.02))
        assert "grows as FLOPs per utterance to the power 0.8" in words(noisy)
        table = tables(noisy)["size-exponents"]
        assert any("random weights" in note for note in table.notes)
        assert row(table)["models"].text == "4"
        assert table.rows[0].keys == {"device": "cpu", "length": "5 s"}

    def test_what_costs_less_the_larger_falls(self):
        falling = [
            replace(law, window_cost_s=0.01 * (law.parameters / 1e6) ** -0.8) for law in self.SIZES
        ]
        found = words(section(points(*falling, lengths=(5.0,), batches=(1,), noise=0.02)))
        assert "falls as FLOPs per utterance to the power -0." in found
        assert "grows as" not in found

    def test_one_model_has_no_exponent(self):
        assert "No two models" in words(section(points(TINY, lengths=(5.0,), batches=(1,))))

    def test_sizes_that_do_not_differ_say_so(self):
        laws = size_laws(
            points(self.SIZES[0], replace(self.SIZES[0], model="twin", per_s=0.1), lengths=(5.0,))
        )
        assert all(isinstance(law.fit, NoFit) and "don't differ" in law.fit.reason for law in laws)


class TestPartialData:
    @pytest.mark.parametrize(
        ("prefix", "said"),
        [
            ("energy/", "Energy was not measured in this sweep, so there is no law of joules."),
            ("memory/", "Memory was not measured in this sweep"),
            ("flops/", "No two models of known size and cost were measured"),
            ("latency", "Time was not measured in this sweep, so there is no law of seconds."),
            ("latency", "No call was timed, so there is nothing to say of batches."),
            (
                "throughput/",
                "The time of a second of audio was not measured: it has no law of size.",
            ),
        ],
    )
    def test_any_measurement_may_be_missing(self, prefix: str, said: str):
        whole = [
            replace(p, parameters=None)
            for p in points(TINY, BASE, lengths=(5.0, 30.0), batches=(1, 4), calls=4)
        ]
        assert said not in words(section(whole))
        assert said in words(section(without(whole, prefix)))

    @pytest.mark.parametrize(
        ("laws", "lengths", "batches", "said"),
        [
            ((TINY,), (5.0,), (1,), "no law, for one length was measured"),
            ((TINY, GPU_TINY), (None,), (3,), "No point has both a length and a cost"),
        ],
    )
    def test_little_is_enough(
        self,
        laws: tuple[Law, ...],
        lengths: tuple[float | None, ...],
        batches: tuple[int, ...],
        said: str,
    ):
        text = words(section(points(*laws, lengths=lengths, batches=batches)))
        assert said in text
        assert "measured at one batch size only, so there is nothing to say of batches" in text
        assert "No two models of known size and cost were measured at batch 1" in text

    def test_no_intervals(self):
        found = [replace(p, intervals={}) for p in points(TINY, lengths=(5.0,), batches=(1, 2))]
        assert "±" not in row(tables(section(found))["batch-saving"], 1)["speed-up"].text

    def test_failed_points_are_no_points(self):
        assert "No point was measured" in words(
            section([replace(p, status="failed") for p in points()])
        )
        assert "No point was measured" in words(section([]))


def test_every_figure_has_marks_for_the_filter_and_words():
    made = figures(
        section(points(TINY, BASE, GPU_TINY, lengths=(5.0, 15.0), batches=(1, 16), noise=0.03))
    )
    assert (
        " ".join(made)
        == "length-time-curves length-energy-curves batch-speed-up size-curves memory-curves"
    )
    for figure in made.values():
        assert all((figure.caption, figure.alt, figure.marks))
        assert all(
            set(mark.keys) <= {"model", "device", "length", "batch"}
            for mark in figure.marks.values()
        )
    drawn = {tuple(mark.keys.values()) for mark in made["batch-speed-up"].marks.values()}
    assert ("whisper_tiny_en", "cuda:0", "15 s", "16") in drawn
