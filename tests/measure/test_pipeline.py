"""The pipeline on a fake clock: exact figures, the order of the passes, the budgets."""

from __future__ import annotations

import math
import time
from typing import Any

import pytest
from support.fakes import (
    FakeClock,
    FakeDevice,
    FakeMemory,
    Recorder,
    ScriptedEngine,
    ScriptedSystem,
    altered,
    brief,
    make_job,
    make_session,
    make_spec,
    transcription,
    utterances,
    workload,
)

from asr_scaling.core import timing_probe
from asr_scaling.core.ports import NullProbe
from asr_scaling.core.record import Findings
from asr_scaling.core.workload import AudioBatch
from asr_scaling.engine.fake import Fake
from asr_scaling.errors import ConfigError, EngineError, OutOfMemoryError
from asr_scaling.machine import metronome
from asr_scaling.measure.job import run
from asr_scaling.measure.pipeline import Pipeline

pytestmark = pytest.mark.usefixtures("quiet")
TWO_A_SECOND = {"fixed_s": 0.4, "per_audio_s": 0.1}


def kinds(record: Any) -> list[str]:
    return [caution.kind for caution in record.cautions]


class TestExactFigures:
    def test_of_one_batch_of_two(self):
        """1 s and 2 s padded to 4 s: 0.4 + 0.1 × 4 = 0.8 s;
        0.2 features, 0.4 encoder, 0.2 in four steps."""
        record = run(
            make_job(
                durations=(1.0, 2.0), size=2, engine=TWO_A_SECOND, pipeline=brief(min_iterations=6)
            )
        )
        assert record.status == "ok"
        expected = {
            **{f"latency/{name}_s": 0.8 for name in ("mean", "p50")},
            **{f"latency_per_utterance/{name}_s": 0.4 for name in ("mean", "p50")},
            "latency/p50_precision": 0.0,
            "stage/other_s": 0.0,
            "stage/features_s": 0.2,
            "stage/encoder_s": 0.4,
            "stage/decoder_s": 0.2,
            "stage/text_s": 0.0,
            "latency/first_token_s": 0.65,
            "latency/per_token_s": 0.05,
            "throughput/rtfx": 3.0 / 0.8,
            "throughput/samples_per_s": 2 / 0.8,
            "startup/load_s": 0.0,
            "startup/first_call_s": 0.8,
            "startup/warmup_s": 0.8,
            "workload/warmup_iterations": 1,
            "workload/audio_s": 3.0,
            "workload/processed_audio_s": 3.0,
            "workload/repeated_utterances": 2,
            "workload/iterations": 6,
            "workload/decoded_again_share": 0.0,
            "decoding/redecoded_share": 0.0,
            "decoding/per_utterance": 1.0,
            "decoding/highest_temperature": 0.0,
            "workload/tokens_per_s": 8 / 3.0,
            "noise/latency_floor": 0.0,
            "noise/others_share": 0.0,
            "noise/steal_share": 0.0,
        }
        assert record.values == pytest.approx(expected)
        assert {metric.n for metric in record.metrics if metric.name.startswith("stage/")} == {6}
        assert {m.n for m in record.metrics if m.name == "latency/per_token_s"} == {6}

    def test_equal_calls_have_intervals_of_no_width(self):
        record = run(
            make_job(durations=(1.0,), engine=TWO_A_SECOND, pipeline=brief(min_iterations=6))
        )
        for name in (
            "latency/mean_s",
            "latency/p50_s",
            "stage/encoder_s",
            "throughput/rtfx",
            "latency/per_token_s",
        ):
            interval, value = record.intervals[name], record.values[name]
            assert (interval.low, interval.high) == pytest.approx((value, value))

    def test_of_unequal_calls(self):
        """1, 2 and 6 s of audio at 0.1 s a second:
        the mean, the median and RTFx are not those of equal calls."""
        options = {"fixed_s": 0.0, "per_audio_s": 0.1}
        record = run(
            make_job(durations=(1.0, 2.0, 6.0), engine=options, pipeline=brief(min_iterations=459))
        )
        values = record.values
        assert values["latency/mean_s"] == pytest.approx(0.3)
        assert values["latency/p50_s"] == pytest.approx(0.2)
        assert values["latency/p99_s"] == pytest.approx(0.6)
        assert values["stage/encoder_s"] == pytest.approx(0.15)
        assert values["throughput/rtfx"] == pytest.approx(10.0)
        assert values["throughput/samples_per_s"] == pytest.approx(3 / 0.9)
        assert values["latency/first_token_s"] == pytest.approx(0.2 * (3 / 4 + 1 / 16))

    def test_samples_are_kept_raw(self):
        record = run(make_job(durations=(1.0, 3.0), engine=TWO_A_SECOND))
        assert [sample.utterances for sample in record.samples] == [("u0",), ("u1",)]
        assert [sample.total_s for sample in record.samples] == pytest.approx([0.5, 0.7])
        assert [sample.tokens for sample in record.samples] == [(4,), (4,)]

    def test_a_model_without_steps_says_so(self):
        def script(batch: AudioBatch, probe: Any) -> None:
            probe.stage("encoder")
            clock.sleep(0.5)

        clock = FakeClock()
        job = make_job(clock, engine=None, pipeline=brief(warmup=0, min_iterations=1))
        record = run(altered(job, engine=ScriptedEngine(ScriptedSystem(script))))
        assert {"latency/first_token_s", "latency/per_token_s"} <= set(record.unavailable)
        assert not set(record.unavailable) & set(record.values)
        assert "startup/first_call_s" not in record.values

    @pytest.mark.parametrize(("p", "needed"), [(50, 6), (90, 44), (95, 90), (99, 459)])
    def test_a_percentile_is_withheld_until_the_calls_support_it(self, p: int, needed: int):
        short, enough = (
            run(make_job(durations=(1.0,), pipeline=brief(min_iterations=n)))
            for n in (needed - 1, needed)
        )
        for prefix in ("latency", "latency_per_utterance"):
            assert f"{prefix}/p{p}_s" not in short.values
            assert (
                f"{needed - 1} calls can't bound it, {needed} can"
                in short.unavailable[f"{prefix}/p{p}_s"]
            )
            assert f"{prefix}/p{p}_s" in enough.values
            assert f"{prefix}/p{p}_s" in enough.intervals
            assert f"{prefix}/p{p}_s" not in enough.unavailable

    def test_tail_amplification(self):
        options, pipeline = {"fixed_s": 0.0}, brief(utterances=None, min_iterations=500)
        record = run(make_job(durations=(1.0,) * 49 + (3.0,), engine=options, pipeline=pipeline))
        assert record.values["latency/p99_over_p50"] == pytest.approx(3.0)
        assert "459 can" in run(make_job(durations=(1.0,))).unavailable["latency/p99_over_p50"]


