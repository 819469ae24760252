"""A search whose points a launcher sends to machines of two kinds:
only those of one are its answers."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from support.benches import options
from support.studies import TINY, record

from asr_scaling.core.record import RunRecord
from asr_scaling.search.candidates import Candidate, Entry, Trial
from asr_scaling.search.outcome import Journal
from asr_scaling.search.speedup import gain
from asr_scaling.sweep.search_bench import SweepBench


def test_a_point_of_another_kind_than_the_first_is_no_answer(tmp_path: Path):
    nodes = iter([{"host": "n1"}, {"host": "n2"}, {"host": "n3", "cpu": "New CPU"}])

    launched: list[bool] = []

    def launch(overrides: Sequence[str], fresh: bool) -> None:
        launched.append(fresh)
        (place,) = (
            match[1]
            for each in overrides
            if (match := re.match(r"hydra.sweep.subdir='(.*)'", each))
        )
        one = record(TINY, 5.0, 1)
        folder = tmp_path / place
        folder.mkdir(parents=True)
        replace(one, environment={**one.environment, **next(nodes)}).write(folder)

    bench = SweepBench(tmp_path, [], options(), lambda _: None, launch, Journal())
    found = [
        bench.measure(Trial(Entry(Candidate("transformers", names), 1), "alone"))
        for names in ((), ("a",), ("b",))
    ]
    assert [each.status for each in found] == ["ok", "ok", "failed"]
    assert launched == [False, False, False]
    assert found[2].reason is not None
    assert (
        "another kind of machine than the first point (Test CPU, 2 cores, 16 GiB and New CPU,"
        in found[2].reason
    )


def test_two_hosts_of_one_kind_are_paired():
    def at(host: str) -> RunRecord:
        one = record(TINY, 5.0, 1, noise=0.01)
        return replace(one, environment={**one.environment, "host": host})

    assert gain(at("n1"), at("n2")).interval is not None


def test_finals_are_launched_into_fresh_processes(tmp_path: Path):
    wanted: list[tuple[bool, list[str]]] = []

    def launch(overrides: Sequence[str], fresh: bool) -> None:
        wanted.append((fresh, [each for each in overrides if "sweep." in each]))
        folder = tmp_path / "rounds" / "1" / "2_final_b1_transformers"
        folder.mkdir(parents=True)
        record(TINY, 5.0, 1).write(folder)

    bench = SweepBench(tmp_path, [], options(), lambda _: None, launch, Journal())
    bench.measure(Trial(Entry(Candidate("transformers", ()), 1), "final", 1))
    place = "hydra.sweep.subdir='rounds/1/2_final_b1_transformers'"
    assert wanted == [(True, ["+sweep.round=1", "sweep.processes=3", place])]
