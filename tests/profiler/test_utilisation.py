"""Utilisation and roofline by arithmetic, what is missing where,
and the pass in which the machine is read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from support.fakes import FakeClock, ScriptedSystem, make_session, make_spec, utterances

from asr_scaling.core.cautions import caution
from asr_scaling.core.ports import Session
from asr_scaling.core.record import Findings
from asr_scaling.core.sample import Beat, Sample
from asr_scaling.core.statistics import Interval, ratio_interval
from asr_scaling.errors import ConfigError
from asr_scaling.machine.environment import allowed_cores
from asr_scaling.machine.peak_rates import Peaks
from asr_scaling.machine.sampler import Machine
from asr_scaling.profiler import utilisation as module
from asr_scaling.profiler.utilisation import Utilisation, utilisation


def values(findings: Findings) -> dict[str, float]:
    return {metric.name: metric.value for metric in findings.metrics}


PEAKS = Peaks("float32", flop_per_s=1000.0, byte_per_s=100.0, n=512, measured_at=0.0)
ENCODER = {"flops/encoder": 1200.0, "bytes/encoder": 70.0, "bytes/encoder_weights": 40.0}
FIRST = {
    "flops/decoder_first": 200.0,
    "bytes/decoder_first": 25.0,
    "bytes/decoder_first_weights": 20.0,
}
STEP = {"flops/decoder_step": 30.0, "bytes/decoder_step": 22.0, "bytes/decoder_step_weights": 20.0}
COUNTED = ENCODER | FIRST | STEP


def sample(
    ids: tuple[str, ...] = ("u0", "u1"),
    total_s: float = 8.0,
    encoder_s: float = 4.0,
    step_s: tuple[float, ...] = (),
) -> Sample:
    return Sample(
        ids,
        3.0,
        3.0,
        total_s,
        {"encoder": encoder_s, "decoder": total_s - encoder_s},
        step_s=step_s,
    )


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Peaks without measuring; the dtypes they are asked for."""
    asked: list[str] = []
    monkeypatch.setattr(module, "peaks", lambda _, dtype, **__: asked.append(dtype) or (PEAKS, ()))
    return asked


def session(
    *samples: Sample,
    counted: Mapping[str, float] = COUNTED,
    size: int = 2,
    dtype: str = "float32",
    **changes: Any,
) -> Session:
    """Utterances of 1, 2 and 0.5 s; the longest is in the first batch of two."""
    system = ScriptedSystem(
        lambda batch, probe: None, {"encoder": torch.nn.Identity()}, dtype=dtype
    )
    return make_session(
        system, utterances([1.0, 2.0, 0.5]), size, samples=samples, values=dict(counted), **changes
    )


