"""A search's trials as points: how they are launched, what the search learns of their records,
and which machines' are its answers."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from support.benches import options
from support.every_option import composed
from support.studies import TINY, record

from asr_scaling.core.record import RunRecord
from asr_scaling.measure.pipeline import Pipeline
from asr_scaling.search.candidates import Candidate, Entry, Stage, Trial
from asr_scaling.search.outcome import Journal
from asr_scaling.search.speedup import gain
from asr_scaling.sweep.search_bench import SweepBench, observed
from asr_scaling.sweep.search_launches import Launches
from asr_scaling.sweep.search_points import SearchPoints
from asr_scaling.sweep.search_systems import SearchSystems

PROFILERS = ("latency", "memory", "quality")
NAMES = ("bucketing", "dynamic_window", "int8", "keep_heap", "one_thread", "pinned_threads")


def entry(*names: str, batch: int = 1, engine: str = "transformers") -> Entry:
    return Entry(Candidate(engine, names), batch)


def points(*given: str, **changed: Any) -> SearchPoints:
    parsed = OverridesParser.create().parse_overrides(list(given))
    return SearchPoints(parsed, options(optimisations=NAMES, **changed), PROFILERS)


def systems(*given: str) -> SearchSystems:
    made = points("model=whisper_tiny_en", "device=cpu", *given)
    return SearchSystems(lambda engine: composed(*made.with_everything(engine)))


class Launched:
    """Writes the next of ``records`` where a point was launched to."""

    def __init__(self, folder: Path, *records: RunRecord) -> None:
        self.folder, self.records = folder, iter(records)
        self.fresh: list[bool] = []
        self.overrides: list[Sequence[str]] = []

    def __call__(self, overrides: Sequence[str], fresh: bool) -> None:
        self.fresh.append(fresh)
        self.overrides.append(overrides)
        places = (re.match(r"hydra.sweep.subdir='(.*)'", each) for each in overrides)
        (place,) = (match[1] for match in places if match)
        (self.folder / place).mkdir(parents=True, exist_ok=True)
        next(self.records).write(self.folder / place)


def bench(
    folder: Path, launch: Callable[[Sequence[str], bool], None], journal: Journal | None = None
) -> SweepBench:
    return SweepBench(Launches(folder, launch), points(), systems(), journal or Journal())


def elsewhere(**changed: Any) -> RunRecord:
    one = record(TINY, 5.0, 1)
    return replace(one, environment={**one.environment, **changed})


def test_a_point_of_another_kind_than_the_first_is_no_answer(tmp_path: Path):
    nodes = ({"host": "n1"}, {"host": "n2"}, {"host": "n3", "cpu": "New CPU"})
    launch = Launched(tmp_path, *(elsewhere(**node) for node in nodes))
    search = bench(tmp_path, launch)
    trials = [Trial(entry(*names), "search") for names in ((), ("int8",), ("one_thread",))]
    first, second, third = map(search.measure, trials)
    assert (first.problem, second.problem) == ("", "")
    assert (
        "another kind of machine than the first point (Test CPU, 2 cores, 16 GiB and New CPU,"
        in third.problem
    )
    assert search.gain(trials[0].entry, trials[1].entry, "search") is not None
    assert search.gain(trials[0].entry, trials[2].entry, "search") is None


def test_two_hosts_of_one_kind_are_paired():
    def at(host: str) -> RunRecord:
        one = record(TINY, 5.0, 1, noise=0.01)
        return replace(one, environment={**one.environment, "host": host})

    assert gain(at("n1"), at("n2")).interval is not None


def test_only_what_changes_its_process_is_searched_in_one_of_its_own(tmp_path: Path):
    launch = Launched(tmp_path, *(record(TINY, 5.0, 1) for _ in range(4)))
    search = bench(tmp_path, launch)
    stages: tuple[tuple[Stage, str], ...] = (
        ("search", "int8"),
        ("search", "keep_heap"),
        ("semifinal", "int8"),
        ("final", "int8"),
    )
    for stage, name in stages:
        search.measure(Trial(entry(name), stage))
    assert launch.fresh == [False, True, True, True]
    counts = [[o for o in given if "processes" in o] for given in launch.overrides]
    assert counts == [
        ["~sweep.processes"],
        ["sweep.processes=1"],
        ["sweep.processes=1"],
        ["sweep.processes=3"],
    ]


def test_a_heap_that_is_kept_anyway_needs_no_process_of_its_own():
    assert systems().changes_its_process(entry("keep_heap"))
    assert not systems("device.heap=keep").changes_its_process(entry("keep_heap"))
    assert not systems("device.steady=true").changes_its_process(entry())


def test_blocks_of_a_search_are_rounds_of_one_point():
    made = points()
    places = [made.place(Trial(entry("int8", batch=16), "search", k)) for k in (0, 1)]
    assert places == [f"rounds/{k}/0_search_b16_transformers_int8" for k in (0, 1)]
    given = [made.overrides(Trial(entry("int8", batch=16), "search", k), False) for k in (0, 1)]
    differing = {key for one, two in zip(*given, strict=True) if (key := one) != two}
    assert differing == {"+sweep.round=0", f"hydra.sweep.subdir='{places[0]}'"}


def budgets(trial: Trial, made: SearchPoints | None = None) -> Pipeline:
    """The pipeline of a trial's point, as Hydra composes it."""
    made = made or points(pipeline=Pipeline(), utterances=6, max_seconds=4.0)
    texts = made.overrides(trial, False)
    plain = composed(*(text for text in texts if text.startswith("pipeline.")))["pipeline"]
    return Pipeline(**{key: value for key, value in plain.items() if key != "_target_"})


