"""What points are called: whatever differs tells them apart,
so that no table, law or front mixes two."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from support.reading import column, tables, words
from support.studies import BASE, GPU_TINY, MACHINE, TINY, Law, record, study

from asr_scaling.analysis.fits import Fit
from asr_scaling.analysis.laws import TIME, batch_laws, length_laws
from asr_scaling.analysis.points import Point, to_point
from asr_scaling.analysis.recommendation.scenarios import Budgets
from asr_scaling.analysis.size_laws import size_laws
from asr_scaling.analysis.system_names import named
from asr_scaling.core.energy_methods import GIVEN
from asr_scaling.core.record import RunRecord
from asr_scaling.report import pareto
from asr_scaling.report import recommendations as answer
from asr_scaling.report.output.drawing import Style
from asr_scaling.report.scaling import section as scaling
from asr_scaling.report.study import section as study_tables

CUDA = {"_target_": "asr_scaling.device.cuda.Cuda", "index": 0}


def configured(one: RunRecord, group: str, **options: Any) -> RunRecord:
    return replace(one, config={**one.config, group: {**one.config[group], **options}})


def unloaded(one: RunRecord) -> RunRecord:
    """As it is where the engine refused the model: neither a system nor a device is known."""
    config = {**one.config, "device": CUDA}
    return replace(
        one, status="failed", config=config, environment=MACHINE, system={}, samples=(), metrics=()
    )


def on(host: str, records: list[RunRecord], **facts: Any) -> list[RunRecord]:
    return [replace(one, environment={**one.environment, "host": host, **facts}) for one in records]


def points(*records: RunRecord) -> list[Point]:
    return named(map(to_point, records))


def systems(*records: RunRecord) -> list[str]:
    return [point.system for point in points(*records)]


class TestSystems:
    @pytest.mark.parametrize(
        ("group", "usual", "other", "name"),
        [
            ("engine", {"dtype": "float32"}, {"dtype": "bfloat16"}, "dtype=bfloat16"),
            ("device", {"threads": None}, {"threads": 1}, "device.threads=1"),
            ("device", {"threads": 1}, {"threads": None}, "device.threads=null"),
            ("dataset", {"condition": "clean"}, {"condition": "noisy"}, "dataset.condition=noisy"),
            ("model", {"path": None}, {"path": "/w"}, "model.path=/w"),
            ("model", {"revision": "main"}, {"revision": "v2"}, "model.revision=v2"),
            ("model", {}, {"revision": "v2"}, "model.revision=v2"),
        ],
    )
    def test_an_option_that_differs_is_in_the_name(
        self, group: str, usual: Mapping[str, Any], other: Mapping[str, Any], name: str
    ) -> None:
        one = record(TINY, 5.0, 1)
        found = [configured(one, group, **options) for options in (usual, usual, other)]
        assert systems(*found) == [
            "whisper_tiny_en",
            "whisper_tiny_en",
            f"whisper_tiny_en · {name}",
        ]

    def test_what_has_a_column_of_its_own_is_not(self) -> None:
        short, long = record(TINY, 5.0, 1), record(TINY, 15.0, 4)
        assert set(systems(short, long)) == {"whisper_tiny_en"}

    @pytest.mark.parametrize(
        ("group", "option"),
        [
            ("dataset", "seed"),
            ("engine", "seed"),
            ("pipeline", "max_seconds"),
            ("model", "weights"),
        ],
    )
    def test_what_shapes_no_system_is_told_where_nothing_else_differs(
        self, group: str, option: str
    ) -> None:
        one = record(TINY, 5.0, 1)
        one = replace(one, config={**one.config, "pipeline": {}})
        first, second = (configured(one, group, **{option: value}) for value in (1, 2))
        name = f"whisper_tiny_en · {group}.{option}=2"
        assert systems(first, second, first) == ["whisper_tiny_en", name, "whisper_tiny_en"]
        longer = replace(record(TINY, 15.0, 1), config={**second.config, "dataset": {}})
        assert set(systems(first, replace(longer, config={**longer.config}))) == {"whisper_tiny_en"}

    def test_as_few_options_as_tell_points_apart(self) -> None:
        one = record(TINY, 5.0, 1)
        both = {"utterances": 4, "max_seconds": 1, "warmup": 0}
        other = replace(one, config={**one.config, "pipeline": both})
        (name,) = {each for each in systems(one, one, other) if each != "whisper_tiny_en"}
        assert name.count("=") == 1

    def test_what_a_sweep_varied_is_in_every_name(self) -> None:
        one = configured(record(TINY, 5.0, 1), "engine", fixed_s=0.01)
        found = [configured(one, "engine", fixed_s=value) for value in (0.01, 0.03)]
        swept = [
            replace(each, config={**each.config, "hydra": {"swept": {"engine.fixed_s": text}}})
            for each, text in zip(found, ("0.01", "0.03"), strict=True)
        ]
        assert systems(*swept) == [
            "whisper_tiny_en · fixed_s=0.01",
            "whisper_tiny_en · fixed_s=0.03",
        ]
        assert systems(swept[0], swept[0]) == ["whisper_tiny_en"] * 2

    def test_optimisations_are_part_of_the_name_and_so_are_their_options_where_they_differ(
        self,
    ) -> None:
        one = record(TINY, 5.0, 1)
        window = {
            "_target_": "asr_scaling.optimisation.dynamic_window.DynamicWindow",
            "margin_s": 2.0,
        }
        short = replace(
            one, config={**one.config, "optimisation": {"bf16": {}, "dynamic_window": window}}
        )
        shorter = replace(
            one,
            config={
                **one.config,
                "optimisation": {"bf16": {}, "dynamic_window": window | {"margin_s": 1.0}},
            },
        )
        name = "whisper_tiny_en · bf16 + dynamic_window"
        assert systems(one, short, short, shorter) == [
            "whisper_tiny_en", name, name, f"{name} · optimisation.dynamic_window.margin_s=1.0"
        ]  # fmt: skip

    def test_options_are_compared_among_those_that_have_them(self) -> None:
        cpu = configured(record(TINY, 5.0, 1), "device", threads=None, pinned=False)
        gpu = configured(record(GPU_TINY, 5.0, 1), "device", **CUDA, tf32=False)
        assert systems(cpu, cpu, gpu) == ["whisper_tiny_en"] * 3

    def test_datasets_are_told_apart_by_name_and_their_options_left_alone(self) -> None:
        one = record(TINY, 5.0, 1)
        other = configured(
            replace(one, dataset={**one.dataset, "name": "other", "digest": "o"}),
            "dataset",
            split="test",
        )
        assert (
            systems(one, one, other, other)
            == ["whisper_tiny_en"] * 2 + ["whisper_tiny_en · dataset=other"] * 2
        )

    def test_a_point_that_failed_before_its_system_was_there_belongs_to_it(self) -> None:
        good = record(GPU_TINY, 5.0, 1)
        _, failed = points(good, unloaded(record(GPU_TINY, 5.0, 4)))
        assert (failed.system, failed.engine) == ("whisper_tiny_en", "transformers")
        assert (failed.device, failed.hardware) == ("cuda:0", "Test GPU")
        (alone,) = points(unloaded(good))
        assert (alone.device, alone.hardware) == ("cuda:0", "unknown GPU")

    def test_a_batch_that_was_never_known_is_no_key(self) -> None:
        largest = {"_target_": "asr_scaling.batch.max.Max", "limit": 1024}
        one = record(TINY, 5.0, 1)
        (point,) = points(
            replace(one, status="failed", config={**one.config, "batch": largest}, samples=())
        )
        assert point.batch == 0
        assert point.keys == {"model": "whisper_tiny_en", "device": "cpu", "length": "5 s"}


class TestDevices:
    def test_one_machine_needs_no_more_than_the_name(self) -> None:
        assert {point.device for point in points(*study((TINY, GPU_TINY), (5.0,), (1,)))} == {
            "cpu",
            "cuda:0",
        }

    def test_hardware_and_then_the_host_tell_devices_of_one_name_apart(self) -> None:
        one = [record(TINY, 5.0, 1)]
        two = points(*one, *on("testbench", one, cpu="Other CPU"), record(GPU_TINY, 5.0, 1))
        assert [point.device for point in two] == [
            "cpu (Test CPU, 2 cores)",
            "cpu (Other CPU, 2 cores)",
            "cuda:0",
        ]
        three = points(*one, *on("b", one), *on("c", one, cpu="Other CPU"), *on("", one))
        assert [point.device for point in three] == [
            "cpu (Test CPU, 2 cores, testbench)",
            "cpu (Test CPU, 2 cores, b)",
            "cpu (Other CPU, 2 cores)",
            "cpu (Test CPU, 2 cores, unknown host)",
        ]
        assert [point.keys["device"] for point in three] == [point.device for point in three]

    def test_naming_twice_changes_nothing(self) -> None:
        one = [record(TINY, 5.0, 1)]
        found = points(*one, *on("b", one))
        assert [point.device for point in named(found)] == [point.device for point in found]


@pytest.fixture(scope="module")
def found() -> list[Point]:
    """The same sweep on two machines of one kind, the second twice as slow."""
    here, there = (
        study([_scaled(law, factor) for law in (TINY, BASE)], batches=(1, 4))
        for factor in (1.0, 2.0)
    )
    return points(*here, *on("slow", there))


class TestTwoHosts:
    HERE, THERE = "cpu (Test CPU, 2 cores, testbench)", "cpu (Test CPU, 2 cores, slow)"

    def test_two_laws(self, found: list[Point]) -> None:
        laws = {(law.system, law.device): law for law in length_laws(found, TIME) if law.batch == 1}
        assert set(laws) == {
            (model, at) for model in (TINY.model, BASE.model) for at in (self.HERE, self.THERE)
        }
        for at, factor in ((self.HERE, 1.0), (self.THERE, 2.0)):
            law = laws[TINY.model, at]
            assert isinstance(law.fit, Fit)
            assert law.fit.coefficients == pytest.approx((0.30 * factor, 0.010 * factor))
            assert len(law.points) == 4
        assert {law.device for law in batch_laws(found)} == {law.device for law in size_laws(found)}
        assert {law.device for law in size_laws(found)} == {self.HERE, self.THERE}
        assert all(len(law.points) == 2 for law in size_laws(found))

    def test_two_fronts(self, found: list[Point]) -> None:
        table = tables(pareto.section(found, Style.of(found)))["pareto-members"]
        latency = [row.cells[1].text for row in table.rows if row.cells[0].text == "latency"]
        assert sorted(latency) == sorted([self.HERE, self.THERE] * 2)

    def test_a_row_each(self, found: list[Point]) -> None:
        style = Style.of(found)
        costs = tables(answer.section(found, Budgets(), style))["minute-of-audio"]
        latency = tables(study_tables.section(found, style))["latency-batch-1"]
        for table in (costs, latency):
            assert sorted(column(table, "Device")) == sorted([self.HERE, self.THERE] * 2)
        assert [cell.text for cell in latency.rows[0].cells[2:6]] == [
            "700",
            "900",
            "1,200",
            "2,400",
        ]


class TestSeveralDatasets:
    LAWS = "The speech is of several datasets (other, speech): figures of different ones can't"
    FRONTS = "Ranked are the points on speech: figures of different speech can't be compared."

    def test_laws_and_fronts_say_so(self) -> None:
        records = study((TINY, BASE), (5.0, 15.0), (1,))
        named = {"name": "other", "digest": "o"}
        other = [replace(one, dataset=one.dataset | named) for one in records[:2]]
        both, one = points(*records, *other), points(*records)
        for section, said in ((scaling.section, self.LAWS), (pareto.section, self.FRONTS)):
            assert said in words(section(both, Style.of(both)))
            assert said not in words(section(one, Style.of(one)))


def test_how_joules_were_had() -> None:
    (point,) = points(record(TINY, 5.0, 1))
    assert (point.energy_method, point.estimated) == (GIVEN, True)
    bare = replace(point, tags={})
    assert (bare.energy_method, bare.estimated) == ("unknown", False)


def _scaled(law: Law, factor: float) -> Law:
    """``factor`` times as slow, its calls without a cost of their own."""
    return replace(
        law, call_s=0.0, window_cost_s=factor * law.window_cost_s, per_s=factor * law.per_s
    )