class TestOrder:
    def test_timed_before_disturbing_before_final(self):
        log: list[str] = []
        phases = {
            "f": "final",
            "d1": "disturbing",
            "t1": "timed",
            "d2": "disturbing",
            "t2": "timed",
        }
        profiler = {name: Recorder(name, phase, log) for name, phase in phases.items()}
        clock = FakeClock()
        job = make_job(clock, durations=(1.0,), profiler=profiler)

        def sleep(seconds: float) -> None:
            log.append("call")
            clock.sleep(seconds)

        run(altered(job, engine=Fake(steps=1, sleep=sleep)))
        assert [name for name in log if name != "call"] == ["t1", "t2", "d1", "d2", "f"]
        assert log.index("t1") == 6  # three sleeps for the warm-up, three for the timed call
        assert log.count("call") == 6

    def test_measurements_see_the_timed_pass_and_not_the_warm_up(self):
        seen: list[int] = []

        def look(session: Any) -> Findings:
            seen.append(len(session.samples))
            return Findings()

        profiler = {"look": Recorder("look", "timed", then=look)}
        run(
            make_job(
                durations=(1.0, 1.0), profiler=profiler, pipeline=brief(warmup=3, min_iterations=5)
            )
        )
        assert seen == [5]

    def test_a_disturbing_pass_adds_no_sample(self):
        profiler = {
            "busy": Recorder("busy", then=lambda s: [s.timed(b) for b in s.batches] and Findings())
        }
        record = run(make_job(profiler=profiler))
        assert len(record.samples) == 2

    def test_findings_so_far_are_kept_in_order(self):
        profiler = {
            name: Recorder(name, then=lambda s, n=name: Findings(tags={"last": n}))
            for name in ("a", "b")
        }
        assert run(make_job(profiler=profiler)).tags["last"] == "b"


