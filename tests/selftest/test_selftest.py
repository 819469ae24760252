"""The self-test: each check passes where all is right and fails where a fault is put in;
the table, the certificate."""

from __future__ import annotations

import json
import random
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import psutil
import pytest
from support.fakes import (
    FakeClock,
    FakeDevice,
    Recorder,
    ScriptedEngine,
    ScriptedSystem,
    transcription,
)

from asr_scaling.cli.selftest import main
from asr_scaling.core.checksum import signed, verified
from asr_scaling.core.metric import Metric
from asr_scaling.core.ports import Transcription
from asr_scaling.core.record import Findings
from asr_scaling.core.sample import Sample
from asr_scaling.core.timing_probe import TimingProbe
from asr_scaling.core.workload import AudioBatch
from asr_scaling.errors import ConfigError, EngineError
from asr_scaling.machine.environment import environment
from asr_scaling.selftest import clock, known_answers, machine
from asr_scaling.selftest.certificate import (
    MAX_AGE_S,
    certificate,
    fresh,
    keep,
    obtain,
    remarks,
    summary,
)
from asr_scaling.selftest.checks import Check, graded, overall, tried


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ASR_SCALING_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "selftest"


class TestTimer:
    def test_a_fine_and_cheap_clock_passes(self) -> None:
        found = clock.timer(count().__next__)
        assert found.values["step_s"] == 1e-9
        assert found.values["read_s"] > 0
        assert found.status in ("pass", "warn")  # how dear a reading is, is the machine's affair

    def test_a_slow_clock_fails(self) -> None:
        def slow() -> int:
            end = time.perf_counter_ns() + 20_000
            while time.perf_counter_ns() < end:
                pass
            return end

        found = clock.timer(slow)
        assert found.status == "fail"
        assert found.values["read_s"] >= 20e-6
        assert "clock source" in found.advice

    def test_a_slow_mark_fails(self) -> None:
        device = FakeDevice()
        device.mark = (  # type: ignore[method-assign,func-returns-value]
            lambda: time.sleep(2e-5) or 0
        )
        assert clock.timer(device=device).status == "fail"

    def test_a_coarse_clock_fails(self) -> None:
        ns = count(0, 10)
        found = clock.timer(lambda: next(ns) // 1_000_000 * 1_000_000)  # a tick of 1 ms
        assert found.status == "fail"
        assert found.values["step_s"] == 1e-3

    def test_a_clock_that_stands_still_fails(self) -> None:
        found = clock.timer(lambda: 0)
        assert found.status == "fail"
        assert found.figure.startswith("never moves")
        assert "step_s" not in found.values


class FastDevice(FakeDevice):
    """Its seconds are 3 % long, or by another ``rate``."""

    rate = 1.03

    def seconds(self, marks: Sequence[int]) -> list[float]:
        return [self.rate * value for value in super().seconds(marks)]


class LateDevice(FakeDevice):
    """Its time line does not begin at the first mark."""

    def seconds(self, marks: Sequence[int]) -> list[float]:
        return [value + 0.001 for value in super().seconds(marks)]


def sleeper(fake: FakeClock, takes: float = 1.0, says: float = 1.0) -> Callable[[float], float]:
    def sleep(seconds: float) -> float:
        fake.sleep(seconds * takes)
        return seconds * says

    return sleep


class TestKnownSleeps:
    def check(
        self, takes: float = 1.0, says: float = 1.0, device: type[FakeDevice] = FakeDevice
    ) -> Check:
        fake = FakeClock()
        return clock.known_sleeps(sleeper(fake, takes, says), device(fake), fake.perf_counter)

    def test_exact_sleeps_come_back_exactly(self) -> None:
        found = self.check()
        assert found.status == "pass"
        assert found.values == pytest.approx({"error": 0, "late": 0}, abs=1e-4)  # whole samples

    def test_sleeps_that_take_longer_and_say_so_are_the_machines_fault(self) -> None:
        found = self.check(takes=1.05, says=1.05)
        assert (found.status, found.figure) == (
            "warn",
            "sleeps wake 5.0% late, and were measured right",
        )
        assert "machine was disturbed" in found.advice

    def test_what_a_call_does_beside_sleeping_is_no_error(self) -> None:
        found = self.check(takes=1.05)  # 5 % more than the sleeps themselves
        assert (found.status, found.figure) == ("pass", "mean, p50 and p90 right within 0.00%")

    def test_what_the_engine_saw_and_what_was_measured_must_agree(self) -> None:
        found = self.check(device=FastDevice)
        assert (found.status, found.figure) == ("fail", "mean, p50 or p90 is 3.0% off")
        assert "report" in found.advice
        assert self.check(takes=1.05, says=1.05, device=FastDevice).status == "fail"

    @pytest.mark.parametrize(
        ("rate", "status"), [(1.009, "pass"), (1.011, "fail"), (0.991, "pass"), (0.989, "fail")]
    )
    def test_a_percent_is_the_limit(
        self, rate: float, status: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(FastDevice, "rate", rate)
        assert self.check(device=FastDevice).status == status

    @pytest.mark.parametrize(("seconds", "status"), [(0.0001, "pass"), (0.0004, "fail")])
    def test_a_pipeline_that_times_what_follows_a_call_fails(
        self, seconds: float, status: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        ends = TimingProbe.sample

        def late(probe: TimingProbe, batch: AudioBatch, result: Transcription) -> Sample:
            fake.sleep(seconds)  # calls of 15 to 45 ms
            return ends(probe, batch, result)

        fake = FakeClock()
        monkeypatch.setattr(TimingProbe, "sample", late)
        found = clock.known_sleeps(sleeper(fake), FakeDevice(fake), fake.perf_counter)
        assert found.status == status

    def test_the_real_sleep_is_never_short(self) -> None:
        for seconds in (0.0005, 0.003):
            start = time.perf_counter()
            said = clock.precise_sleep(seconds)
            assert seconds <= said <= time.perf_counter() - start


class TestStages:
    def check(self, takes: float = 1.0, device: type[FakeDevice] = FakeDevice) -> Check:
        fake = FakeClock()
        return clock.stages(sleeper(fake, takes), device(fake))

    def test_they_add_up(self) -> None:
        found = self.check()
        assert found.status == "pass"
        assert found.values == pytest.approx({"gap": 0, "encoder_error": 0}, abs=1e-6)

    def test_a_gap_and_a_wrong_stage_fail(self) -> None:
        late = self.check(device=LateDevice)
        assert (late.status, late.values["gap"] > 0.02) == ("fail", True)
        wrong = self.check(takes=1.05)
        assert (wrong.status, wrong.values["gap"] < 1e-6) == ("fail", True)


def times(spread: float, bias: float = 1.0) -> Callable[[], float]:
    """Of a call of 20 ms with lognormal noise; every second one times ``bias``."""
    dice, turn = random.Random(1), count()
    return lambda: 0.02 * dice.lognormvariate(0, spread) * (bias if next(turn) % 2 else 1.0)


class TestNoise:
    def test_the_floor_follows_the_noise(self) -> None:
        found = [clock.noise(times(spread)) for spread in (0.01, 0.15, 0.5)]
        assert [check.status for check in found] == ["pass", "warn", "fail"]
        floors = [check.values["noise_floor"] for check in found]
        assert floors == sorted(floors)
        assert 0.015 < found[0].values["call_s"] < 0.025
        assert found[0].advice == ""
        assert found[2].advice

    def test_two_halves_that_differ_are_said(self) -> None:
        found = clock.noise(times(0.001, bias=1.01))
        assert (found.status, found.figure) == (
            "warn", "differences below 1.0% are noise; the same thing twice seems to differ"
        )  # fmt: skip
        assert found.values["low"] > 0
        assert clock.noise(times(0.001, bias=1.2)).status == "fail"

    def test_the_real_product_takes_a_time_that_the_clock_resolves(self) -> None:
        found = clock.noise(pairs=4)
        assert 1e-5 < found.values["call_s"] < 2

    def test_two_pairs_are_too_few(self) -> None:
        with pytest.raises(ConfigError, match="at least three pairs; got 2"):
            clock.noise(times(0.01), pairs=2)


class TestNeighbours:
    def looks(self, *seen: tuple[bool, float]) -> Callable[[], tuple[bool, float]]:
        return iter(seen).__next__

    def test_verdicts(self) -> None:
        good = machine.neighbours(self.looks((False, 0.01), (True, 0.98)))
        assert (good.status, good.figure) == ("pass", "1% at rest, 98% seen under load")
        busy = machine.neighbours(self.looks((True, 0.4), (True, 1.0)))
        assert (busy.status, busy.figure) == ("warn", "others use 40% of the cores' time right now")
        blind = machine.neighbours(self.looks((False, 0.0), (False, 0.0)))
        assert blind.status == "fail"
        assert "unnoticed (0% seen)" in blind.figure

    def test_a_real_load_is_noticed_and_none_is_left_behind(self) -> None:
        before = {child.pid for child in psutil.Process().children()}
        found = machine.neighbours()
        assert found.status in ("pass", "warn")  # other programs may run beside the tests
        assert found.values["others_loaded"] > 0.05
        assert {child.pid for child in psutil.Process().children()} <= before


@dataclass
class FakeCounter:
    """Ticks every ``period_s``; never, when that is None."""

    component: str = "cpu"
    period_s: float | None = 0.002
    method: str = "measured by hand"
    closed: bool = False

    def joules(self) -> float:
        return time.perf_counter() // self.period_s if self.period_s else 0.0

    def close(self) -> None:
        self.closed = True


class TestEnergy:
    def test_a_counter_and_its_tick(self) -> None:
        counter = FakeCounter(period_s=0.02)
        found = machine.energy(
            lambda device: ([counter], {"memory": "no counter", "gpu": "not used"})
        )
        assert found.status == "pass"
        assert found.figure.startswith("cpu measured by hand, a tick every ")
        assert 0.018 < found.values["cpu_tick_s"] < 0.2  # a machine that is busy misses ticks
        assert counter.closed

    def test_no_counter_means_estimates(self) -> None:
        found = machine.energy(
            lambda device: ([], {"cpu": "no RAPL", "memory": "no RAPL", "gpu": "none here"})
        )
        assert found.status == "warn"
        assert found.figure.startswith("no counter of the cpu: no RAPL")
        assert "estimated" in found.advice

    def test_a_counter_that_stands_still_is_none(self) -> None:
        found = machine.energy(lambda device: ([FakeCounter(period_s=None)], {"gpu": "not used"}))
        assert (found.status, found.figure) == (
            "warn",
            "no counter of the cpu: its counter does not move",
        )


class TestFlops:
    @pytest.mark.filterwarnings("ignore:distutils:DeprecationWarning")  # thop imports it
    def test_layers_are_counted_as_by_hand(self) -> None:
        found = known_answers.flops()
        assert found.status == "pass", found.figure
        assert found.values == {"flops/encoder": 215040, "flops/encoder_thop": 163840}

    def test_another_count_fails(self) -> None:
        wrong = Findings(
            (Metric("flops/encoder", 215041, 1), Metric("flops/encoder_thop", 163840, 1))
        )
        found = known_answers.flops(Recorder(then=lambda session: wrong))
        assert found.status == "fail"
        assert found.figure.startswith(
            "flops/encoder is 215041, by hand 215040; flops/encoder_thop is 163840"
        )
        missing = known_answers.flops(
            Recorder(then=lambda session: Findings(unavailable={"flops/encoder": "no torch"}))
        )
        assert (missing.status, missing.values) == ("fail", {})
        assert missing.figure.startswith(
            "flops/encoder is no torch, by hand 215040; flops/encoder_thop is missing"
        )


class TestKnownAnswer:
    def check(self, tmp_path: Path, changes: dict[str, str]) -> Check:
        texts = {**known_answers.KNOWN_TEXTS, **changes}

        def script(batch: Any, probe: Any) -> Any:
            return transcription(batch, texts=tuple(texts[u.id] for u in batch.utterances))

        return known_answers.known_answer(
            ScriptedEngine(ScriptedSystem(script)), lambda hub_id, spec: (tmp_path, "here")
        )

    def test_the_known_texts_pass(self, tmp_path: Path) -> None:
        found = self.check(tmp_path, {})
        assert (found.status, found.values) == ("pass", {"wer": 1 / 36, "words_differing": 0})

    def test_a_word_or_two_is_rounding(self, tmp_path: Path) -> None:
        found = self.check(tmp_path, {"demo-012": "turn off the light in the kitchen"})
        assert (found.status, found.values["words_differing"]) == ("warn", 1)

    def test_more_words_are_another_model(self, tmp_path: Path) -> None:
        found = self.check(tmp_path, {"demo-012": "something else was said here", "demo-021": ""})
        assert found.status == "fail"
        assert "WER 44.4% instead of 2.8%" in found.figure

    def test_without_weights_it_is_skipped(self) -> None:
        found = known_answers.known_answer(weights=lambda hub_id, spec: None)
        assert (found.status, found.figure) == ("skip", "no package with weights is installed")

    def test_an_engine_that_fails_is_a_fail_with_its_reason(self, tmp_path: Path) -> None:
        def script(batch: Any, probe: Any) -> Any:
            raise EngineError("it broke.")

        engine = ScriptedEngine(ScriptedSystem(script))
        found = tried(
            "known answer",
            lambda: known_answers.known_answer(engine, lambda hub_id, spec: (tmp_path, "here")),
        )
        assert (found.status, found.figure) == ("fail", "failed: it broke.")


def test_a_check_that_raises_is_a_fail_with_one_sentence() -> None:
    def broken() -> Check:
        raise ValueError("two\nlines")

    found = tried("broken", broken)
    assert (found.name, found.status, found.figure) == ("broken", "fail", "ValueError: two lines")
    assert found.advice


PASS = Check("one", "pass", "as it should", values={"noise_floor": 0.02})
WARN = Check("two", "warn", "[not] quite", "mend it")
SKIP = Check("three", "skip", "not here", "install it")
FAIL = Check("four", "fail", "wrong", "mend that")


@pytest.mark.parametrize(
    ("checks", "status", "code"),
    [((PASS, SKIP), "pass", 0), ((PASS, WARN, SKIP), "warn", 0), ((FAIL, WARN, PASS), "fail", 1)],
)
def test_table_exit_code_and_json(
    checks: Sequence[Check],
    status: str,
    code: int,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = tmp_path / "new" / "certificate.json"
    assert (
        main(["--json", str(path)], {check.name: lambda check=check: check for check in checks})
        == code
    )
    out = capsys.readouterr().out
    for check in checks:
        assert f" {check.name} " in out
        assert check.figure in out
        assert check.advice in out
    counts = (
        f"{sum(c.status == 'warn' for c in checks)} warn, "
        f"{sum(c.status == 'fail' for c in checks)} fail"
    )
    assert counts in out.splitlines()[-1]
    written = json.loads(path.read_bytes())
    assert written["status"] == status == overall(checks)
    assert [Check(**row) for row in written["checks"]] == list(checks)
    assert fresh() == verified(written)


def test_a_certificate_that_can_not_be_written_is_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    assert main(["--json", str(tmp_path / "file" / "x.json")], {"one": lambda: PASS}) == 1
    assert (
        "can't be written (File exists): name another file with --json." in capsys.readouterr().err
    )


def test_arguments_it_does_not_know_are_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--jsn", "x.json"], {"one": lambda: PASS}) == 1
    said = capsys.readouterr()
    assert said.err == (
        "error: unrecognized arguments: --jsn x.json; see  python -m asr_scaling selftest --help.\n"
    )
    assert said.out == ""


class TestCertificate:
    def never(self, path: Path) -> str:
        raise AssertionError("the kept one was not used")

    def made(self, *checks: Check) -> Callable[[Path], str]:
        def make(path: Path) -> str:
            path.write_text(json.dumps(certificate(checks, 1.0), default=vars))
            return ""

        return make

    def obtained(self, make: Callable[[Path], str]) -> tuple[Any, list[str]]:
        said: list[str] = []
        return obtain(said.append, make), said

    def age(self, cache: Path, seconds: float) -> None:
        (path,) = cache.iterdir()
        at = (datetime.now(UTC) - timedelta(seconds=seconds)).isoformat()
        path.write_text(json.dumps(signed(verified(json.loads(path.read_bytes())) | {"at": at})))

    def test_a_fresh_one_is_used_in_silence(self, cache: Path) -> None:
        kept = certificate([PASS, WARN], 12.0)
        keep(kept)
        self.age(cache, MAX_AGE_S - 60)
        found, said = self.obtained(self.never)
        assert {**found, "at": kept["at"]} == kept
        assert said == []

    @pytest.mark.parametrize("seconds", [MAX_AGE_S + 60, -3600])
    def test_one_of_yesterday_or_tomorrow_is_made_anew(self, cache: Path, seconds: float) -> None:
        keep(certificate([FAIL], 12.0))
        self.age(cache, seconds)
        found, said = self.obtained(self.made(PASS))
        assert found["status"] == "pass"
        assert said == ["self-test (once a day, about 30 s) …"]

    @pytest.mark.parametrize(
        "damage",
        [
            "",
            "{",
            "[]",
            "{}",
            '{"schema": 2}',
            '{"schema": 1}',
            '{"schema": 2, "checks": 5, "at": 1}',
        ],
    )
    def test_a_damaged_one_is_made_anew(self, cache: Path, damage: str) -> None:
        keep(certificate([FAIL], 12.0))
        (path,) = cache.iterdir()
        path.write_text(damage)
        assert fresh() is None
        assert self.obtained(self.made(PASS))[0]["status"] == "pass"

    def test_one_of_before_processes_were_compared_is_made_anew(self, cache: Path) -> None:
        keep(certificate([PASS], 12.0))
        (path,) = cache.iterdir()
        old = verified(json.loads(path.read_bytes())) | {"schema": 1}
        path.write_text(json.dumps(signed(old)))
        assert self.obtained(self.made(WARN))[0]["status"] == "warn"

    def test_another_host_needs_another(self, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        keep(certificate([PASS], 12.0))
        assert fresh() is not None
        monkeypatch.setattr(socket, "gethostname", lambda: "elsewhere")
        environment.cache_clear()
        try:
            assert fresh() is None
            keep(certificate([WARN], 12.0))
            assert fresh()["status"] == "warn"  # type: ignore[index]
        finally:
            environment.cache_clear()
        monkeypatch.undo()

    @pytest.mark.parametrize(
        ("make", "reason"),
        [
            (lambda path: "it ended with 3: no torch", "it ended with 3: no torch"),
            (lambda path: path.write_text("{") and "", "JSONDecodeError: "),
        ],
    )
    def test_one_that_can_not_be_made_is_failed_with_its_reason(
        self, cache: Path, make: Callable[[Path], str], reason: str
    ) -> None:
        found, _ = self.obtained(make)
        assert found["status"] == "fail"
        assert found["reason"].startswith(reason)
        assert summary(found).keys() == {"status", "at", "host"}
        assert remarks(found)[0].startswith(f"The self-test could not be run ({reason}")
        assert fresh() is None

    def test_one_that_never_ends_is_failed_too(self) -> None:
        def hang(path: Path) -> str:
            raise subprocess.TimeoutExpired("selftest", 300)

        assert self.obtained(hang)[0]["reason"] == "it did not end within 300 s"

    def test_what_records_and_notes_say(self) -> None:
        found = certificate([PASS, WARN, FAIL, SKIP], 12.0)
        brief = {
            "status": "fail",
            "at": found["at"],
            "host": environment()["host"],
            "noise_floor": 0.02,
        }
        assert summary(found) == brief
        (line,) = remarks(found)
        assert "four failed (wrong); two warns ([not] quite). Advice, and a new one:" in line
        assert remarks(certificate([PASS, SKIP], 1.0)) == []


@pytest.mark.slow
def test_the_whole_in_a_process_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "certificate.json"
    done = subprocess.run(
        [sys.executable, "-m", "asr_scaling", "selftest", "--json", str(path)],
        capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip
    found = {check["name"]: check for check in json.loads(path.read_bytes())["checks"]}
    assert done.returncode == any(check["status"] == "fail" for check in found.values()), (
        done.stderr
    )
    assert len(found) == 9
    for name in (
        "timer",
        "sum of stages",
        "known FLOPs",
    ):  # what another program's load can't spoil
        assert found[name]["status"] == "pass", found[name]
    assert found["known answer"]["status"] in ("pass", "warn", "skip"), found["known answer"]
    spread = found["between processes"]
    assert (share := spread["values"]["spread"]) > 0  # of any size beside other programs
    assert spread["status"] == graded(share, 0.05, 0.5), spread
    assert spread["values"]["freedom"] == 5


@pytest.fixture(autouse=True)
def no_child_is_left() -> Iterator[None]:
    before = set(psutil.Process().children())
    yield
    assert set(psutil.Process().children()) <= before


def test_statuses_in_order() -> None:
    assert overall([replace(PASS), replace(SKIP)]) == "pass"
    assert overall([]) == "pass"
