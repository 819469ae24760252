"""The points of a sweep: their order, what tells them apart, and what they cost."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr_scaling.sweep import plan
from asr_scaling.sweep.plan import PlannedPoint

NAMES = st.sampled_from(
    ["model=a", "model=b", "engine.dtype=x", "batch.size=1", "batch.size=2", "dataset.length_s=5"]
)


def neighbours(jobs: Sequence[Sequence[str]]) -> list[list[str]]:
    return [list(point.overrides) for point in plan.by_system(map(PlannedPoint.of, jobs))]


def labels(jobs: Sequence[Sequence[str]]) -> tuple[str, ...]:
    return plan.labels([PlannedPoint.of(job) for job in jobs])


def weight(job: Sequence[str]) -> float:
    return PlannedPoint.of(job).weight


def test_points_of_one_system_are_side_by_side_lighter_ones_first():
    jobs = [
        [f"batch.size={size}", f"model={model}"] for size in (8, 1) for model in ("tiny", "base")
    ]
    assert neighbours(jobs) == [
        ["batch.size=1", "model=tiny"],
        ["batch.size=8", "model=tiny"],
        ["batch.size=1", "model=base"],
        ["batch.size=8", "model=base"],
    ]


def test_what_leaves_the_system_as_it_is_does_not_part_points():
    jobs = [
        ["model=a", "batch=max"],
        ["model=b"],
        ["model=a", "dataset=demo", "+pipeline.x=1", "profiler=[latency]"],
    ]
    assert neighbours(jobs) == [jobs[2], jobs[0], jobs[1]]


def test_the_engines_options_are_the_systems():
    jobs = [["engine.dtype=x"], ["engine.dtype=y"], ["engine.dtype=x", "batch.size=2"]]
    assert neighbours(jobs) == [jobs[0], jobs[2], jobs[1]]


def test_systems_that_keep_the_heap_come_last():
    jobs = [
        ["device.heap=keep"],
        ["optimisation=[int8,keep_heap]"],
        ["device.steady=true"],
        ["optimisation=[int8]"],
        ["model=keep_heap"],
        ["device.steady=false"],
    ]
    assert neighbours(jobs) == [*jobs[3:], *jobs[:3]]


@given(st.lists(st.lists(NAMES, unique=True)))
def test_no_point_is_lost_and_loading_happens_once_a_system(jobs: list[list[str]]):
    ordered = neighbours(jobs)
    assert sorted(ordered) == sorted(jobs)
    systems = [tuple(o for o in job if o.startswith(("model", "engine"))) for job in ordered]
    changes = sum(a != b for a, b in itertools.pairwise(systems))
    assert changes == max(0, len(set(systems)) - 1)


def test_labels_are_what_points_do_not_share():
    jobs = [["model=a", "batch.size=1", "seed=1"], ["model=a", "batch.size=2", "seed=1"]]
    assert labels(jobs) == ("batch.size=1", "batch.size=2")
    assert labels([["model=a"]]) == ("",)
    assert labels([]) == ()


def test_weights_follow_parameters_length_and_batch():
    one = weight(["model=whisper_tiny_en", "dataset.length_s=5", "batch.size=1"])
    assert weight(
        ["model=whisper_tiny_en", "dataset.length_s=30", "batch.size=8"]
    ) == pytest.approx(48 * one)
    assert weight(["model=whisper_base", "dataset.length_s=5", "batch.size=1"]) > 1.5 * one
    assert weight(["batch=max"]) > weight(["batch.size=16"])
    assert weight([]) == weight(["model=of_another_folder", "dataset.length_s=null"]) > 0
    for absurd in ("nan", "inf", "-1", "0"):
        assert weight([f"batch.size={absurd}"]) == weight([])


def test_what_hydra_can_not_parse_is_no_override():
    assert plan.parsed("batch.size=8").value() == 8
    for argument in ("", "-m", "-batch=3", "batch=[1"):
        assert plan.parsed(argument) is None