def test_a_search_times_every_call_once_and_a_batch_twice():
    one, many = (budgets(Trial(entry(batch=batch), "search")) for batch in (1, 16))
    assert (one.utterances, one.min_iterations, one.precision) == (6, 6, None)
    assert (many.utterances, many.min_iterations, many.precision) == (16, 2, None)
    for pipeline in (one, many):
        assert pipeline.spread
        assert not pipeline.metronome
        assert (pipeline.warmup, pipeline.warmup_seconds) == (1, 0)


def test_a_semifinal_times_two_batches_and_at_batch_1_all_that_it_reads():
    made = points(pipeline=Pipeline(), batches=(1, 16))
    many = budgets(Trial(entry(batch=16), "semifinal"), made)
    assert (many.utterances, many.min_iterations) == (32, 2)
    assert many.spread
    one = budgets(Trial(entry(batch=1), "semifinal", utterances=60), made)
    assert (one.utterances, one.min_iterations, one.scored) == (60, 60, 60)
    few = points(pipeline=Pipeline(utterances=2), batches=(1, 16))
    assert budgets(Trial(entry(batch=1), "semifinal"), few).utterances == 8


def test_a_final_times_the_same_utterances_at_every_batch_size():
    made = points(pipeline=Pipeline(), batches=(1, 32))
    one, many = (budgets(Trial(entry(batch=batch), "final"), made) for batch in (1, 32))
    assert one.utterances == many.utterances == 64
    assert (one.min_iterations, many.min_iterations) == (32, 6)
    assert one.scored is None
    alone = budgets(Trial(entry(), "final"), points(pipeline=Pipeline(), batches=(1,)))
    assert alone.utterances == 16
    assert budgets(Trial(entry(), "final", utterances=96), made).scored == 96


def test_only_finals_have_the_costly_profilers_and_a_rank():
    made = points()
    few = made.overrides(Trial(entry(), "semifinal", rank=2), True)
    whole = made.overrides(Trial(entry(), "final", rank=2), True)
    assert "profiler=[latency,quality]" in few
    assert "optimiser.rank=null" in few
    assert not any(text.startswith("profiler=") for text in whole)
    assert "optimiser.rank=2" in whole


def test_options_of_parts_that_a_point_lacks_are_left_out():
    made = points(
        "optimisation.int8.x=1", "profiler.memory.y=2", "profiler.quality.normaliser=none"
    )
    plain = made.overrides(Trial(entry(), "search"), False)
    assert {text for text in plain if re.match(r"(optimisation|profiler)\.", text)} == {
        "profiler.quality.normaliser=none"
    }
    assert "optimisation.int8.x=1" in made.overrides(Trial(entry("int8"), "search"), False)


def test_what_makes_no_sense_is_refused_with_the_reason():
    asked = systems()
    assert asked.refusal(entry("int8")) is None
    kind, why = asked.refusal(entry("one_thread", "pinned_threads")) or ("", "")
    assert kind == "refused"
    assert "both set device.threads" in why
    idle = systems("device.heap=keep").refusal(entry("keep_heap"))
    assert idle == (
        "refused",
        "optimisation=keep_heap changes nothing here: it is what runs without it.",
    )


