"""Rounds as one record: figures from all samples,
each kind of metric put together in its own way, nothing lost."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.fakes import FakeClock, Recorder, make_job

from asr_scaling.core.call_summary import summarise
from asr_scaling.core.cautions import Caution
from asr_scaling.core.metric import Metric
from asr_scaling.core.record import Findings, RunRecord
from asr_scaling.core.sample import Beat, Sample
from asr_scaling.core.statistics import mean_interval
from asr_scaling.measure.job import run
from asr_scaling.measure.pipeline import Pipeline
from asr_scaling.profiler.latency import Latency
from asr_scaling.profiler.quality import Quality
from asr_scaling.records.merge import merge, round_place, whole_points
from asr_scaling.records.read import each_record, readable_records


def sample(total_s: float, at: float, key: str = "u0") -> Sample:
    return Sample((key,), 10.0, 10.0, total_s, {"encoder": total_s}, started_at=at)


def part(k: int, *, rounds: int = 3, **changes: Any) -> RunRecord:
    """Round ``k``: two calls, the later rounds slower."""
    samples = (sample(1.0 + k, 100.0 * k + 1), sample(1.5 + k, 100.0 * k))
    config = {"batch": {"size": 1}, "sweep": {"interleave": True, "rounds": rounds, "round": k}}
    record = RunRecord(
        "point", "ok", config, {"host": "here"}, samples=samples, started_at=k, ended_at=k + 0.5
    )
    found = summarise(samples)
    return replace(
        record, **({"metrics": found.metrics, "unavailable": dict(found.unavailable)} | changes)
    )


def with_metric(record: RunRecord, *metrics: Metric) -> RunRecord:
    return replace(record, metrics=(*record.metrics, *metrics))


def metric(record: RunRecord, name: str) -> Metric:
    (found,) = (found for found in record.metrics if found.name == name)
    return found


def test_samples_follow_one_another_and_their_figures_are_those_of_all() -> None:
    whole = merge([part(2), part(0), part(1)])
    assert [s.total_s for s in whole.samples] == [1.5, 1.0, 2.5, 2.0, 3.5, 3.0]
    anew = summarise(whole.samples)
    assert {
        found.name: found for found in whole.metrics if found.name != "noise/latency_floor"
    } == {found.name: found for found in anew.metrics}
    assert whole.values["latency/mean_s"] == pytest.approx(2.25)
    assert whole.values["workload/iterations"] == 6
    assert whole.values["throughput/rtfx"] == pytest.approx(60 / 13.5)
    assert "latency/p50_s" in part(0).unavailable
    assert "latency/p50_s" in whole.values
    assert "latency/p50_s" not in whole.unavailable
    assert whole.unavailable["latency/p90_s"].startswith("6 calls can't bound it")


def test_calls_and_readings_say_which_process_made_them() -> None:
    """The first process may be the last one, of a resumed sweep."""
    parts = []
    for k, at in ((0, 500.0), (1, 100.0)):
        sweep = {"processes": 2, "round": k}
        calls, beats = (sample(1.0, at), sample(1.0, at + 1)), (Beat(at, {"memory": 0.01}),)
        parts.append(part(k, config={"sweep": sweep}, samples=calls, beats=beats))
    whole = merge(parts)
    assert [(s.process, s.started_at) for s in whole.samples] == [
        (0, 500.0), (0, 501.0), (1, 100.0), (1, 101.0)
    ]  # fmt: skip
    assert [(beat.process, beat.at) for beat in whole.beats] == [(0, 500.0), (1, 100.0)]
    assert (whole.processes, whole.cautions) == (2, ())
    assert whole.config == {"sweep": {"processes": 2}}
    assert merge(parts[:1]).cautions[0].kind == "RoundsMissing"


def test_rounds_of_an_earlier_version_were_one_process() -> None:
    whole = merge([part(0), part(1), part(2)])
    assert (whole.processes, {s.process for s in whole.samples}) == (1, {0})


def test_rtfx_without_what_loops_is_of_all_calls_too() -> None:
    """Only the first round looks at texts: u1 loops there, and takes most of every round."""
    name, rounds = "throughput/rtfx_without_looping", []
    for k in range(2):
        samples = (sample(1.0 + k, 100.0 * k), sample(9.0, 100.0 * k + 1, "u1"))
        rounds.append(part(k, rounds=2, samples=samples))
    looked = with_metric(rounds[0], Metric(name, 10.0, 1))
    looked = replace(looked, transcripts=({"id": "u0"}, {"id": "u1", "looping": True}))
    assert metric(merge([looked, rounds[1]]), name).value == pytest.approx(20 / 3)
    assert name not in merge(rounds).values


def test_the_noise_floor_is_of_all_repeats() -> None:
    assert "noise/latency_floor" not in merge([part(0)]).values
    floor = metric(merge([part(0), part(1), part(2)]), "noise/latency_floor")
    assert floor.n == 6
    assert floor.value > 0.1


def test_a_point_without_latency_gets_none() -> None:
    bare = [replace(part(k), metrics=(), unavailable={}) for k in range(3)]
    assert [found.name for found in merge(bare).metrics] == ["noise/latency_floor"]


def test_other_figures_are_means_over_rounds_with_their_interval() -> None:
    name, values = "memory/peak_rss_bytes", [100.0, 110.0, 120.0]
    whole = metric(
        merge([with_metric(part(k), Metric(name, value, 4)) for k, value in enumerate(values)]),
        name,
    )
    assert (whole.value, whole.n, whole.interval) == (110.0, 3, mean_interval(values))


def test_what_never_changes_stays_as_it_is_and_what_one_round_has_is_taken_from_it() -> None:
    parts = [with_metric(part(k), Metric("memory/weights_bytes", 7.0)) for k in range(3)]
    parts[0] = with_metric(parts[0], Metric("flops/encoder", 5.0, 1))
    whole = merge(parts)
    assert metric(whole, "memory/weights_bytes") == Metric("memory/weights_bytes", 7.0)
    assert metric(whole, "flops/encoder") == Metric("flops/encoder", 5.0, 1)


def test_energy_is_the_mean_of_all_windows_and_totals_add_up() -> None:
    name = "energy/per_sample_j"
    windows = [(1.0, 2.0), (3.0,), (4.0, 5.0)]
    parts = [
        with_metric(
            part(k, repeats={name: w}),
            Metric(name, 9.9, len(w)),
            Metric("energy/total_j", 10.0, len(w)),
            Metric("energy/windows", len(w)),
            Metric("energy/ticks", 50 - k, len(w)),
        )
        for k, w in enumerate(windows)
    ]
    whole = merge(parts)
    assert whole.repeats == {name: (1.0, 2.0, 3.0, 4.0, 5.0)}
    assert metric(whole, name) == Metric(name, 3.0, 5, mean_interval([1.0, 2.0, 3.0, 4.0, 5.0]))
    assert metric(whole, "energy/total_j") == Metric("energy/total_j", 30.0, 5)
    assert whole.values["energy/windows"] == 5
    assert whole.values["energy/ticks"] == 48


def test_everything_else_is_united() -> None:
    same, other = Caution("A", "said", "do"), Caution("B", "also", "do")
    parts = [
        part(
            0,
            cautions=(same,),
            tags={"how": "x", "once": "y"},
            job_s={"load": 1.0},
            artifacts=("trace.json.gz",),
            transcripts=({"id": "u0"},),
            unavailable={"energy/total_j": "no counter", "memory/weights_bytes": "no"},
        ),
        part(
            1,
            cautions=(same, other),
            tags={"how": "z"},
            job_s={"load": 2.0, "idle": 1.0},
            unavailable={},
        ),
        part(2, tags={"how": "x"}),
    ]
    parts[1] = with_metric(parts[1], Metric("memory/weights_bytes", 3.0))
    whole = merge(parts)
    assert whole.cautions == (same, other)
    assert whole.tags == {"how": "x, z", "once": "y", "sweep/rounds": "3"}
    planned = replace(parts[2], config={**parts[2].config, "sweep": {"round": 2, "calls": 2}})
    assert merge([*parts[:2], planned]).tags["sweep/calls"] == "2, 2, 2"
    assert whole.job_s == {"load": 3.0, "idle": 1.0}
    assert whole.artifacts == ("trace.json.gz",)
    assert whole.transcripts == ({"id": "u0"},)
    assert whole.unavailable["energy/total_j"] == "no counter"
    assert "memory/weights_bytes" not in whole.unavailable
    assert whole.config == {"batch": {"size": 1}, "sweep": {"interleave": True, "rounds": 3}}
    assert (whole.round, whole.status, whole.reason) == (None, "ok", None)
    assert (whole.started_at, whole.ended_at) == (0, 2.5)
    assert RunRecord.from_json(whole.to_json()) == whole


def test_missing_rounds_are_said() -> None:
    (found,) = merge([part(0), part(1)]).cautions
    assert (found.kind, found.message) == (
        "RoundsMissing",
        "Only 2 of 3 measurements of this point were made.",
    )
    assert merge([part(0, rounds=2), part(1, rounds=2)]).cautions == ()


def test_a_round_that_failed_fails_the_point_and_keeps_what_the_others_measured() -> None:
    lost = replace(
        part(0), status="out_of_memory", reason="a batch of 8 does not fit", samples=(), metrics=()
    )
    whole = merge([lost, part(1, system={"device": "cpu"}), part(2)])
    assert (whole.status, whole.reason) == ("out_of_memory", "round 0: a batch of 8 does not fit")
    assert whole.values["latency/mean_s"] == pytest.approx(2.75)
    assert whole.system == {"device": "cpu"}
    every = merge([replace(lost, config=part(k).config) for k in range(3)])
    assert (every.status, every.metrics, every.samples) == ("out_of_memory", (), ())


def test_real_records_merge(tmp_path: Path) -> None:
    """Two rounds through run(): the whole has the calls of both, and the WER of the first."""
    noted = Recorder(
        "noted", "disturbing", then=lambda session: Findings((Metric("flops/encoder", 5.0),))
    )
    parts = []
    for k, profiler in enumerate(
        [{"latency": Latency(), "noted": noted, "quality": Quality("none")}, {}]
    ):
        config = {"sweep": {"rounds": 2, "round": k}}
        job = make_job(
            FakeClock(),
            profiler=profiler,
            pipeline=Pipeline(min_iterations=4, precision=None, warmup=0),
        )
        parts.append(run(replace(job, config=config)))
    whole = merge(parts)
    assert len(whole.samples) == len(parts[0].samples) + len(parts[1].samples)
    assert whole.values["quality/wer"] == 0
    assert whole.values["flops/encoder"] == 5
    assert whole.transcripts == parts[0].transcripts
    assert set(whole.values) & set(whole.unavailable) == set()


def test_readers_see_points_and_never_rounds_beside_them(tmp_path: Path) -> None:
    done, cut = tmp_path / "10-00-00", tmp_path / "11-00-00"
    for sweep, rounds in ((done, 3), (cut, 2)):
        for k in range(rounds):
            folder = sweep / "rounds" / str(k) / "0_point"
            folder.mkdir(parents=True)
            part(k).write(folder)
    (done / "0_point").mkdir()
    merge([part(k) for k in range(3)]).write(done / "0_point")
    other = replace(part(0), name="plain", config={"batch": {"size": 1}})
    (cut / "1_plain").mkdir()
    other.write(cut / "1_plain")
    for found in (readable_records(tmp_path, []), [record for record, _ in each_record(tmp_path)]):
        assert [(record.name, record.round, len(record.samples)) for record in found] == [
            ("point", None, 6), ("point", None, 4), ("plain", None, 2)
        ]  # fmt: skip
        assert [c.kind for c in found[1].cautions] == ["RoundsMissing"]
    ((alone, _),) = each_record(cut / "rounds" / "1" / "0_point" / "record.json")
    assert alone.round == 1


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("a/rounds/0/0_point/record.json", "a/0_point"),
        ("a/rounds/12/b/c/record.json.gz", "a/b/c"),
        ("rounds/1/a/rounds/0/0_point/record.json", "rounds/1/a/0_point"),
        ("a/0_point/record.json", None),
        ("a/rounds/notes/record.json", None),
        ("rounds/1", None),
    ],
)
def test_where_the_point_of_a_round_belongs(path: str, place: str | None) -> None:
    assert round_place(Path(path)) == (None if place is None else Path(place))


def test_a_record_that_is_a_round_but_lies_elsewhere_is_read_as_it_is(tmp_path: Path) -> None:
    found = [(tmp_path / "somewhere" / "record.json", part(1))]
    assert whole_points(found) == [part(1)]


def test_joules_of_guessed_power_have_no_interval_over_rounds_either() -> None:
    name = "energy/per_sample_j"
    parts = [
        replace(with_metric(part(k), Metric(name, 9.0 + k, 3)), tags={"energy/method": "estimated"})
        for k in range(3)
    ]
    assert metric(merge(parts), name) == Metric(name, 10.0, 3)
