"""A point begins and ends once, and is recorded however it ends."""

from __future__ import annotations

import gc
import json
import math
import signal
import threading
import weakref
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pytest
from support.choices import chosen
from support.fakes import (
    FakeClock,
    FakeDataset,
    FakeDevice,
    FakeSink,
    Recorder,
    ScriptedEngine,
    ScriptedSystem,
    altered,
    brief,
    make_job,
    make_spec,
)
from support.offline import run_python

from asr_scaling.core.cautions import IDLE
from asr_scaling.core.checksum import verified
from asr_scaling.core.metric import Metric
from asr_scaling.core.model_spec import ModelSpec
from asr_scaling.core.record import Findings, RunRecord
from asr_scaling.core.spread import Spread
from asr_scaling.device.cpu import Cpu
from asr_scaling.engine.fake import Fake
from asr_scaling.errors import (
    ConfigError,
    DataError,
    DeviceError,
    EngineError,
    OutOfMemoryError,
    TrackingError,
)
from asr_scaling.measure.job import run
from asr_scaling.measure.keep import keep
from asr_scaling.measure.record_builder import unbuilt
from asr_scaling.profiler.latency import Latency


def raising(kind: type[BaseException], *words: str) -> Any:
    """A measurement that fails."""

    def fail(session: Any) -> Findings:
        raise kind(*words)

    return Recorder("failing", then=fail)


def at_call(number: int, then: Any, clock: FakeClock | None = None) -> Fake:
    """A fake engine that does ``then`` in its n-th call, counted from the warm-up's."""
    clock, sleeps = clock or FakeClock(), []

    def sleep(seconds: float) -> None:
        sleeps.append(seconds)
        if len(sleeps) == 3 * number:
            then()
        clock.sleep(seconds)

    return Fake(steps=1, sleep=sleep)


def throw(error: BaseException) -> Any:
    def act() -> None:
        raise error

    return act


SIGTERM = """
import signal, sys
from pathlib import Path
sys.path.insert(0, {tests!r})
from support.fakes import Recorder, altered, make_job
from asr_scaling.core.record import Findings
from asr_scaling.engine.fake import Fake
from asr_scaling.errors import PointInterruptedError
from asr_scaling.measure.job import run

def end(anything):
    try:
        signal.raise_signal(signal.SIGTERM)
    except Exception:  # a measurement that survives every error
        pass
    return Findings()

profiler = {{"stubborn": Recorder("stubborn", then=end)}} if {where!r} == "measurement" else {{}}
job = make_job(folder=Path.cwd(), profiler=profiler)
job = job if profiler else altered(job, engine=Fake(steps=1, sleep=end))
before = signal.getsignal(signal.SIGTERM)
try:
    run(job)
except PointInterruptedError as error:
    assert signal.getsignal(signal.SIGTERM) is before, "the handler was not put back"
    print(error)
"""
"""A point that SIGTERM ends, in a call or in a measurement; it prints what ``run`` raised."""


def kinds(record: RunRecord) -> list[str]:
    return [caution.kind for caution in record.cautions]