def test_only_what_sorts_batches_regroups_them():
    asked = systems()
    assert asked.regroups(entry("bucketing", batch=16))
    assert asked.regroups(entry("bucketing", "int8", batch=16))
    assert not asked.regroups(entry("bucketing"))  # is refused
    assert not asked.regroups(entry("int8", batch=16))


def test_an_engine_is_composed_once_however_many_are_asked_for():
    made, engines = points("model=whisper_tiny_en", "device=cpu"), list[str]()

    def options_of(engine: str) -> dict[str, Any]:
        engines.append(engine)
        return composed(*made.with_everything(engine))

    asked = SearchSystems(options_of)
    for names in ((), ("int8",), ("one_thread",), ("int8", "one_thread")):
        for batch in (1, 16):
            assert asked.refusal(entry(*names, batch=batch)) is None
            assert asked.system(entry(*names, batch=batch)).batch.size == batch
    assert engines == ["transformers"]


def test_what_a_search_learns_of_a_record():
    rows = (
        {"id": "u0", "words": 5, "substitutions": 1, "deletions": 0, "insertions": 2},
        {"id": "u1", "left_out": "empty reference"},
    )
    one = record(TINY, 5.0, 2)
    one = replace(one, transcripts=rows, job_s={"load": 1.0, "engine_calls": 2.5})
    facts = {**one.system.get("facts", {}), "compile_s": 7.0}
    one = replace(one, system={**one.system, "facts": facts})
    found = observed(one, 9.0)
    call = "+".join(one.samples[0].utterances)
    times = [s.total_s for s in one.samples if s.utterances == one.samples[0].utterances]
    assert found.seconds[call] == pytest.approx(sum(times) / len(times))
    assert found.words == {"u0": (3, 5)}
    assert (found.took_s, found.calls_s, found.compile_s) == (9.0, 2.5, 7.0)
    kept = observed(replace(one, job_s={"engine_calls": 2.5}), 9.0)
    assert kept.compile_s == 0, "it had been compiled for an earlier trial"
    without = tuple(metric for metric in one.metrics if metric.name != "quality/wer")
    assert observed(replace(one, metrics=without), 9.0).words == {}
    failed = observed(replace(one, status="failed", reason="it broke"), 9.0)
    assert (failed.problem, failed.took_s, dict(failed.seconds)) == ("it broke", 9.0, {})


def test_what_was_measured_before_takes_what_it_took_then(tmp_path: Path):
    trial = Trial(entry("int8"), "search")
    one = record(TINY, 5.0, 1)
    first = bench(tmp_path, Launched(tmp_path, one))
    took_s = first.measure(trial).took_s
    again = bench(tmp_path, Launched(tmp_path, one), Journal({points().place(trial): 123.0}))
    assert again.measure(trial).took_s == 123.0
    assert again.spent_s == 123.0
    newer = replace(one, started_at=one.started_at + 1)
    anew = bench(tmp_path, Launched(tmp_path, newer), Journal({points().place(trial): 123.0}))
    assert anew.measure(trial).took_s < 100
    assert took_s == first.journal.seconds[points().place(trial)]


def test_a_gain_is_of_all_blocks_of_both(tmp_path: Path):
    slow, fast = record(TINY, 5.0, 1), record(replace(TINY, per_s=TINY.per_s / 2), 5.0, 1)
    config = {"optimiser": {"stage": "search"}, "sweep": {}}
    blocks = [
        replace(one, config={**one.config, **config, "sweep": {"round": k}}, started_at=float(k))
        for one in (slow, fast)
        for k in (0, 1)
    ]
    search = bench(tmp_path, Launched(tmp_path, *blocks))
    for names in ((), ("int8",)):
        for k in (0, 1):
            search.measure(Trial(entry(*names), "search", k))
    found = search.gain(entry(), entry("int8"), "search")
    assert found is not None
    assert found.factor > 1
    assert search.gain(entry(), entry("int8"), "final") is None


def test_an_engine_that_can_not_be_built_is_refused():
    kind, why = systems("engine.dtype=float3").refusal(entry()) or ("", "")
    assert kind == "refused"
    assert "float3" in why
