"""A model stays loaded between neighbouring points, and only where that changes no measurement."""

from __future__ import annotations

from typing import Any

from support.fakes import FakeClock, FakeDevice, ScriptedEngine, ScriptedSystem, make_job, make_spec

from asr_scaling.core.model_spec import ModelSpec
from asr_scaling.errors import OutOfMemoryError
from asr_scaling.measure.job import run
from asr_scaling.measure.model_cache import ModelCache
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