class TestMfu:
    def test_by_hand(self, known: list[str]):
        """Two utterances: (1200 + 200 + 2·30)·2 operations in 8 s, 1200·2 in 4 s, 30·2·2 in 0.5 s,
        at 1000 a second.

        Bytes: weights once and activations twice, 40 + 60, 20 + 10,
        and 2·(20 + 4) of two steps, at 100 a second.
        """
        found = values(utilisation(session(sample(step_s=(0.2, 0.3)))))
        assert found["utilisation/mfu"] == pytest.approx(2 * (1200 + 200 + 60) / 8 / 1000)
        assert found["utilisation/mfu_encoder"] == pytest.approx(2400 / 4 / 1000)
        assert found["utilisation/mfu_decoder"] == pytest.approx(120 / 0.5 / 1000)
        assert found["utilisation/membw"] == pytest.approx((100 + 30 + 48) / 8 / 100)
        assert found["utilisation/membw_encoder"] == pytest.approx(100 / 4 / 100)
        assert found["utilisation/membw_decoder"] == pytest.approx(48 / 0.5 / 100)
        assert (found["peak/flop_per_s"], found["peak/byte_per_s"]) == (1000, 100)
        assert known == ["float32"]

    def test_only_calls_on_the_longest_utterances_batch_count(self, known: list[str]):
        other = sample(("u2", "u0"), total_s=1000.0, encoder_s=999.0)
        found = utilisation(session(other, sample(step_s=(0.1,)), other))
        assert values(found)["utilisation/mfu_encoder"] == pytest.approx(2400 / 4 / 1000)
        assert {m.n for m in found.metrics if m.name.startswith("utilisation/")} == {1}

    def test_of_several_calls_is_the_work_of_all_over_the_time_of_all(self, known: list[str]):
        times = (3.0, 4.0, 5.5)
        found = utilisation(session(*(sample(encoder_s=s, step_s=(0.1,)) for s in times)))
        (encoder,) = (m for m in found.metrics if m.name == "utilisation/mfu_encoder")
        assert encoder.value == pytest.approx(3 * 2400 / sum(times) / 1000)
        expected = ratio_interval([2.4] * 3, times)
        assert expected is not None
        assert encoder.interval == Interval(
            pytest.approx(expected.low), pytest.approx(expected.high)
        )
        assert encoder.n == 3

    def test_two_calls_have_no_interval(self, known: list[str]):
        found = utilisation(session(sample(step_s=(0.1,)), sample(step_s=(0.1,))))
        assert [m.interval for m in found.metrics] == [None] * len(found.metrics)

    def test_equal_calls_have_a_narrow_interval(self, known: list[str]):
        found = utilisation(session(*[sample(step_s=(0.1,))] * 3))
        (interval,) = (m.interval for m in found.metrics if m.name == "utilisation/mfu_encoder")
        assert interval == Interval(pytest.approx(0.6), pytest.approx(0.6))

    def test_a_model_without_steps_has_an_encoder_only(self, known: list[str]):
        found = utilisation(session(sample(), counted=ENCODER))
        assert values(found)["utilisation/mfu"] == pytest.approx(2400 / 8 / 1000)
        for name in (
            "utilisation/mfu_decoder",
            "utilisation/membw_decoder",
            "roofline/decoder_intensity",
        ):
            assert found.unavailable[name] == "the model does not decode step by step"
        assert "roofline/decoder" not in found.tags

    def test_no_call_on_that_batch(self, known: list[str]):
        found = utilisation(session(sample(("u2", "u0"))))
        assert "pipeline.max_seconds" in found.unavailable["utilisation/mfu"]
        assert "roofline/encoder" in found.tags

    def test_calls_that_decode_again_do_not_count(self, known: list[str]):
        once, again = sample(), replace(sample(total_s=80.0), again=1)
        both, alone = (utilisation(session(*samples)) for samples in ((again, once), (once,)))
        assert values(both)["utilisation/mfu"] == values(alone)["utilisation/mfu"]
        none = utilisation(session(again))
        assert "decoded again in every call" in none.unavailable["utilisation/mfu"]

    def test_a_stage_that_the_engine_does_not_mark(self, known: list[str]):
        found = utilisation(session(Sample(("u0", "u1"), 3.0, 3.0, 8.0, {"other": 8.0})))
        assert "'encoder'" in found.unavailable["utilisation/mfu_encoder"]
        assert "utilisation/mfu" in values(found)

    @pytest.mark.parametrize(
        ("window_s", "size", "there"), [(1.5, 2, False), (1.5, 1, True), (2.0, 2, True)]
    )
    def test_batches_that_shrink_have_no_figure(
        self, known: list[str], window_s: float, size: int, there: bool
    ):
        """Of 2 s of audio in windows of 1.5 s, one utterance's second window may be alone."""
        ids = ("u0", "u1")[2 - size :]
        found = utilisation(
            session(sample(ids, step_s=(0.1,)), size=size, model=make_spec(window_s=window_s))
        )
        assert ("utilisation/mfu" in values(found)) == there
        assert ("batch=1" in found.unavailable.get("utilisation/mfu", "")) == (not there)


class TestRoofline:
    def test_by_hand(self, known: list[str]):
        """At two utterances: 2400 operations over 40 + 60 bytes, and 60 over 20 + 4;
        the ridge is at 10."""
        found = utilisation(session(sample()))
        assert values(found)["roofline/encoder_intensity"] == pytest.approx(24.0)
        assert values(found)["roofline/decoder_intensity"] == pytest.approx(2.5)
        assert values(found)["roofline/ridge"] == pytest.approx(10.0)
        assert found.tags == {"roofline/encoder": "compute", "roofline/decoder": "memory"}

    def test_a_larger_batch_reads_the_weights_once(self, known: list[str]):
        at_one, at_three = (
            values(utilisation(session(counted=COUNTED, size=n)))["roofline/decoder_intensity"]
            for n in (1, 3)
        )
        assert (at_one, at_three) == pytest.approx((30 / 22, 90 / 26))


class TestWhatIsMissing:
    ALL = (*module._RATES, *module._ROOFLINE, *module._PEAKS)

    def missing(self, found: Findings) -> str:
        assert found.metrics == ()
        assert set(found.unavailable) == set(self.ALL)
        (reason,) = set(found.unavailable.values())
        return reason

    def test_counts(self, known: list[str]):
        assert "put flops before utilisation" in self.missing(
            utilisation(session(sample(), counted={}))
        )
        assert known == []

    def test_modules(self, known: list[str]):
        found = make_session(
            ScriptedSystem(lambda b, p: None), utterances([1.0]), values=dict(COUNTED)
        )
        assert "no torch modules" in self.missing(utilisation(found))
        assert known == []

    def test_a_dtype_with_a_peak(self, known: list[str]):
        assert "int8" in self.missing(utilisation(session(sample(), dtype="int8")))
        assert known == []

    @pytest.mark.parametrize(
        "error", [RuntimeError("no kernel"), MemoryError("full"), PermissionError("read-only")]
    )
    def test_peaks_that_cant_be_measured(self, monkeypatch: pytest.MonkeyPatch, error: Exception):
        def fail(*_: Any, **__: Any) -> None:
            raise error

        monkeypatch.setattr(module, "peaks", fail)
        assert str(error) in self.missing(utilisation(session(sample())))

    def test_changed_peaks_are_passed_on(self, monkeypatch: pytest.MonkeyPatch):
        changed = caution("PeaksChanged", work="Matrix products ran at", kept="2", now="1")
        monkeypatch.setattr(module, "peaks", lambda *_, **__: (PEAKS, (changed,)))
        (passed_on,) = utilisation(session(sample())).cautions
        assert passed_on.kind == "PeaksChanged"

    def test_peaks_are_held_against_the_state_between_the_calls(
        self, monkeypatch: pytest.MonkeyPatch
    ):
        states = []
        monkeypatch.setattr(module, "peaks", lambda *_, state: states.append(state) or (PEAKS, ()))
        beats = tuple(Beat(float(i), {"products": 1.0 + i}) for i in range(3))
        utilisation(session(sample(), beats=beats))
        assert states == [{"products": 2.0}]


