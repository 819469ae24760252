"""The study's tables on made-up studies whose every cell can be computed by hand."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from studies import BASE, GPU_TINY, TINY, WAV2VEC2, Law, study

from asr_scaling.report import study as tables
from asr_scaling.report.document import Row, Table, Text
from asr_scaling.report.drawing import Style
from asr_scaling.report.grid import quotient
from asr_scaling.report.points import Point, named, to_point
from asr_scaling.report.stars import count
from asr_scaling.stats import Interval

ALL = (5.0, 15.0, 30.0, 60.0)


def points(
    *laws: Law, lengths: Sequence[float | None] = ALL, batches: Sequence[int] = (1, 16), noise: float = 0.0
) -> list[Point]:
    return named(map(to_point, study(laws, lengths, batches, noise=noise)))


def made(found: Sequence[Point]) -> dict[str, Table]:
    blocks = tables.section(found, Style.of(found)).blocks
    return {block.name: block for block in blocks if isinstance(block, Table)}


def cells(table: Table, heading: str) -> list[str]:
    """A column's texts; headings are of one column each where a test asks."""
    (at,) = [i for i, column in enumerate(table.columns) if column.heading == heading]
    return [row.cells[at].text for row in table.rows]


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
        assert [cell.text for cell in table.rows[0].cells[2:]] == ["400", "500", "650", "1,250", "1,046", "1.19"]
        assert table.rows[0].cells[-1].sort == pytest.approx(1.25 / 1.0463)
        assert any("first 30 s" in note for note in table.notes)

    def test_a_gpu_stands_beside_a_gpu(self) -> None:
        table = made(points(TINY, GPU_TINY))["latency-batch-1"]
        assert cells(table, "Device") == ["cpu", "cuda:0"]
        assert cells(table, "Study, 60 s") == ["1,046", "277"]

    def test_energy_of_the_same_cell(self) -> None:
        table = made(points(TINY))["energy-per-utterance"]
        (row,) = table.rows
        joules = 20 * (0.05 + 16 * 1.2) / 16
        assert figure(row, table, "Energy") == pytest.approx(joules)
        assert figure(row, table, "Ratio") == pytest.approx(joules / 4.8)
        assert cells(table, "Study's range") == ["4.7–9.1"]
        assert cells(table, "Range") == ["7.06–25.0"]  # 20 W · (0.05 + 16 · 0.35) s / 16, and 20 W · 1.25 s

    def test_another_cell_has_no_ratio(self) -> None:
        table = made(points(TINY, batches=(1, 8)))["energy-per-utterance"]
        assert cells(table, "Batch") == ["8"]
        assert cells(table, "Ratio") == ["–"]
        assert "Study" in [column.heading for column in table.columns]

    def test_throughput_with_its_batch_and_length(self) -> None:
        table = made(points(GPU_TINY))["throughput"]
        (row,) = table.rows
        most = 16 / (0.02 + 16 * 0.012)
        assert figure(row, table, "Most utterances") == pytest.approx(most)
        assert figure(row, table, "Ratio") == pytest.approx(most / 54.1)
        assert [cell.text for cell in row.cells if cell.text.startswith("batch")] == ["batch 16, 5 s", "batch 16, 60 s"]
        assert cells(made(points(GPU_TINY, lengths=(15.0,)))["throughput"], "Ratio") == ["–"]

    def test_wer_stands_beside_but_is_not_divided(self) -> None:
        table = made(points(TINY, WAV2VEC2))["wer-by-length"]
        assert cells(table, "15 s") == ["4.9 ± 1.5", "–"]
        assert cells(table, "Study, other speech") == ["36", "57"]
        assert table.rows[1].cells[2].note == "random weights"
        assert not any("Ratio" in column.heading for column in table.columns)

    def test_operations_by_the_studys_conventions(self) -> None:
        table = made(points(BASE, WAV2VEC2))["encoder-operations"]
        ratio = "Ratio"
        assert cells(table, "Audio") == ["one window of 30 s", "5 s", "15 s", "30 s", "60 s"]
        assert figure(table.rows[0], table, ratio) == pytest.approx(0.63 * 87.0 / 59.8)
        assert figure(table.rows[1], table, ratio) == pytest.approx(34.7 / 2 / 34.8)
        assert figure(table.rows[4], table, ratio) == pytest.approx(34.7 * 12 / 2 / 418.2)
        assert cells(table, ratio)[2:4] == ["–", "–"]
        steps = made(points(BASE, WAV2VEC2))["decoder-operations"]
        assert cells(steps, "System") == ["whisper_base"]
        assert figure(steps.rows[0], steps, ratio) == pytest.approx(87.0 / 900 / 0.038)

    def test_models_the_study_did_not_have_leave_its_columns_out(self) -> None:
        found = made(points(replace(TINY, model="parakeet"), replace(GPU_TINY, model="parakeet")))
        headings = {column.heading for table in found.values() for column in table.columns}
        assert not any("Study" in heading or "Ratio" in heading for heading in headings)
        blocks = tables.section(points(replace(TINY, model="parakeet")), Style(("parakeet",))).blocks
        assert isinstance(blocks[0], Text)
        assert "left out" in blocks[0].text

    def test_the_english_model_is_said_to_be_another(self) -> None:
        blocks = tables.section(points(TINY), Style(("whisper_tiny_en",))).blocks
        assert isinstance(blocks[0], Text)
        assert "English" in blocks[0].text
        assert "English" not in str(tables.section(points(BASE), Style(("whisper_base",))).blocks[0])


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
        found = [replace(p, host="elsewhere") if p.device != "cpu" else p for p in points(TINY, GPU_TINY)]
        assert "cpu-against-gpu" not in made(found)
        assert "cpu-against-gpu" not in made(points(TINY))

    def test_two_kinds_of_one_device_are_two_rows_that_name_the_hardware(self) -> None:
        other = [replace(point, hardware="Other CPU", ended_at=1.0) for point in points(TINY)]
        table = made([*points(TINY), *other])["latency-batch-1"]
        assert cells(table, "Device") == ["cpu: Other CPU, testbench", "cpu: Test CPU, 2 cores, testbench"]

    def test_batching_gain_to_16_or_the_largest(self) -> None:
        table = made(points(TINY, lengths=(15.0,), batches=(1, 2, 16, 32)))["batching-gain"]
        (row,) = table.rows
        assert cells(table, "Batches") == ["1 → 16"]
        assert figure(row, table, "Gain") == pytest.approx(0.5 * 16 / (0.05 + 16 * 0.45))
        assert figure(row, table, "Energy per utterance") == pytest.approx((0.05 + 16 * 0.45) / 16 / 0.5)
        assert cells(table, "Study, 1 → 16") == ["1.1–1.6 (all)"]
        smaller = made(points(TINY, lengths=(15.0,), batches=(1, 4)))["batching-gain"]
        assert cells(smaller, "Batches") == ["1 → 4"]
        assert cells(made(points(GPU_TINY, lengths=(15.0,)))["batching-gain"], "Study, 1 → 16") == ["6.6"]

    @given(st.floats(0.1, 1e3), st.floats(0.1, 1e3), st.floats(1e-3, 0.9), st.floats(1e-3, 0.9), st.floats(1e-3, 0.9))
    def test_an_intervals_quotient_is_between_that_of_either_and_the_worst_case(
        self, a: float, b: float, x: float, y: float, z: float
    ) -> None:
        top = _with(a, Interval(a * (1 - x), a * (1 + y)))
        bottom = _with(b, Interval(b * (1 - z), b * (1 + x)))
        found = quotient(top, bottom, "throughput/rtfx")
        low, high = (float(part.replace(",", "")) for part in found.note[len("95 % interval: ") : -1].split(" to "))
        assert found.sort == pytest.approx(a / b)
        slack = 1.01  # ends are written with three digits
        assert (1 - x) / (1 + x) / slack <= low * b / a <= min(1 - x, 1 / (1 + x)) * slack
        assert max(1 + y, 1 / (1 - z)) / slack <= high * b / a <= (1 + y) / (1 - z) * slack


