"""Two kinds of machines in one report:
told apart everywhere, and no ratio, law or star from both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from support.reading import column, figures, row, tables, words
from support.studies import BASE, GPU_TINY, MACHINE, TINY, Law, record, study

from asr_scaling.analysis.bottlenecks.batch_pairs import batch_pairs
from asr_scaling.analysis.caveats import kinds_of
from asr_scaling.analysis.fits import Fit
from asr_scaling.analysis.gain_over_plain import gains_over_plain
from asr_scaling.analysis.laws import TIME, batch_laws, length_laws
from asr_scaling.analysis.memory_laws import memory_laws
from asr_scaling.analysis.points import Point, to_point
from asr_scaling.analysis.recommendation.paired_comparison import compare_points
from asr_scaling.analysis.recommendation.scenarios import Budgets, recommend
from asr_scaling.analysis.size_laws import size_laws
from asr_scaling.analysis.system_names import named
from asr_scaling.core.record import RunRecord
from asr_scaling.machine.environment import certified, environment
from asr_scaling.machine.machine_kind import gpu_name, machine_kind, memory_class, unlike
from asr_scaling.records.merge import merge
from asr_scaling.report import gains as gains_section
from asr_scaling.report import recommendations as answer
from asr_scaling.report.build import all_points
from asr_scaling.report.output.drawing import Style
from asr_scaling.report.pareto import section as pareto
from asr_scaling.report.scaling import section as scaling
from asr_scaling.report.study import section as study_tables
from asr_scaling.report.terminal import points_table

GIB = 2**30
BIG = {"memory_bytes": 250 * GIB}
"""Another kind of machine: the same processor and number of cores, sixteen times the memory."""


def on(records: Sequence[RunRecord], **facts: Any) -> list[RunRecord]:
    return [replace(one, environment={**one.environment, **facts}) for one in records]


def points(*records: RunRecord) -> list[Point]:
    return named(map(to_point, records))


def slower(law: Law, factor: float = 2.0) -> Law:
    return replace(
        law,
        call_s=factor * law.call_s,
        window_cost_s=factor * law.window_cost_s,
        per_s=factor * law.per_s,
    )


def int8(one: RunRecord) -> RunRecord:
    return replace(one, config={**one.config, "optimisation": {"int8": {}}})


class TestKind:
    @pytest.mark.parametrize(
        ("gib", "name"),
        [
            (15.4, "16 GiB"),
            (15.6, "16 GiB"),
            (23.4, "24 GiB"),
            (62.7, "64 GiB"),
            (1007.0, "1024 GiB"),
        ],
    )
    def test_memory_is_the_size_that_was_built_in(self, gib: float, name: str) -> None:
        assert memory_class({"memory_bytes": int(gib * GIB)}) == name

    @pytest.mark.parametrize("count", [None, 0, -1, "16", float("nan"), float("inf")])
    def test_memory_that_is_not_known(self, count: Any) -> None:
        assert machine_kind({**MACHINE, "memory_bytes": count}) == "Test CPU, 2 cores"

    @pytest.mark.parametrize(
        ("facts", "said"),
        [
            ({"host": "other"}, ""),
            ({"memory_bytes": MACHINE["memory_bytes"] - 12_345_678}, ""),
            ({"cpu": "New CPU"}, "Test CPU, 2 cores, 16 GiB and New CPU, 2 cores, 16 GiB"),
            ({"cpu_cores": 4}, "Test CPU, 2 cores, 16 GiB and Test CPU, 4 cores, 16 GiB"),
            (BIG, "Test CPU, 2 cores, 16 GiB and Test CPU, 2 cores, 256 GiB"),
            ({"device": {"gpu": "A100"}}, "H100 and A100"),
            ({"device": {"kind": "cpu"}}, ""),
        ],
    )
    def test_two_kinds_and_one(self, facts: dict[str, Any], said: str) -> None:
        gpu = {**MACHINE, "device": {"gpu": "H100"}}
        assert unlike(gpu, {**gpu, **facts}) == said
        assert gpu_name(gpu) == "H100"
        assert gpu_name(MACHINE) is None


@pytest.fixture(scope="module")
def mixed() -> list[Point]:
    """One sweep on two kinds of machine that have one host name and one processor,
    the second twice as slow."""
    laws = (TINY, BASE)
    return points(
        *study(laws, batches=(1, 4)),
        *on(study([slower(law) for law in laws], batches=(1, 4)), **BIG),
    )


class TestTwoKinds:
    SMALL, BIG = "cpu (Test CPU, 2 cores, 16 GiB)", "cpu (Test CPU, 2 cores, 256 GiB)"
    SAID = (
        "The points are of 2 kinds of machine (Test CPU, 2 cores, 16 GiB; "
        "Test CPU, 2 cores, 256 GiB)"
    )

    def test_their_devices_have_two_names(self, mixed: list[Point]) -> None:
        assert {point.device for point in mixed} == {self.SMALL, self.BIG}
        assert [len(those) for those in kinds_of(mixed).values()] == [16, 16]

    def test_a_gpu_in_two_kinds_of_machine(self) -> None:
        gpu = [record(GPU_TINY, 5.0, 1)]
        assert [point.device for point in points(*gpu, *on(gpu, cpu="New CPU"))] == [
            "cuda:0 (Test GPU, Test CPU, 2 cores, 16 GiB)",
            "cuda:0 (Test GPU, New CPU, 2 cores, 16 GiB)",
        ]

    def test_a_law_each(self, mixed: list[Point]) -> None:
        laws = {(law.system, law.device): law for law in length_laws(mixed, TIME) if law.batch == 1}
        fits = [laws[TINY.model, device].fit for device in (self.SMALL, self.BIG)]
        assert all(isinstance(fit, Fit) for fit in fits)
        assert fits[1].coefficients == pytest.approx([2 * c for c in fits[0].coefficients])
        for found in (batch_laws(mixed), size_laws(mixed)):
            assert {len({point.machine for point in law.points}) for law in found} == {1}
        assert len(memory_laws(mixed)) == 2 * 2 * 4

    def test_fronts_tables_and_pairs_are_of_one_kind(self, mixed: list[Point]) -> None:
        style = Style.of(mixed)
        assert set(column(tables(pareto(mixed, style))["pareto-members"], "device")) == {
            self.SMALL,
            self.BIG,
        }
        assert {
            len({p.machine for p in pair.points}) for pair in batch_pairs(mixed, style.systems)
        } == {1}
        latency = tables(study_tables.section(mixed, style))["latency-batch-1"]
        assert sorted(column(latency, "Device")) == sorted([self.SMALL, self.BIG] * 2)

    def test_stars_are_by_the_best_of_the_same_kind(self, mixed: list[Point]) -> None:
        table = tables(study_tables.section(mixed, Style.of(mixed)))["stars"]
        speed = {
            device: row(table, (TINY.model, device))["Speed"].text
            for device in (self.SMALL, self.BIG)
        }
        assert speed == dict.fromkeys((self.SMALL, self.BIG), "★★★★★")

    def test_it_is_said(self, mixed: list[Point]) -> None:
        style = Style.of(mixed)
        for section in (scaling.section(mixed, style), answer.section(mixed, Budgets(), style)):
            assert self.SAID in words(section)
        (table,) = tables(all_points(mixed)).values()
        assert any(note.startswith(self.SAID) for note in table.notes)
        one = points(*study((TINY,), (5.0,), (1,)), *study((GPU_TINY,), (5.0,), (1,)))
        assert "kinds of machine" not in words(answer.section(one, Budgets(), Style.of(one)))

    def test_no_winner_is_compared_with_another_kind(self) -> None:
        fast, slow = points(record(TINY, 5.0, 1), *on([record(slower(TINY), 5.0, 1)], **BIG))
        assert "differ in machine (memory 256 GiB and 16 GiB" in str(
            compare_points(fast, slow).outcome
        )
        (throughput,) = (
            each for each in recommend([fast, slow], Budgets()) if each.scenario == "Throughput"
        )
        assert throughput.winner is fast
        assert throughput.verdict.endswith("not compared")
        assert "can't be compared" in throughput.provisional

    def test_the_runner_up_is_of_the_winners_kind_where_there_is_one(self) -> None:
        here = [record(law, 5.0, 1) for law in (TINY, slower(replace(BASE, wer=TINY.wer), 3.0))]
        found = points(*here, *on([record(slower(TINY, 1.1), 5.0, 1)], **BIG))
        (throughput,) = (
            each for each in recommend(found, Budgets()) if each.scenario == "Throughput"
        )
        assert (throughput.winner, throughput.runner_up) == (found[0], found[1])

    def test_one_price_is_not_that_of_two_kinds(self, mixed: list[Point]) -> None:
        priced = answer.section(mixed, Budgets(price_per_hour=3.0), Style.of(mixed))
        assert "no price is shown" in words(priced)
        assert "a price of" not in words(priced)
        assert "Price" not in {each.heading for each in tables(priced)["minute-of-audio"].columns}
        one = [point for point in mixed if point.device == self.SMALL]
        assert "a price of" in words(
            answer.section(one, Budgets(price_per_hour=3.0), Style.of(one))
        )

    def test_gains_are_against_the_plain_point_of_the_same_kind(self) -> None:
        plain, better = record(TINY, 5.0, 1), int8(record(slower(TINY, 0.5), 5.0, 1))
        assert gains_over_plain(points(plain, *on([better], **BIG))) == []
        assert len(gains_over_plain(points(plain, better))) == 1
        both = points(plain, better, *on([record(slower(TINY), 5.0, 1), better], **BIG))
        assert [gain.plain.machine == gain.point.machine for gain in gains_over_plain(both)] == [
            True,
            True,
        ]
        (section,) = gains_section.sections(both)
        assert f"{TINY.model} on {self.SMALL}** gained" in words(section)
        assert f"{TINY.model} on {self.BIG}** gained" in words(section)
        titles = [axes.get_title(loc="left") for axes in figures(section)["gains"].drawing.axes]
        assert len(set(titles)) == 2

    def test_the_terminals_table_names_machines_and_hosts(self) -> None:
        one = record(TINY, 5.0, 1)
        assert self._printed([one, one]) == (False, False)
        assert self._printed([one, *on([one], **BIG)]) == (True, False)
        assert self._printed([one, *on([one], host="b")]) == (False, True)
        gpus = on([record(GPU_TINY, 5.0, 1)], device={"gpu": "A100"})
        assert self._printed([record(GPU_TINY, 5.0, 1), *gpus]) == (True, False)

    @staticmethod
    def _printed(records: Sequence[RunRecord]) -> tuple[bool, bool]:
        _, table = points_table(records)
        headings = {column.header for column in table.columns}
        return "machine" in headings, "host" in headings


class TestOneKind:
    """Two nodes of one kind that shared a sweep."""

    @pytest.fixture
    def shared(self) -> list[Point]:
        records = study((TINY, BASE), (5.0, 15.0, 30.0), (1, 4))
        half = len(records) // 2
        return points(*on(records[:half], host="n1"), *on(records[half:], host="n2"))

    def test_are_one_device_with_one_law_for_all(self, shared: list[Point]) -> None:
        assert {point.device for point in shared} == {"cpu"}
        (law,) = (
            law
            for law in size_laws(shared)
            if law.cost.name == "time" and law.measure.name == "parameters" and law.length_s == 5.0
        )
        assert {point.host for point in law.points} == {"n1", "n2"}

    def test_are_named(self, shared: list[Point]) -> None:
        said = "cpu is 2 hosts of one kind (n1, n2), each of which measured a part of the points"
        (table,) = tables(all_points(shared)).values()
        assert sorted(set(column(table, "Host"))) == ["n1", "n2"]
        assert any(said in note for note in table.notes)
        style = Style.of(shared)
        for section in (
            scaling.section(shared, style),
            pareto(shared, style),
            answer.section(shared, Budgets(), style),
        ):
            assert said in words(section)

    def test_a_ratio_of_two_of_them_says_so(self) -> None:
        here, there = points(record(TINY, 5.0, 1), *on([record(slower(BASE), 5.0, 1)], host="n2"))
        found = compare_points(here, there)
        assert (
            found.row("throughput/rtfx").qualifier == "on two hosts of one kind, testbench and n2"
        )
        assert found.row("throughput/rtfx").verdict == "faster"

    def test_the_plain_point_of_the_same_host_is_preferred(self) -> None:
        better = int8(record(slower(TINY, 0.5), 5.0, 1))
        later = replace(record(TINY, 5.0, 1), started_at=better.started_at + 1e6)
        (gain,) = gains_over_plain(points(better, later, *on([record(TINY, 5.0, 1)], host="n2")))
        assert gain.plain.host == gain.point.host == "testbench"

    def test_are_told_apart_where_both_measured_the_same(self) -> None:
        one = [record(TINY, 5.0, 1)]
        assert [point.device for point in points(*one, *on(one, host="n2"))] == [
            "cpu (Test CPU, 2 cores, testbench)", "cpu (Test CPU, 2 cores, n2)",
        ]  # fmt: skip


class TestRounds:
    """Rounds of one point that a launcher sent to two kinds of machine."""

    @staticmethod
    def rounds(*facts: dict[str, Any]) -> RunRecord:
        made = []
        for number, each in enumerate(facts):
            one = record(slower(TINY) if "memory_bytes" in each else TINY, 5.0, 1)
            sweep = {"interleave": True, "rounds": len(facts), "round": number}
            heard = () if number else one.transcripts
            made += on(
                [replace(one, config={**one.config, "sweep": sweep}, transcripts=heard)], **each
            )
        return merge(made)

    def test_those_of_another_kind_are_left_out_and_said(self) -> None:
        found = self.rounds({}, BIG, BIG)
        assert found.values["latency/mean_s"] == pytest.approx(
            record(TINY, 5.0, 1).values["latency/mean_s"]
        )
        assert machine_kind(found.environment) == machine_kind(MACHINE)
        (caution,) = (each for each in found.cautions if each.kind == "RoundsElsewhere")
        assert caution.message == (
            "2 of this point's measurements ran on another kind of machine "
            "(Test CPU, 2 cores, 16 GiB and Test CPU, 2 cores, "
            "256 GiB) and are left out."
        )
        assert "RoundsMissing" in {each.kind for each in found.cautions}

    def test_hosts_of_one_kind_are_merged_and_named(self) -> None:
        found = self.rounds({"host": "n1"}, {"host": "n2"}, {"host": "n1"})
        assert found.environment["host"] == "n1 + n2"
        assert len(found.samples) == 24
        assert "RoundsElsewhere" not in {each.kind for each in found.cautions}


def test_a_certificate_is_of_its_own_host_only() -> None:
    own = {"status": "pass", "at": "x", "host": environment()["host"]}
    assert certified(own)["certificate"] == own
    assert "certificate" not in certified({**own, "host": "login node"})