class TestSampledPass:
    @pytest.mark.parametrize("hz", [0, -1, 10.5, float("nan")])
    def test_hz(self, hz: float):
        with pytest.raises(ConfigError, match=r"profiler\.utilisation\.hz"):
            Utilisation(hz=hz)
        assert Utilisation(hz=10).hz == 10

    @pytest.mark.parametrize("seconds", [0, -1, float("nan")])
    def test_seconds(self, seconds: float):
        with pytest.raises(ConfigError, match=r"profiler\.utilisation\.seconds"):
            Utilisation(seconds=seconds)

    def calls(
        self, clock: FakeClock, monkeypatch: pytest.MonkeyPatch, call_s: float, seconds: float
    ) -> list[str]:
        monkeypatch.setattr(module, "time", clock.as_time())
        seen: list[str] = []

        def script(batch: Any, probe: Any) -> None:
            seen.append(batch.utterances[0].id)
            clock.sleep(call_s)

        Utilisation(seconds).measure(
            make_session(ScriptedSystem(script), utterances([1.0, 2.0, 3.0]))
        )
        return seen

    def test_the_batches_go_round_until_the_time_is_over(
        self, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
    ):
        assert self.calls(clock, monkeypatch, 0.5, 2.0) == ["u0", "u1", "u2", "u0"]

    def test_one_call_at_least(self, clock: FakeClock, monkeypatch: pytest.MonkeyPatch):
        assert self.calls(clock, monkeypatch, 3.0, 2.0) == ["u0"]

    @pytest.mark.parametrize(("total_s", "runs"), [(4.0, True), (4.1, False)])
    def test_slow_calls_cost_nothing(
        self, clock: FakeClock, monkeypatch: pytest.MonkeyPatch, total_s: float, runs: bool
    ):
        monkeypatch.setattr(module, "time", clock.as_time())
        seen: list[int] = []

        def script(batch: Any, probe: Any) -> None:
            seen.append(len(batch))
            clock.sleep(total_s)

        rows = [sample(("u0",), total_s=s) for s in (1.0, total_s, 100.0)]
        session = make_session(ScriptedSystem(script), utterances([1.0]), samples=rows)
        findings = Utilisation(seconds=2.0).measure(session)
        assert bool(seen) == runs
        if not runs:
            assert (
                "raise profiler.utilisation.seconds to 5"
                in findings.unavailable["utilisation/cpu_share"]
            )
            names = {
                "utilisation/sampler_share",
                f"utilisation/cpu{allowed_cores()[0]}_share",
                "utilisation/gpu_share",
            }
            assert names <= set(findings.unavailable)

    def test_of_this_machine(self):
        """A call that computes for a while:
        its core is busy, and the thread costs little beside it."""
        import time

        def script(batch: Any, probe: Any) -> None:
            until = time.perf_counter() + 0.1
            while time.perf_counter() < until:
                sum(range(1000))

        found = Utilisation(seconds=0.5, hz=10).measure(
            make_session(ScriptedSystem(script), utterances([1.0]))
        )
        got = values(found)
        assert 0 < got["utilisation/cpu_share"] <= 1
        busiest = max(got.get(f"utilisation/cpu{core}_share", 0.0) for core in allowed_cores())
        assert got["utilisation/cpu_share"] <= busiest <= 1
        assert 0 < got["utilisation/sampler_share"] < 0.2
        assert found.unavailable["utilisation/gpu_share"] == "the system does not run on a GPU"

    def test_a_failing_reader_is_unavailable(self, monkeypatch: pytest.MonkeyPatch):
        def read(self: Machine) -> None:
            raise OSError("gone")

        monkeypatch.setattr(Machine, "read", read)
        found = Utilisation(seconds=0.01).measure(
            make_session(ScriptedSystem(lambda b, p: None), utterances([1.0]))
        )
        assert "OSError: gone" in found.unavailable["utilisation/cpu_share"]
        assert set(values(found)) == {"utilisation/sampler_share"}

    def test_heat_of_the_processor_is_a_caution(self, monkeypatch: pytest.MonkeyPatch):
        events = iter([3, 5])
        monkeypatch.setattr(
            module, "read_counters", lambda: SimpleNamespace(throttled=next(events))
        )
        found = Utilisation(seconds=0.01).measure(
            make_session(ScriptedSystem(lambda b, p: None), utterances([1.0]))
        )
        assert [c.kind for c in found.cautions] == ["Throttled"]
        assert "2 thermal events" in found.cautions[0].message
