"""The study's tables on made-up studies whose every cell can be computed by hand."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import reading
from support.reading import column, without, words
from support.studies import BASE, GPU_TINY, TINY, WAV2VEC2, Law

from asr_scaling.analysis.points import Point
from asr_scaling.analysis.stars import star_count
from asr_scaling.analysis.system_names import named
from asr_scaling.core.cautions import caution
from asr_scaling.report.document import Row, Table
from asr_scaling.report.output.drawing import Style
from asr_scaling.report.study import section as tables

ALL = (5.0, 15.0, 30.0, 60.0)


def points(
    *laws: Law,
    lengths: Sequence[float | None] = ALL,
    batches: Sequence[int] = (1, 16),
    noise: float = 0.0,
) -> list[Point]:
    return reading.points(*laws, lengths=lengths, batches=batches, noise=noise)


def made(found: Sequence[Point]) -> dict[str, Table]:
    return reading.tables(tables.section(found, Style.of(found)))


def figure(row: Row, table: Table, heading: str) -> float:
    (at,) = [i for i, column in enumerate(table.columns) if column.heading == heading]
    value = row.cells[at].sort
    assert isinstance(value, float)
    return value


class TestBesideTheStudy:
    def test_latency_by_length_and_its_ratio_at_60_s(self) -> None:
        table = made(points(TINY))["latency-batch-1"]
        assert [column.heading for column in table.columns[2:]] == [
            "5 s", "15 s", "30 s", "60 s", "Study, 60 s", "Ratio, 60 s"
        ]  # fmt: skip
        assert [cell.text for cell in table.rows[0].cells[2:]] == [
            "400",
            "500",
            "650",
            "1,250",
            "1,046",
            "1.19",
        ]
        assert table.rows[0].cells[-1].sort == pytest.approx(1.25 / 1.0463)
        assert any("first 30 s" in note for note in table.notes)

    def test_a_gpu_stands_beside_a_gpu(self) -> None:
        table = made(points(TINY, GPU_TINY))["latency-batch-1"]
        assert column(table, "Device") == ["cpu", "cuda:0"]
        assert column(table, "Study, 60 s") == ["1,046", "277"]

    def test_energy_of_the_same_cell(self) -> None:
        table = made(points(TINY))["energy-per-utterance"]
        (row,) = table.rows
        joules = 20 * (0.05 + 16 * 1.2) / 16
        assert figure(row, table, "Energy") == pytest.approx(joules)
        assert figure(row, table, "Ratio") == pytest.approx(joules / 4.8)
        assert column(table, "Study's range") == ["4.7–9.1"]
        assert column(table, "Range") == [
            "7.06–25.0"
        ]  # 20 W · (0.05 + 16 · 0.35) s / 16, and 20 W · 1.25 s

    def test_another_cell_has_no_ratio(self) -> None:
        table = made(points(TINY, batches=(1, 8)))["energy-per-utterance"]
        assert column(table, "Batch") == ["8"]
        assert column(table, "Ratio") == ["–"]
        assert "Study" in [column.heading for column in table.columns]

    def test_throughput_with_its_batch_and_length(self) -> None:
        table = made(points(GPU_TINY))["throughput"]
        (row,) = table.rows
        most = 16 / (0.02 + 16 * 0.012)
        assert figure(row, table, "Most utterances") == pytest.approx(most)
        assert figure(row, table, "Ratio") == pytest.approx(most / 54.1)
        assert [cell.text for cell in row.cells if cell.text.startswith("batch")] == [
            "batch 16, 5 s",
            "batch 16, 60 s",
        ]
        assert column(made(points(GPU_TINY, lengths=(15.0,)))["throughput"], "Ratio") == ["–"]

    def test_wer_stands_beside_but_is_not_divided(self) -> None:
        table = made(points(TINY, WAV2VEC2))["wer-by-length"]
        assert column(table, "15 s") == ["4.9 ± 1.5", "–"]
        assert column(table, "Study, other speech") == ["36", "57"]
        assert table.rows[1].cells[2].note == "random weights"
        assert not any("Ratio" in column.heading for column in table.columns)

    def test_operations_by_the_studys_conventions(self) -> None:
        table = made(points(BASE, WAV2VEC2))["encoder-operations"]
        ratio = "Ratio"
        assert column(table, "Audio") == ["one window of 30 s", "5 s", "15 s", "30 s", "60 s"]
        assert figure(table.rows[0], table, ratio) == pytest.approx(0.63 * 87.0 / 59.8)
        assert figure(table.rows[1], table, ratio) == pytest.approx(34.7 / 2 / 34.8)
        assert figure(table.rows[4], table, ratio) == pytest.approx(34.7 * 12 / 2 / 418.2)
        assert column(table, ratio)[2:4] == ["–", "–"]
        steps = made(points(BASE, WAV2VEC2))["decoder-operations"]
        assert column(steps, "System") == ["whisper_base"]
        assert figure(steps.rows[0], steps, ratio) == pytest.approx(87.0 / 900 / 0.038)

    def test_models_the_study_did_not_have_leave_its_columns_out(self) -> None:
        found = made(points(replace(TINY, model="parakeet"), replace(GPU_TINY, model="parakeet")))
        headings = {column.heading for table in found.values() for column in table.columns}
        assert not any("Study" in heading or "Ratio" in heading for heading in headings)
        part = tables.section(points(replace(TINY, model="parakeet")), Style(("parakeet",)))
        assert "left out" in words(part)

    def test_the_english_model_is_said_to_be_another(self) -> None:
        assert "English" in words(tables.section(points(TINY), Style(("whisper_tiny_en",))))
        assert "English" not in words(tables.section(points(BASE), Style(("whisper_base",))))


class TestRatios:
    def test_speed_up_of_the_gpu(self) -> None:
        table = made(points(TINY, GPU_TINY))["cpu-against-gpu"]
        assert len(table.rows) == 8  # four lengths at batch 1 and 16
        assert figure(table.rows[0], table, "Speed-up") == pytest.approx(0.40 / 0.032)
        at_60 = table.rows[6]
        assert figure(at_60, table, "Speed-up") == pytest.approx(1.25 / 0.144)
        study = 1.0463 / 0.2772
        assert figure(at_60, table, "Ratio, 60 s at batch 1") == pytest.approx(1.25 / 0.144 / study)

    def test_devices_of_two_hosts_are_not_mixed(self) -> None:
        found = [
            replace(p, host="elsewhere") if p.device != "cpu" else p for p in points(TINY, GPU_TINY)
        ]
        assert "cpu-against-gpu" not in made(found)
        assert "cpu-against-gpu" not in made(points(TINY))

    def test_two_kinds_of_one_device_are_two_rows_that_name_the_hardware(self) -> None:
        other = [replace(point, hardware="Other CPU", ended_at=1.0) for point in points(TINY)]
        table = made(named([*points(TINY), *other]))["latency-batch-1"]
        assert column(table, "Device") == ["cpu (Other CPU)", "cpu (Test CPU, 2 cores)"]

    def test_where_one_device_has_no_median_both_have_a_mean(self) -> None:
        few = reading.points(GPU_TINY, lengths=(15.0,), batches=(1,), calls=3)
        table = made([*points(TINY, lengths=(15.0,), batches=(1,)), *few])["cpu-against-gpu"]
        (row,) = table.rows
        assert figure(row, table, "Speed-up") == pytest.approx(0.5 / 0.052)
        notes = [cell.note for cell in row.cells[4:6]]
        assert "The mean: the other has no median." in notes[0]
        assert "The mean: 3 calls can't bound it" in notes[1]

    def test_without_any_latency_the_speed_up_is_a_dash(self) -> None:
        blind = without(points(GPU_TINY, lengths=(15.0,), batches=(1,)), "latency/")
        table = made([*points(TINY, lengths=(15.0,), batches=(1,)), *blind])["cpu-against-gpu"]
        assert column(table, "Speed-up") == ["–"]
        assert table.rows[0].cells[6].note == "not measured in this sweep"

    def test_batching_gain_to_16_or_the_largest(self) -> None:
        table = made(points(TINY, lengths=(15.0,), batches=(1, 2, 16, 32)))["batching-gain"]
        (row,) = table.rows
        assert column(table, "Batches") == ["1 → 16"]
        assert figure(row, table, "Gain") == pytest.approx(0.5 * 16 / (0.05 + 16 * 0.45))
        assert figure(row, table, "Energy per utterance") == pytest.approx(
            (0.05 + 16 * 0.45) / 16 / 0.5
        )
        assert column(table, "Study, 1 → 16") == ["1.1–1.6 (all)"]
        smaller = made(points(TINY, lengths=(15.0,), batches=(1, 4)))["batching-gain"]
        assert column(smaller, "Batches") == ["1 → 4"]
        assert column(
            made(points(GPU_TINY, lengths=(15.0,)))["batching-gain"], "Study, 1 → 16"
        ) == ["6.6"]


class TestStars:
    @pytest.mark.parametrize(
        ("behind", "stars"),
        [(1, 5), (1.99, 5), (2, 4), (3.99, 4), (4, 3), (8, 2), (16, 1), (1e6, 1)],
    )
    def test_a_factor_of_two_costs_one(self, behind: float, stars: int) -> None:
        assert star_count(behind) == stars

    @given(st.floats(1, 1e9), st.floats(1, 8))
    def test_worse_never_has_more(self, behind: float, factor: float) -> None:
        assert 1 <= star_count(behind * factor) <= star_count(behind) <= 5
        assert star_count(behind) - star_count(behind * factor) <= math.ceil(
            math.log2(factor) + 1e-6
        )

    def test_each_is_measured_by_its_best_batch(self) -> None:
        table = made(points(TINY, BASE, WAV2VEC2))["stars"]
        # RTFx at 15 s and batch 16: 33.1, 17.3 and 9.0, so 1, 1.9 and 3.7 behind
        assert column(table, "Speed") == ["★★★★★", "★★★★★", "★★★★☆"]
        assert column(table, "Energy") == column(
            table, "Speed"
        )  # one power, so energy goes with time
        assert table.rows[0].cells[2].note.startswith("RTFx 33.1 at batch 16; 1.00 ×")


class TestPartialData:
    def test_nothing_measured_is_a_sentence(self) -> None:
        failed = [replace(point, status="failed", values={}) for point in points(TINY)]
        for found in ([], failed):
            part = tables.section(found, Style.of(found))
            assert len(part.blocks) == 1
            assert "No point was measured to its end" in words(part)

    def test_a_failed_point_is_a_dash_with_its_reason(self) -> None:
        found = [
            replace(p, status="out_of_memory", reason="too large", values={}, intervals={})
            if p.length_s == 60
            else p
            for p in [*points(TINY), *points(BASE, lengths=(60.0,), batches=(1,))]
            if p.model != "whisper_base" or p.length_s == 60
        ]
        kept = points(WAV2VEC2, batches=(1,))
        table = made([*found, *kept])["latency-batch-1"]
        (tiny,) = [row for row in table.rows if row.cells[0].text == "whisper_tiny_en"]
        assert (tiny.cells[5].text, tiny.cells[5].note) == ("–", "out of memory: too large")
        assert tiny.cells[-1].text == "–"

    def test_natural_lengths_one_batch_and_no_energy_and_no_flops(self) -> None:
        bare = without(points(TINY, lengths=(None,), batches=(4,)), "energy/", "flops/")
        found = made(bare)
        assert set(found) == {"throughput", "wer-by-length", "stars"}
        assert column(found["stars"], "Energy") == ["–"]
        assert found["wer-by-length"].columns[2].heading == "natural"

    def test_audio_that_was_left_out_is_noted_where_speed_is(self) -> None:
        cut = [
            replace(p, cautions=(caution("TruncatedAudio", seconds=1.0),))
            for p in points(TINY, lengths=(60.0,), batches=(1,))
        ]
        said = "Part of the audio was not transcribed."
        for found, noted in ((cut, True), (points(TINY, lengths=(60.0,), batches=(1,)), False)):
            (latency,), (throughput,) = (
                made(found)[name].rows for name in ("latency-batch-1", "throughput")
            )
            assert [
                said in cell.note
                for cell in (latency.cells[2], throughput.cells[2], throughput.cells[4])
            ] == [noted] * 3

    def test_many_lengths_are_thinned_but_keep_the_ends(self) -> None:
        table = made(points(TINY, lengths=[float(n) for n in range(1, 31)], batches=(1,)))[
            "latency-batch-1"
        ]
        headings = [
            column.heading
            for column in table.columns
            if column.heading.endswith(" s") and column.unit
        ]
        assert len([h for h in headings if not h.startswith(("Study", "Ratio"))]) == 8
        assert (headings[0], headings[7]) == ("1 s", "30 s")

    def test_every_row_has_a_cell_for_every_column(self) -> None:
        for found in (
            points(TINY, GPU_TINY, WAV2VEC2),
            points(TINY, batches=(2,)),
            points(WAV2VEC2, lengths=(None,)),
        ):
            for table in made(found).values():
                assert {len(row.cells) for row in table.rows} == {len(table.columns)}
