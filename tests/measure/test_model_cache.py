"""A model stays loaded between neighbouring points, and only where that changes no measurement."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from support.fakes import (
    FakeClock,
    FakeDataset,
    FakeDevice,
    ScriptedEngine,
    ScriptedSystem,
    brief,
    make_job,
    make_spec,
)

from asr_scaling.core.model_spec import ModelSpec
from asr_scaling.core.workload import Workload
from asr_scaling.errors import OutOfMemoryError
from asr_scaling.measure.job import run
from asr_scaling.measure.model_cache import Loaded, ModelCache
from asr_scaling.profiler.latency import Latency
from asr_scaling.profiler.memory import Memory


class Loading(ScriptedEngine):
    """Writes down what it loads; its calls take a second."""

    def __init__(self, clock: FakeClock, error: Exception | None = None, **facts: Any) -> None:
        self.clock, self.error, self.facts = clock, error, facts
        self.loaded: list[tuple[str, ScriptedSystem]] = []

    def load(self, model: ModelSpec, device: Any) -> ScriptedSystem:
        def call(*_: Any) -> None:
            if self.error:
                raise self.error
            self.clock.sleep(1)

        self.loaded.append((model.name, ScriptedSystem(call, **self.facts)))
        return self.loaded[-1][1]


def points(
    *models: str, cache: ModelCache | None, error: Exception | None = None, **facts: Any
) -> tuple[Any, ...]:
    """The engine and the records of one point a model."""
    clock = FakeClock()
    engine, device = Loading(clock, error, **facts), FakeDevice(clock)
    profiler = {"latency": Latency(), "memory": Memory()}
    jobs = [
        make_job(clock, engine=None, model=make_spec(name=name), device=device, profiler=profiler)
        for name in models
    ]
    for job in jobs:
        object.__setattr__(job.system, "engine", engine)
    return engine, [run(job, cache=cache) for job in jobs]


def test_equal_systems_are_loaded_once():
    engine, records = points("a", "a", "a", cache=ModelCache())
    assert [name for name, _ in engine.loaded] == ["a"]
    assert engine.loaded[0][1].closed == 0
    assert [record.status for record in records] == ["ok"] * 3
    assert {record.values["latency/mean_s"] for record in records} == {1.0}


def test_another_model_takes_the_place():
    engine, _ = points("a", "b", "a", cache=ModelCache())
    assert [name for name, _ in engine.loaded] == ["a", "b", "a"]
    assert [system.closed for _, system in engine.loaded] == [1, 1, 0]


class Memory10(Loading):
    """Each loaded system takes 3 of 10 bytes until it is closed."""

    def free(self) -> int:
        return 10 - 3 * sum(not system.closed for _, system in self.loaded)

    def visited(self, names: str, cache: ModelCache) -> dict[str, list[int]]:
        """How often each system of a model was closed, after points of these models in turn."""
        device = FakeDevice(self.clock)
        for name in names:
            spec = make_job(model=make_spec(name=name), device=device).system
            spec = replace(spec, engine=self)
            assert cache.put(cache.take(spec) or Loaded(spec, self.load(spec.model, None)))
        closed: dict[str, list[int]] = {}
        for name, system in self.loaded:
            closed.setdefault(name, []).append(system.closed)
        return closed


def test_where_memory_allows_several_stay_loaded():
    engine = Memory10(FakeClock())
    assert engine.visited("abab", ModelCache(4, engine.free)) == {"a": [0], "b": [0]}


def test_the_least_recently_used_is_closed_for_memory():
    engine = Memory10(FakeClock())
    closed = engine.visited("abac", ModelCache(4, engine.free))
    assert closed == {"a": [0], "b": [1], "c": [0]}


def test_what_has_no_room_is_held_alone():
    engine = Memory10(FakeClock())
    assert engine.visited("aba", ModelCache(99, engine.free)) == {"a": [1, 0], "b": [1]}


def test_one_at_a_time_where_the_device_has_memory_of_its_own():
    cache, clock = ModelCache(0, lambda: 99), FakeClock()
    engine = Loading(clock)
    for name in "ab":
        spec = make_job(model=make_spec(name=name), device=FakeDevice(clock, peak=1)).system
        spec = replace(spec, engine=engine)
        assert cache.put(cache.take(spec) or Loaded(spec, engine.load(spec.model, None)))
    assert [system.closed for _, system in engine.loaded] == [1, 0]


def test_speech_is_read_once_where_several_stay_loaded():
    def read(cache: ModelCache) -> int:
        loads: list[int | None] = []

        @dataclass
        class Counted(FakeDataset):
            def load(self, limit: int | None) -> Workload:
                loads.append(limit)
                return super().load(limit)

        for most in (2, 2, 1, 2):
            cache.speech(Counted(), brief(utterances=most))
        return len(loads)

    assert read(ModelCache(spare_bytes=0)) == 2
    assert read(ModelCache()) == 4


def test_clearing_closes_what_is_held():
    cache = ModelCache()
    engine, _ = points("a", cache=cache)
    cache.clear()
    cache.clear()
    assert engine.loaded[0][1].closed == 1


def test_without_a_cache_every_point_loads_and_closes():
    engine, _ = points("a", "a", cache=None)
    assert [system.closed for _, system in engine.loaded] == [1, 1]


def test_the_first_call_of_a_kept_system_is_withheld_with_the_reason():
    first, second = points("a", "a", cache=ModelCache())[1]
    name = "startup/first_call_s"
    assert name in first.values
    assert name not in second.values
    assert "stayed loaded" in second.unavailable[name]
    assert "sweep.keep_loaded=false" in second.unavailable[name]


def test_a_point_that_fails_leaves_nothing_behind():
    engine, records = points("a", "a", cache=ModelCache(), error=OutOfMemoryError("too large"))
    assert [record.status for record in records] == ["out_of_memory"] * 2
    assert [system.closed for _, system in engine.loaded] == [1, 1]


def test_what_compiles_is_not_kept():
    engine, _ = points("a", "a", cache=ModelCache(), compile_s=0.5)
    assert [system.closed for _, system in engine.loaded] == [1, 1]