class TestWarmUp:
    def slow_start(self, warmup: int) -> Any:
        """A system whose first call takes ten seconds and every other one takes one."""
        clock, calls = FakeClock(), []

        def script(batch: AudioBatch, probe: Any) -> None:
            calls.append(tuple(u.id for u in batch.utterances))
            clock.sleep(10.0 if len(calls) == 1 else 1.0)

        pipeline = brief(warmup=warmup, min_iterations=2)
        job = make_job(clock, durations=(1.0, 3.0), pipeline=pipeline)
        return run(altered(job, engine=ScriptedEngine(ScriptedSystem(script)))), calls

    def test_is_left_out(self):
        record, calls = self.slow_start(2)
        assert record.values["latency/mean_s"] == 1.0
        assert record.values["startup/first_call_s"] == 10.0
        assert len(calls) == 4

    def test_uses_the_batch_that_needs_most(self):
        assert self.slow_start(2)[1] == [("u1",), ("u1",), ("u0",), ("u1",)]

    def test_none(self):
        record, calls = self.slow_start(0)
        assert record.values["latency/mean_s"] == 5.5
        assert len(calls) == 2


class TestCheckedWarmUp:
    def calls(self, times: list[float], **options: Any) -> Any:
        """A system whose calls take ``times`` and then one second each;
        the record and the number of its calls."""
        clock, left, count = FakeClock(), list(times), []

        def script(batch: AudioBatch, probe: Any) -> None:
            count.append(1)
            clock.sleep(left.pop(0) if left else 1.0)

        job = make_job(
            clock, durations=(1.0,), pipeline=brief(**({"warmup_seconds": 60.0} | options))
        )
        record = run(altered(job, engine=ScriptedEngine(ScriptedSystem(script))))
        return record, record.values["workload/warmup_iterations"]

    def test_six_steady_calls_are_enough(self):
        record, warmup = self.calls([])
        assert warmup == 6
        assert record.tags["timing/warmup"] == "steady"

    def test_goes_on_while_calls_get_faster(self):
        """Ten falling times: the last six still fall until five of them are steady
        (S = -5 of 15)."""
        record, warmup = self.calls([11.0, 10.0, 9.0, 8.0, 7.0, 6.0, 5.0, 4.0, 3.0, 2.0])
        assert 12 <= warmup <= 15
        assert record.tags["timing/warmup"] == "steady"
        assert record.values["startup/first_call_s"] == 11.0
        assert record.values["startup/warmup_s"] == 65 + warmup - 10
        assert "WarmupIncomplete" not in kinds(record)

    def test_the_budget_ends_it(self, budget_clock: FakeClock):
        record, warmup = self.calls(
            [20.0 - i for i in range(18)], warmup_seconds=0.0, min_iterations=10
        )
        assert warmup == 1
        assert record.tags["timing/warmup"] == "not shown to be steady"
        caution = next(c for c in record.cautions if c.kind == "WarmupIncomplete")
        assert "got faster while they were timed" in caution.message

    def test_steady_timed_calls_prove_it_afterwards(self):
        record, _ = self.calls([9.0], warmup_seconds=0.0, min_iterations=8)
        assert "WarmupIncomplete" not in kinds(record)

    def test_at_least_what_was_asked_for(self):
        assert self.calls([], warmup=9)[1] == 9

    def test_none_at_all(self):
        record, warmup = self.calls([], warmup=0)
        assert warmup == 0
        assert "WarmupIncomplete" in kinds(record)