class TestOk:
    def test_everything_that_identifies_the_point(self, tmp_path: Path):
        config = {"batch": {"size": 2}}
        record = run(make_job(size=2, folder=tmp_path, config=config, name="toy fake cpu b2"))
        assert (record.status, record.reason, record.name) == ("ok", None, "toy fake cpu b2")
        assert record.config == config
        assert record.system["model"]["name"] == "toy"
        assert (record.system["engine"], record.system["device"]) == ("fake", "cpu")
        assert record.system["facts"]["weights"] == "fake"
        assert record.environment["device"] == {"kind": "fake"}
        assert record.dataset["digest"] == "d" * 40
        assert "synchronised" in record.scope
        assert record.started_at <= record.ended_at
        assert {"dataset", "load", "timed pass", "latency", "engine_calls"} <= set(record.job_s)
        assert min(record.job_s.values()) >= 0

    def test_the_record_on_disk_is_the_one_returned(self, tmp_path: Path):
        record = run(make_job(folder=tmp_path))
        assert verified(json.loads((tmp_path / "record.json").read_text())) == json.loads(
            json.dumps(record.to_json())
        )
        assert RunRecord.read(tmp_path / "record.json").samples == record.samples
        assert [path.name for path in tmp_path.iterdir()] == ["record.json"]

    def test_without_a_folder_nothing_is_left_behind(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
        assert run(make_job()).status == "ok"
        assert list(tmp_path.iterdir()) == []

    def test_the_name_is_the_models_by_default(self):
        assert run(make_job()).name == "toy"

    def test_what_the_self_test_knows_of_the_spread_widens_intervals(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setenv("ASR_SCALING_CACHE", str(tmp_path))
        at = "2026-11-29T22:10:00+00:00"
        certificate = {"at": at, "between_processes": {"sd": 0.031, "freedom": 5.0}}
        job = make_job(durations=[1.0 + i / 10 for i in range(8)])
        plain, known = run(job), run(altered(job, certificate=certificate))
        assert plain.tags["interval/of"] == "this process"
        assert "spread" not in plain.environment
        source = "self-test of 2026-11-29 22:10 UTC"
        assert known.environment["spread"] == Spread(0.031, source=source).to_json()
        assert known.tags["interval/of"] == (
            f"this process; widened by this machine's spread between processes of 3.1 % ({source})"
        )
        for name in ("latency/p50_s", "latency/mean_s", "throughput/rtfx"):
            own, wide = plain.intervals[name], known.intervals[name]
            assert wide.low <= own.low <= own.high < wide.high
        precision = "latency/p50_precision"
        assert known.values[precision] == pytest.approx(plain.values[precision])

    def test_the_spread_of_processors_says_nothing_of_a_gpu(self):
        class Gpu(FakeDevice):
            kind = "cuda"

        found = {"at": "2026-11-29T22:10:00+00:00", "between_processes": {"sd": 0.1, "freedom": 5}}
        record = run(make_job(device=Gpu(), certificate=found))
        assert record.environment["certificate"] == found
        assert "spread" not in record.environment

    def test_the_environment_of_one_point_is_not_anothers(self):
        first = run(make_job())
        run(make_job(device=FakeDevice(), engine={"fail_on": "toy"}))
        assert first.environment["device"] == {"kind": "fake"}
        assert "device" not in run(make_job(engine={"fail_on": "toy"})).environment

    @pytest.mark.parametrize(
        ("info", "kind"),
        [
            ({"synthetic": True}, "SyntheticSpeech"),
            ({"left_out": {"too short": 3}}, "UtterancesLeftOut"),
            ({"copies": 1}, "MadeCopies"),
        ],
    )
    def test_what_the_dataset_has_to_say(self, info: dict[str, Any], kind: str):
        assert kind in kinds(run(make_job(dataset=FakeDataset(info=info))))
        assert kind not in kinds(run(make_job()))

    @pytest.mark.parametrize(("size", "there"), [(1, False), (2, False), (3, True), (4, True)])
    def test_repeated_utterances(self, size: int, there: bool):
        assert (
            "RepeatedUtterances" in kinds(run(make_job(durations=(1.0, 2.0), size=size)))
        ) is there

    @pytest.mark.parametrize(
        ("durations", "why"),
        [((2.0,) * 4, "all utterances are equally long"), ((1.0, 2.0, 3.0, 4.0), None)],
    )
    def test_an_optimisation_that_the_speech_leaves_nothing_to_do(
        self, durations: tuple[float, ...], why: str | None
    ):
        job = make_job(durations=durations, size=2, optimisation=chosen("bucketing"))
        found = [caution.message for caution in run(job).cautions if caution.kind == IDLE]
        told = [f"optimisation=bucketing changed nothing here: {why}."]
        assert found == (told if why else [])

    def test_an_optimisation_that_leaves_the_system_as_it_is(self):
        job = make_job(device=Cpu(steady=True), optimisation=chosen("keep_heap"))
        (found,) = [caution.message for caution in run(job).cautions if caution.kind == IDLE]
        assert "optimisation=keep_heap changed nothing here: the system is the same" in found

    def test_random_weights_are_a_caution_with_the_reason(self):
        system = ScriptedSystem(
            lambda batch, probe: clock.sleep(1.0), weights="random", weights_source="no network"
        )
        clock = FakeClock()
        record = run(altered(make_job(clock), engine=ScriptedEngine(system)))
        caution = next(c for c in record.cautions if c.kind == "RandomWeights")
        assert "no network" in caution.message

    def test_progress_is_told(self):
        log: list[Any] = []
        said: list[str] = []

        class Progress:
            def stage(self, name: str) -> None:
                log.append(name)

            def advance(self, fraction: float) -> None:
                assert 0 <= fraction <= 1

            def say(self, line: str) -> None:
                said.append(line)

        run(make_job(), Progress())
        assert said == [
            (
                "toy: engine=fake sleeps and returns the references: "
                "no figure of this point is about a model."
            )
        ]
        assert log == ["dataset", "idle", "load", "warm-up", "timed pass", "latency", "scenario"]

    def test_runs_outside_the_main_thread(self):
        found: list[RunRecord] = []
        thread = threading.Thread(target=lambda: found.append(run(make_job())))
        thread.start()
        thread.join()
        assert found[0].status == "ok"


class TestOutOfMemory:
    def test_is_a_result(self, tmp_path: Path):
        record = run(make_job(size=2, engine={"max_batch": 1}, folder=tmp_path))
        assert record.status == "out_of_memory"
        assert "batch.size <= 1" in (record.reason or "")
        assert record.metrics == ()
        assert record.system["facts"]["weights"] == "fake"
        assert RunRecord.read(tmp_path / "record.json").status == "out_of_memory"

    def test_of_python_itself(self):
        record = run(make_job(profiler={"failing": raising(MemoryError)}))
        assert (record.status, record.reason) == ("out_of_memory", "out of memory")


class TestFailed:
    @pytest.mark.parametrize(
        "changes",
        [
            {"engine": {"fail_on": "toy"}},
            {"dataset": FakeDataset(error=DataError("told to fail"))},
            {"profiler": {"failing": raising(EngineError, "told to fail")}},
        ],
        ids=["engine", "dataset", "measurement"],
    )
    def test_on_purpose(self, tmp_path: Path, changes: dict[str, Any]):
        record = run(make_job(folder=tmp_path, **changes))
        assert record.status == "failed"
        assert "told to fail" in (record.reason or "")
        assert record.artifacts == ()
        assert RunRecord.read(tmp_path / "record.json").reason == record.reason

    def test_the_device(self):
        class Missing(FakeDevice):
            def setup(self) -> Any:
                raise DeviceError("no such device.")

        assert run(make_job(device=Missing())).reason == "no such device."

    @pytest.mark.parametrize(("longest_s", "status"), [(3.0, "ok"), (3.5, "failed")])
    def test_speech_too_long_for_the_engine_before_it_loads(self, longest_s: float, status: str):
        clock = FakeClock()

        class Choosy(ScriptedEngine):
            loaded = False

            def check_length(self, model: ModelSpec, longest_s: float) -> None:
                if longest_s > 3:
                    raise EngineError(f"{longest_s:g} s is too long for {model.name}.")

            def load(self, model: ModelSpec, device: Any) -> ScriptedSystem:
                self.loaded = True
                return super().load(model, device)

        engine = Choosy(ScriptedSystem(lambda batch, probe: clock.sleep(1.0)))
        record = run(altered(make_job(clock, durations=(1.0, longest_s)), engine=engine))
        assert record.status == status
        assert engine.loaded == (status == "ok")
        assert record.reason == (None if engine.loaded else "3.5 s is too long for toy.")

    def test_no_batch(self):
        record = run(make_job(durations=()))
        assert record.status == "failed"
        assert "no batch" in (record.reason or "")

    def test_by_surprise(self, tmp_path: Path):
        record = run(
            make_job(folder=tmp_path, profiler={"failing": raising(ZeroDivisionError, "by zero")})
        )
        assert record.status == "failed"
        assert record.reason == "ZeroDivisionError: by zero (details in traceback.txt)"
        assert record.artifacts == ("traceback.txt",)
        assert "in fail" in (tmp_path / "traceback.txt").read_text()

    def test_by_a_component_that_would_end_the_process(self, tmp_path: Path):
        record = run(make_job(folder=tmp_path, profiler={"failing": raising(SystemExit, "enough")}))
        assert record.status == "failed"
        assert record.reason == "SystemExit: enough (details in traceback.txt)"

    def test_by_surprise_in_a_folder_that_is_not_there_yet(self, tmp_path: Path):
        folder = tmp_path / "new"
        record = run(
            make_job(folder=folder, profiler={"failing": raising(ZeroDivisionError, "by zero")})
        )
        assert record.status == "failed"
        assert (folder / "traceback.txt").exists()

    def test_a_class_of_its_own_out_of_memory_is_not_a_failure(self):
        assert (
            run(make_job(profiler={"failing": raising(OutOfMemoryError, "too big")})).status
            == "out_of_memory"
        )

    def test_what_was_measured_before_is_kept(self):
        profiler = {"failing": raising(EngineError, "told to fail"), "latency": Latency()}
        record = run(make_job(profiler=profiler))
        assert record.status == "failed"
        assert record.values["throughput/rtfx"] > 0
        assert len(record.samples) == 2
        assert "latency/p99_s" in record.unavailable

    @pytest.mark.parametrize("error", [None, EngineError, OutOfMemoryError, ValueError])
    def test_the_system_is_closed_and_forgotten(self, error: type[Exception] | None):
        clock = FakeClock()
        system = ScriptedSystem(lambda batch, probe: clock.sleep(1.0))
        engine = ScriptedEngine(system)
        profiler = {"failing": raising(error, "x")} if error else {}
        run(altered(make_job(clock), engine=engine, profiler=profiler))
        assert system.closed == 1
        forgotten = weakref.ref(system)
        del system, engine
        gc.collect()
        assert forgotten() is None

    def test_the_next_point_is_measured(self):
        assert run(make_job(engine={"fail_on": "toy"})).status == "failed"
        assert run(make_job()).status == "ok"


class TestInterrupted:
    def job(self, folder: Path, then: Any, number: int = 3, **changes: Any) -> Any:
        job = make_job(folder=folder, durations=(1.0,) * 4, pipeline=brief(), **changes)
        return altered(job, engine=at_call(number, then, job.system.device.clock))

    def test_ctrl_c_is_recorded_and_raised_again(self, tmp_path: Path):
        sink = FakeSink()
        with pytest.raises(KeyboardInterrupt):
            run(self.job(tmp_path, throw(KeyboardInterrupt()), tracking=sink), parent="token")
        record = RunRecord.read(tmp_path / "record.json")
        assert record.status == "interrupted"
        assert record.reason
        assert len(record.samples) == 1  # the second timed call is the third call of all
        assert [(r.status, parent) for r, _, parent in sink.records] == [("interrupted", "token")]

    def test_the_system_is_closed(self, tmp_path: Path):
        system = ScriptedSystem(lambda batch, probe: throw(KeyboardInterrupt())())
        with pytest.raises(KeyboardInterrupt):
            run(altered(make_job(folder=tmp_path), engine=ScriptedEngine(system)))
        assert system.closed == 1

    @pytest.mark.parametrize("where", ["call", "measurement"])
    def test_sigterm_is_an_interruption(self, tmp_path: Path, where: str):
        """In a process of its own: a signal that nobody catches would end the run of all tests."""
        script = SIGTERM.format(tests=str(Path(__file__).parents[1]), where=where)
        done = run_python(tmp_path, ["-c", script], timeout_s=120)
        assert done.returncode == 0, (done.returncode, done.stderr)
        assert "SIGTERM ended this point" in done.stdout
        assert RunRecord.read(tmp_path / "record.json").status == "interrupted"

    @pytest.mark.parametrize("changes", [{}, {"profiler": {"failing": raising(ValueError, "x")}}])
    def test_the_handler_is_put_back(self, changes: dict[str, Any]):
        before = signal.getsignal(signal.SIGTERM)
        run(make_job(**changes))
        assert signal.getsignal(signal.SIGTERM) is before


class TestEarlier:
    CONFIG: ClassVar[dict[str, Any]] = {"batch": {"size": 1}}

    def test_is_stored_instead_of_a_new_one(self, tmp_path: Path):
        before, sink = run(make_job(config=self.CONFIG)), FakeSink()
        asked: list[str] = []

        def earlier(fingerprint: str) -> RunRecord | None:
            asked.append(fingerprint)
            return before

        unable = {"fail_on": "toy"}
        job = make_job(engine=unable, config=self.CONFIG, folder=tmp_path, tracking=sink)
        assert run(job, earlier=earlier) == before
        assert asked == [before.identity]
        assert RunRecord.read(tmp_path / "record.json") == before
        assert sink.records == [(before, tmp_path, None)]

    def test_of_a_point_that_was_never_measured(self):
        assert run(make_job(), earlier=lambda fingerprint: None).status == "ok"

    def test_a_point_without_options_has_no_fingerprint(self):
        assert run(make_job()).identity == ""


class TestKeep:
    def record(self) -> RunRecord:
        return RunRecord("point", "ok", {}, {}, metrics=(Metric("latency/mean_s", 1.0),))

    def test_without_a_sink(self, tmp_path: Path):
        assert keep(self.record(), tmp_path, None, None) == self.record()
        assert RunRecord.read(tmp_path / "record.json") == self.record()

    def test_the_sink_gets_it_with_its_folder_and_parent(self, tmp_path: Path):
        sink = FakeSink()
        assert keep(self.record(), tmp_path, sink, "parent") == self.record()
        assert sink.records == [(self.record(), tmp_path, "parent")]

    def test_the_record_lies_in_the_folder_when_the_sink_gets_it(self, tmp_path: Path):
        class Looking(FakeSink):
            def write(self, record: RunRecord, folder: Path, parent: str | None) -> None:
                assert RunRecord.read(folder / "record.json") == record
                super().write(record, folder, parent)

        sink = Looking()
        keep(self.record(), tmp_path, sink, None)
        assert len(sink.records) == 1

    def test_a_sink_that_refuses_is_a_caution_in_what_is_returned_and_on_disk(self, tmp_path: Path):
        kept = keep(self.record(), tmp_path, FakeSink(TrackingError("The server is down.")), None)
        assert [(c.kind, c.message) for c in kept.cautions] == [
            ("NotTracked", "The server is down.")
        ]
        assert kept.values == self.record().values
        assert RunRecord.read(tmp_path / "record.json") == kept

    def test_a_sink_that_refuses_does_not_fail_the_point(self):
        record = run(make_job(tracking=FakeSink(TrackingError("down"))))
        assert record.status == "ok"
        assert kinds(record)[-1] == "NotTracked"


def test_unbuilt_is_a_failure_with_the_options(tmp_path: Path):
    record = keep(
        unbuilt("point", "batch.size must be positive.", {"batch": {"size": 0}}),
        tmp_path,
        None,
        None,
    )
    assert (record.name, record.status, record.reason) == (
        "point",
        "failed",
        "batch.size must be positive.",
    )
    assert record.config == {"batch": {"size": 0}}
    assert record.environment["host"]
    assert record.metrics == ()
    assert RunRecord.read(tmp_path / "record.json") == record


@pytest.mark.parametrize("value", [math.inf, math.nan])
def test_options_that_are_no_json_are_recorded(tmp_path: Path, value: float):
    """``pipeline.max_seconds=.inf`` is a budget without end,
    and what it measured must not be lost."""
    assert keep(
        unbuilt("point", "reason", {"pipeline": {"max_seconds": value}}), tmp_path, None, None
    )


@dataclass(frozen=True)
class _Broken:
    size: int = 1

    def batches(self, found: Any) -> Any:
        raise ConfigError("batch can't work.")


def test_batching_that_fails_is_recorded():
    record = run(make_job(batch=_Broken()))
    assert (record.status, record.reason) == ("failed", "batch can't work.")
    assert record.dataset["name"] == "fake"
    assert make_spec().name == "toy"
