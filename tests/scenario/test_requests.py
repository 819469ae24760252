"""scenario=requests: options, the life of the service, the record, and the file of requests."""

from __future__ import annotations

import csv
import gzip
import math
import time
from pathlib import Path
from typing import Any

import pytest
from support.fakes import Recorder, make_job
from support.services import SPEECH, ServingOf, SleepingService, session_of

from asr_scaling.core.load_metrics import LOAD_METRICS
from asr_scaling.core.ports import Reply
from asr_scaling.core.record import Findings, RunRecord
from asr_scaling.core.workload import Utterance
from asr_scaling.errors import ConfigError, DataError, EngineError
from asr_scaling.load.request_file import NAME
from asr_scaling.measure.job import run
from asr_scaling.scenario.requests import Requests


def rows(folder: Path) -> list[dict[str, str]]:
    with gzip.open(folder / NAME, "rt", encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


class TestOptions:
    @pytest.mark.parametrize(
        ("options", "said"),
        [
            ({"arrivals": "bursty"}, "scenario.arrivals must be one of"),
            ({"rate": 0.0}, "scenario.rate must be above 0"),
            ({"rate": math.inf}, "scenario.rate must be above 0"),
            ({"arrivals": "closed"}, "scenario.clients must be at least 1 for arrivals=closed"),
            ({"arrivals": "closed", "clients": 0}, "scenario.clients must be"),
            ({"arrivals": "trace"}, "scenario.trace must be a file"),
            ({"requests": 0}, "scenario.requests must be from 1"),
            ({"seconds": 0.0}, "scenario.seconds must be above 0"),
            ({"timeout_s": -1.0}, "scenario.timeout_s must be above 0"),
            ({"late_s": 0.0}, "scenario.late_s must be above 0"),
            ({"bound": "quick"}, "scenario.bound must be"),
            ({"normaliser": "mine"}, "scenario.normaliser must be"),
        ],
    )
    def test_what_makes_no_sense_is_refused(self, options: dict[str, Any], said: str):
        with pytest.raises(ConfigError) as error:
            Requests(**options)
        assert said in str(error.value)

    def test_as_many_requests_as_the_percentile_needs(self, tmp_path: Path):
        known, _ = session_of(tmp_path, None)
        assert len(Requests(rate=100.0).schedule(known).utterances) == 689  # 1.5 x 459
        assert len(Requests(rate=100.0, bound="p90<2s").schedule(known).utterances) == 66
        assert len(Requests(rate=1.0, seconds=60.0).schedule(known).utterances) == 60
        assert len(Requests(rate=1.0, seconds=60.0, requests=7).schedule(known).utterances) == 7


class TestMeasuring:
    def test_one_load(self, tmp_path: Path):
        service = SleepingService(0.001)
        known, serving = session_of(tmp_path, service)
        found = Requests(rate=100.0, requests=30, bound="p50<1s", late_s=1.0).measure(known)
        (point,) = found.loads
        assert (point.arrivals, point.offered_per_s, point.requests) == ("poisson", 100.0, 30)
        assert (point.bound, point.verdict) == ("p50<1s", "held")
        assert {metric.name for metric in found.metrics} == {*point.values}
        assert {*point.values, *point.unavailable} == {
            name for name in LOAD_METRICS if name.startswith("load/")
        }
        assert found.tags["serving"] == "services"
        assert found.serving == {"name": "services", "workers": 1}
        assert service.closed == 1
        assert {u.id for u in serving.warm} == {"u0", "u1", "u2"}

    def test_every_request_is_in_the_file(self, tmp_path: Path):
        known, _ = session_of(tmp_path, SleepingService(0.001))
        found = Requests(arrivals="constant", rate=100.0, requests=12).measure(known)
        assert found.artifacts == (NAME,)
        lines = rows(tmp_path)
        assert [int(line["request"]) for line in lines] == list(range(12))
        assert {line["status"] for line in lines} == {"ok"}
        assert [float(line["due_s"]) for line in lines] == pytest.approx(
            [(i + 1) / 100 for i in range(12)]
        )
        for line in lines:
            times = [float(line[f"{name}_s"]) for name in ("due", "fired", "submitted", "begun")]
            assert times == sorted(times)
        assert {line["text"] for line in lines} == {u.reference for u in SPEECH}

    def test_clients_that_wait(self, tmp_path: Path):
        known, _ = session_of(tmp_path, SleepingService(0.001))
        found = Requests(arrivals="closed", clients=2, requests=20).measure(known)
        assert found.loads[0].clients == 2
        assert "ClosedArrivals" in [caution.kind for caution in found.cautions]
        assert {line["clients"] for line in rows(tmp_path)} == {"2"}

    def test_a_trace(self, tmp_path: Path):
        path = tmp_path / "t.csv"
        path.write_text("time_s,utterance\n0,u2\n0.05,u0\n", encoding="utf-8")
        known, _ = session_of(tmp_path, SleepingService(0.001))
        found = Requests(arrivals="trace", trace=str(path)).measure(known)
        assert (found.loads[0].arrivals, found.loads[0].requests) == ("trace", 2)
        assert [line["utterance"] for line in rows(tmp_path)] == ["u2", "u0"]

    def test_a_bad_trace_starts_no_service(self, tmp_path: Path):
        known, serving = session_of(tmp_path, None)
        with pytest.raises(DataError):
            Requests(arrivals="trace", trace=str(tmp_path / "none.csv")).measure(known)
        assert serving.services == []

    def test_a_service_that_dies_half_way(self, tmp_path: Path):
        def answer(number: int, utterance: Utterance) -> Any:
            if number < 10:
                return utterance.reference
            return Reply("failed", time.monotonic(), reason="the worker was lost")

        known, _ = session_of(tmp_path, SleepingService(0.0, answer=answer))
        found = Requests(rate=200.0, requests=40, bound="errors=0", late_s=1.0).measure(known)
        (point,) = found.loads
        assert point.verdict == "broken"
        assert point.values["load/failed_share"] == pytest.approx(0.75)
        assert "worker was lost" in " ".join(caution.message for caution in found.cautions)

    def test_a_service_that_answers_garbage(self, tmp_path: Path):
        known, _ = session_of(tmp_path, SleepingService(0.0, answer=lambda n, u: "zzz"))
        found = Requests(rate=50.0, requests=40, bound="wer<=10", late_s=1.0).measure(known)
        (point,) = found.loads
        assert point.verdict == "broken"
        assert point.values["load/changed_share"] == 1.0
        assert point.values["load/wer"] == pytest.approx(1.0)

    def test_a_service_that_never_answers(self, tmp_path: Path):
        service = SleepingService(0.0, answer=lambda n, u: None)
        known, _ = session_of(tmp_path, service)
        found = Requests(
            rate=200.0, requests=20, timeout_s=0.2, bound="p50<1s", late_s=1.0
        ).measure(known)
        (point,) = found.loads
        assert point.verdict in ("broken", "overloaded")
        assert point.values["load/timed_out_share"] == 1.0
        assert {line["status"] for line in rows(tmp_path)} == {"timed_out"}
        assert service.closed == 1

    def test_a_service_that_does_not_close(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
        class Stuck(SleepingService):
            def close(self) -> None:
                time.sleep(0.5)

        monkeypatch.setattr("asr_scaling.scenario._loads._CLOSING_S", 0.05)
        known, _ = session_of(tmp_path, Stuck(0.0))
        found = Requests(rate=200.0, requests=5).measure(known)
        assert "did not close" in " ".join(caution.message for caution in found.cautions)

    def test_the_service_is_closed_when_the_load_is_interrupted(self, tmp_path: Path):
        class Interrupting(SleepingService):
            def submit(self, utterance: Utterance, replied: Any) -> None:
                import _thread

                _thread.interrupt_main()

        service = Interrupting(0.0)
        known, _ = session_of(tmp_path, service)
        with pytest.raises(KeyboardInterrupt):
            Requests(rate=200.0, requests=5).measure(known)
        assert service.closed == 1

    def test_without_a_service_the_point_says_so(self, tmp_path: Path):
        known, _ = session_of(tmp_path, None, engine=None)
        with pytest.raises(EngineError, match="No engine"):
            Requests(requests=5).measure(known)


class TestRecord:
    def test_the_loads_are_in_the_record_with_all_else(self, tmp_path: Path):
        job = make_job(
            serving=ServingOf(lambda: SleepingService(0.001)),
            scenario=Requests(rate=100.0, requests=20),
            folder=tmp_path,
        )
        record = run(job)
        assert record.outcome == "ok"
        assert RunRecord.read(tmp_path / "record.json").loads == record.loads
        assert record.loads[0].requests == 20
        assert record.system["serving"]["workers"] == 1
        assert "latency/mean_s" in record.values
        assert NAME in record.artifacts

    def test_what_was_measured_before_a_service_failed_stays(self, tmp_path: Path):
        def broken() -> Any:
            raise EngineError("No port is free.")

        seen = Recorder("seen", then=lambda session: Findings(tags={"seen": "yes"}))
        job = make_job(serving=ServingOf(broken), scenario=Requests(requests=5), folder=tmp_path)
        job.profiler["seen"] = seen  # type: ignore[index]
        record = run(job)
        assert (record.status, record.reason) == ("failed", "No port is free.")
        assert record.tags["seen"] == "yes"
        assert "latency/mean_s" in record.values