class TestAdaptiveLength:
    def record(self, jitter: float, **options: Any) -> Any:
        engine = {"fixed_s": 1.0, "per_audio_s": 0.0, "jitter": jitter}
        pipeline = brief(**({"precision": 0.02, "min_iterations": 6, "max_seconds": 1e9} | options))
        return run(make_job(durations=(1.0,), engine=engine, pipeline=pipeline))

    def test_equal_calls_end_it_at_once(self):
        record = self.record(0.0)
        assert record.values["workload/iterations"] == 6
        assert record.tags["timing/ended_by"] == "precision"

    def test_goes_on_until_the_median_is_known_well_enough(self):
        """The median of n lognormal values is known to ± 1.96 × 1.25 σ/√n:
        n ≈ 600 for σ = 0.2 and 2 %."""
        record = self.record(0.2)
        assert record.tags["timing/ended_by"] == "precision"
        assert record.values["latency/p50_precision"] <= 0.02
        assert 200 < record.values["workload/iterations"] < 1500
        assert (
            record.values["workload/iterations"]
            > self.record(0.2, precision=0.05).values["workload/iterations"] * 2
        )

    def test_the_budget_may_end_it_first(self, budget_clock: FakeClock):
        engine = {"fixed_s": 1.0, "per_audio_s": 0.0, "jitter": 0.2}
        pipeline = brief(precision=0.02, min_iterations=6, max_seconds=30.0)
        record = run(make_job(budget_clock, durations=(1.0,), engine=engine, pipeline=pipeline))
        assert record.tags["timing/ended_by"] == "budget"
        assert 25 < record.values["workload/iterations"] < 37
        assert record.values["latency/p50_precision"] > 0.02

    def test_every_batch_is_timed_first(self):
        pipeline = brief(precision=0.5, min_iterations=1)
        record = run(make_job(durations=[1.0] * 9, engine={"fixed_s": 1.0}, pipeline=pipeline))
        assert record.values["workload/iterations"] == 9


class TestWatches:
    def test_begin_after_every_timed_call_and_close(self):
        log: list[str] = []

        class Watching(Recorder):
            def watch(self, device: Any) -> Any:
                log.append("idle")
                return self

            def begin(self) -> None:
                log.append("begin")

            def after(self, batch: AudioBatch) -> None:
                log.append("after")

            def close(self) -> None:
                log.append("close")

        def look(session: Any) -> Findings:
            assert isinstance(session.watches["w"], Watching)
            log.append("measure")
            return Findings()

        clock = FakeClock()
        job = make_job(
            clock, durations=(1.0, 1.0), profiler={"w": Watching("w", "timed", then=look)}
        )

        def sleep(seconds: float) -> None:
            log.append("call")
            clock.sleep(seconds)

        assert run(altered(job, engine=Fake(steps=1, sleep=sleep))).status == "ok"
        calls = [name for i, name in enumerate(log) if name != "call" or log[i - 1] != "call"]
        assert calls == [
            "idle",
            "call",
            "begin",
            "call",
            "after",
            "call",
            "after",
            "measure",
            "close",
        ]

    def test_are_closed_when_the_point_fails(self):
        closed: list[bool] = []

        class Watching(Recorder):
            def watch(self, device: Any) -> Any:
                return self

            def close(self) -> None:
                closed.append(True)

        job = make_job(engine={"max_batch": 1}, size=2, profiler={"w": Watching("w")})
        assert run(job).status == "out_of_memory"
        assert closed == [True]