class TestStars:
    @pytest.mark.parametrize(
        ("behind", "stars"), [(1, 5), (1.99, 5), (2, 4), (3.99, 4), (4, 3), (8, 2), (16, 1), (1e6, 1)]
    )
    def test_a_factor_of_two_costs_one(self, behind: float, stars: int) -> None:
        assert count(behind) == stars

    @given(st.floats(1, 1e9), st.floats(1, 8))
    def test_worse_never_has_more(self, behind: float, factor: float) -> None:
        assert 1 <= count(behind * factor) <= count(behind) <= 5
        assert count(behind) - count(behind * factor) <= math.ceil(math.log2(factor) + 1e-6)

    def test_each_is_measured_by_its_best_batch(self) -> None:
        table = made(points(TINY, BASE, WAV2VEC2))["stars"]
        # RTFx at 15 s and batch 16: 33.1, 17.3 and 9.0, so 1, 1.9 and 3.7 behind
        assert cells(table, "Speed") == ["★★★★★", "★★★★★", "★★★★☆"]
        assert cells(table, "Energy") == cells(table, "Speed")  # one power, so energy goes with time
        assert table.rows[0].cells[2].note.startswith("RTFx 33.1 at batch 16; 1.00 ×")


class TestPartialData:
    def test_nothing_measured_is_a_sentence(self) -> None:
        failed = [replace(point, status="failed", values={}) for point in points(TINY)]
        for found in ([], failed):
            (block,) = tables.section(found, Style.of(found)).blocks
            assert isinstance(block, Text)
            assert "No point was measured to its end" in block.text

    def test_a_failed_point_is_a_dash_with_its_reason(self) -> None:
        found = [
            replace(p, status="out_of_memory", reason="too large", values={}, intervals={}) if p.length_s == 60 else p
            for p in [*points(TINY), *points(BASE, lengths=(60.0,), batches=(1,))]
            if p.model != "whisper_base" or p.length_s == 60
        ]
        kept = points(WAV2VEC2, batches=(1,))
        table = made([*found, *kept])["latency-batch-1"]
        (tiny,) = [row for row in table.rows if row.cells[0].text == "whisper_tiny_en"]
        assert (tiny.cells[5].text, tiny.cells[5].note) == ("–", "out of memory: too large")
        assert tiny.cells[-1].text == "–"

    def test_natural_lengths_one_batch_and_no_energy_and_no_flops(self) -> None:
        bare = [_without(point, ("energy/", "flops/")) for point in points(TINY, lengths=(None,), batches=(4,))]
        found = made(bare)
        assert set(found) == {"throughput", "wer-by-length", "stars"}
        assert cells(found["stars"], "Energy") == ["–"]
        assert found["wer-by-length"].columns[2].heading == "natural"

    def test_many_lengths_are_thinned_but_keep_the_ends(self) -> None:
        table = made(points(TINY, lengths=[float(n) for n in range(1, 31)], batches=(1,)))["latency-batch-1"]
        headings = [column.heading for column in table.columns if column.heading.endswith(" s") and column.unit]
        assert len([h for h in headings if not h.startswith(("Study", "Ratio"))]) == 8
        assert (headings[0], headings[7]) == ("1 s", "30 s")

    def test_every_row_has_a_cell_for_every_column(self) -> None:
        for found in (points(TINY, GPU_TINY, WAV2VEC2), points(TINY, batches=(2,)), points(WAV2VEC2, lengths=(None,))):
            for table in made(found).values():
                assert {len(row.cells) for row in table.rows} == {len(table.columns)}


def _with(value: float, interval: Interval) -> Point:
    (point,) = points(TINY, lengths=(15.0,), batches=(1,))
    return replace(point, values={"throughput/rtfx": value}, intervals={"throughput/rtfx": interval})


def _without(point: Point, groups: Iterable[str]) -> Point:
    kept = {key: value for key, value in point.values.items() if not key.startswith(tuple(groups))}
    return replace(point, values=kept)