class TestBeats:
    """A fake metronome on the same clock: each beat takes 10 ms."""

    def taken(self, clock: FakeClock, calls: int, call_s: float, **changes: Any) -> Any:
        def probes(device: Any, stack: Any) -> dict[str, Any]:
            def probe() -> float:
                clock.sleep(0.01)
                return 0.01

            return {"work": probe}

        pipeline = brief(min_iterations=calls, metronome=True, probes=probes)
        engine = {"fixed_s": call_s, "per_audio_s": 0.0}
        return run(make_job(clock, durations=(1.0,), engine=engine, pipeline=pipeline, **changes))

    @pytest.fixture(autouse=True)
    def _time(self, clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(metronome, "time", clock.as_time())
        monkeypatch.setattr(timing_probe, "time", clock.as_time())

    def test_lie_between_calls_from_before_the_first_to_after_the_last(self, clock: FakeClock):
        record = self.taken(clock, calls=50, call_s=0.1)
        begun = [sample.started_at for sample in record.samples]
        beats = [beat.at for beat in record.beats]
        assert beats[0] < begun[0]
        assert beats[-1] >= begun[-1] + 0.1
        inside = [(b, s) for b in beats for s in begun if s - 0.01 + 1e-9 < b < s + 0.1 - 1e-9]
        assert inside == []
        assert 0.01 * len(beats) <= 0.03 * (beats[-1] - beats[0])
        assert record.values["latency/mean_s"] == pytest.approx(0.1)

    def test_long_calls_have_one_between_any_two(self, clock: FakeClock):
        record = self.taken(clock, calls=5, call_s=2.0)
        assert len(record.beats) == 6

    def test_do_not_count_as_time_of_calls(self, clock: FakeClock):
        told: list[float] = []

        class Watching(Recorder):
            def watch(self, device: Any) -> Any:
                return self

            def begin(self) -> None:
                told.append(0.0)

            def after(self, batch: AudioBatch) -> None:
                return

            def beside(self, seconds: float) -> None:
                told.append(seconds)

            def close(self) -> None:
                return

        self.taken(clock, calls=5, call_s=2.0, profiler={"w": Watching("w", "timed")})
        assert told == pytest.approx([0.0, *[0.01] * 4])  # the first and the last lie outside

    @pytest.mark.parametrize(("warm", "peak"), [(1000, 1200), (1400, 1400)])
    def test_do_not_count_as_memory_of_the_device(
        self, clock: FakeClock, monkeypatch: pytest.MonkeyPatch, warm: int, peak: int
    ):
        """The probes hold 300 of the 1500 bytes that the meter says after the timed pass."""
        held, said, seen = iter((0, 300)), iter((warm, 1500)), list[int | None]()
        monkeypatch.setattr(metronome, "_allocated", lambda device: next(held))
        monkeypatch.setattr(FakeMemory, "peak_bytes", lambda memory: next(said))
        look = Recorder(then=lambda session: seen.append(session.device_peak_bytes) or Findings())
        self.taken(clock, calls=2, call_s=0.1, profiler={"look": look})
        assert seen == [peak]

    def test_are_none_where_the_option_is_off(self, clock: FakeClock):
        record = run(make_job(clock))
        assert record.beats == ()
        assert "pipeline.metronome=false" in record.tags["timing/metronome"]


class TestRepeats:
    def record(self, texts: list[str]) -> Any:
        left = iter(texts)
        system = ScriptedSystem(lambda batch, probe: transcription(batch, texts=(next(left),)))
        job = make_job(durations=(1.0,), profiler={}, pipeline=brief(min_iterations=len(texts) - 1))
        return run(altered(job, engine=ScriptedEngine(system)))

    def test_another_text_for_the_same_input_is_a_caution(self):
        caution = next(
            c for c in self.record(["a", "a", "b"]).cautions if c.kind == "NonDeterministic"
        )
        assert caution.message.startswith("1 of 1 repeated utterances")

    def test_the_same_text_is_none(self):
        record = self.record(["a", "a", "a"])
        assert "NonDeterministic" not in kinds(record)
        assert record.values["workload/repeated_utterances"] == 1


class TestCheapWarmUp:
    def test_of_one_batch_it_is_as_many_of_the_shortest(self, clock: FakeClock):
        calls: list[tuple[str, ...]] = []

        def call(batch: AudioBatch, _: Any) -> None:
            calls.append(tuple(utterance.id for utterance in batch.utterances))
            clock.sleep(1)

        system = ScriptedSystem(call)
        job = make_job(
            clock, durations=(3.0, 1.0, 2.0), size=3, pipeline=brief(warmup_by="cheapest")
        )
        record = run(altered(job, engine=ScriptedEngine(system)))
        assert calls == [("u1",) * 3, ("u0", "u1", "u2")]
        assert record.values["workload/repeated_utterances"] == 0, "its texts are not kept"

    def test_of_single_calls_it_is_the_shortest(self, clock: FakeClock):
        calls: list[str] = []
        system = ScriptedSystem(lambda batch, _: calls.append(batch.utterances[0].id))
        job = make_job(clock, durations=(3.0, 1.0), pipeline=brief(warmup_by="cheapest"))
        run(altered(job, engine=ScriptedEngine(system)))
        assert calls == ["u1", "u0", "u1"]


class TestBudget:
    """One call is one second on the clock that also measures the budget."""

    def timed(self, clock: FakeClock, batches: int, minimum: int, seconds: float) -> Any:
        options = {"fixed_s": 1.0, "per_audio_s": 0.0}
        pipeline = brief(utterances=None, warmup=0, min_iterations=minimum, max_seconds=seconds)
        return run(make_job(clock, durations=[0.1] * batches, engine=options, pipeline=pipeline))

    @pytest.mark.parametrize(
        ("batches", "minimum", "seconds", "calls"),
        [
            (4, 1, 100.0, 4),  # every batch once
            (4, 3, 100.0, 4),
            (2, 5, 100.0, 5),  # round and round until the minimum is reached
            (9, 2, 5.5, 6),  # the budget ends it: the sixth call began before it was spent
            (9, 2, 5.0, 6),  # five seconds are not more than five
            (9, 7, 5.5, 7),  # but never before the minimum
            (9, 6, 1.0, 6),  # the minimum takes six budgets and no more
            (9, 7, 1.0, 3),  # it would take more: three calls are enough
            (9, 4, 0.001, 2),  # where no precision is asked for, half of them are
            (9, 2, 0.001, 1),
        ],
    )
    def test_calls(
        self, budget_clock: FakeClock, batches: int, minimum: int, seconds: float, calls: int
    ):
        record = self.timed(budget_clock, batches, minimum, seconds)
        assert record.values["workload/iterations"] == calls
        assert len(record.samples) == calls
        assert ("TimedPassCut" in kinds(record)) == (calls < batches)

    def test_the_caution_says_how_many(self, budget_clock: FakeClock):
        caution = next(
            c for c in self.timed(budget_clock, 9, 2, 5.5).cautions if c.kind == "TimedPassCut"
        )
        assert "5.5 s after 6 of 9 batches" in caution.message
        assert "pipeline.max_seconds" in caution.advice

    def test_goes_round_in_order(self, budget_clock: FakeClock):
        record = self.timed(budget_clock, 2, 5, 100.0)
        assert [sample.utterances[0] for sample in record.samples] == ["u0", "u1", "u0", "u1", "u0"]

    def test_utterances_are_limited(self):
        record = run(make_job(durations=[1.0] * 5, pipeline=brief(utterances=3, min_iterations=1)))
        assert record.dataset["utterances"] == 3
        assert len(record.samples) == 3


class TestTruncation:
    def record(self, processed: tuple[float, ...], size: int = 2) -> Any:
        system = ScriptedSystem(lambda batch, probe: transcription(batch, audio_s=processed))
        job = make_job(durations=(10.0, 40.0), size=size, profiler={})
        return run(altered(job, engine=ScriptedEngine(system)))

    def test_audio_that_was_not_processed_is_a_caution(self):
        record = self.record((10.0, 30.0))
        caution = next(c for c in record.cautions if c.kind == "TruncatedAudio")
        assert caution.message.startswith("10.0 s of audio")

    def test_all_of_it_is_none(self):
        assert "TruncatedAudio" not in kinds(self.record((10.0, 40.0)))

    def test_more_of_one_does_not_hide_less_of_another(self):
        assert "TruncatedAudio" in kinds(self.record((30.0, 30.0)))


class TestSession:
    def test_the_first_text_counts(self):
        texts = iter("ab")
        system = ScriptedSystem(lambda batch, probe: transcription(batch, texts=(next(texts),)))
        session = make_session(system, utterances([1.0]))
        session.transcribe(session.batches[0])
        session.transcribe(session.batches[0], NullProbe())
        assert session.hypotheses == {"u0": "a"}

    def test_a_text_too_few_is_an_error(self):
        system = ScriptedSystem(lambda batch, probe: transcription(batch, texts=()))
        session = make_session(system, utterances([1.0]))
        with pytest.raises(ValueError, match="shorter"):
            session.transcribe(session.batches[0])

    def test_the_largest_batch_is_the_one_with_most_padded_audio(self):
        system = ScriptedSystem(lambda batch, probe: None)
        session = make_session(system, utterances([1.0, 9.0, 6.0, 6.0, 8.0, 8.0]), size=2)
        assert session.largest.utterances[0].id == "u0"  # 2 × 9 s, though 8 + 8 s is more speech


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("utterances", 0),
        ("utterances", -1),
        ("warmup", -1),
        ("min_iterations", 0),
        ("max_seconds", 0),
        ("max_seconds", -1.0),
        ("warmup_seconds", -0.5),
        ("precision", 0),
        ("precision", 1.0),
    ],
)
def test_an_option_that_cannot_work_is_refused(option: str, value: Any):
    with pytest.raises(ConfigError, match=rf"pipeline\.{option}.*{value}"):
        Pipeline(**{option: value})


def test_no_limit_and_no_warm_up_are_fine():
    assert Pipeline(utterances=None, warmup=0, min_iterations=1, max_seconds=0.1).utterances is None


def test_a_budget_that_is_no_number_is_refused():
    with pytest.raises(ConfigError, match=r"pipeline\.max_seconds"):
        Pipeline(max_seconds=math.nan)


class RealClock(FakeDevice):
    def mark(self) -> int:
        return time.perf_counter_ns()


class TestFakeEngine:
    """The public fake itself."""

    @pytest.mark.parametrize("options", [{"fixed_s": -1}, {"per_audio_s": -1}, {"steps": 0}])
    def test_options(self, options: dict[str, Any]):
        with pytest.raises(ConfigError, match="engine"):
            Fake(**options)

    def test_fails_when_told(self):
        Fake(fail_on="other").check(make_spec())
        with pytest.raises(EngineError, match="'toy'"):
            Fake(fail_on="toy").check(make_spec())

    def test_runs_out_of_memory_when_told(self):
        system = Fake(max_batch=1, sleep=lambda s: None).load(make_spec(), FakeDevice())
        batch = AudioBatch(workload(utterances([1.0, 1.0])).utterances)
        with pytest.raises(OutOfMemoryError, match=r"batch\.size <= 1"):
            system.transcribe(batch, NullProbe())
        system.close()
        system.close()

    def test_the_real_clock_is_the_default(self):
        job = altered(make_job(durations=(1.0,)), engine=Fake(), device=RealClock())
        assert run(job).values["latency/mean_s"] >= 0.002  # sleep(3) never returns early
