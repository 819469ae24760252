"""Checks of times: the timer, calls of known length, their stages, and this machine's noise."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field

import numpy as np

from asr_scaling.batch.fixed import Fixed
from asr_scaling.core.model_spec import ModelSpec, load_spec
from asr_scaling.core.ports import Device, Probe, SystemSpec, Transcription
from asr_scaling.core.record import RunRecord
from asr_scaling.core.statistics import Interval, mean_interval, noise_floor
from asr_scaling.core.workload import SAMPLE_RATE_HZ, AudioBatch, DatasetInfo, Utterance, Workload
from asr_scaling.device.cpu import Cpu
from asr_scaling.engine.fake import Fake, FakeSystem
from asr_scaling.errors import AsrScalingError, ConfigError
from asr_scaling.machine.metronome import best, products
from asr_scaling.measure.job import Job, run
from asr_scaling.measure.pipeline import Pipeline
from asr_scaling.profiler.latency import Latency
from asr_scaling.selftest.checks import Check, graded, overall

CALLS_S = tuple(0.015 + 0.03 * (i * 29 % 48 / 47) ** 2 for i in range(48))
"""15 to 45 ms, mostly short, so that mean, median and p90 differ; a p90 needs 44 calls."""
_PER_AUDIO_S = 0.01
_STEPS = 4
_SPIN_S = 0.001
_UNIT_S = 0.02
_BUSY = (
    "The machine was disturbed: stop other programs, fix the clock frequency, or use a dedicated "
    "machine."
)
_COARSE = "The system's clock source is coarse or slow: choose tsc, or another host."
_WRONG = "Times of this installation can't be trusted: report this table as a bug."


def timer(clock: Callable[[], int] = time.perf_counter_ns, device: Device | None = None) -> Check:
    """Smallest step of a clock, and what a reading and a mark cost.

    clock: returns nanoseconds.
    device: whose ``mark`` is tested; None for the CPU.

    A call has a dozen marks and takes milliseconds: a mark and a step of 1 µs are 0.1 % of it.
    """
    step = _step(clock)
    read, mark = _cost(clock), _cost((device or Cpu()).mark)
    limits = ((step, 1e-4), (read, 1e-5), (mark, 1e-5))
    status = overall(Check("", graded(seconds, 1e-6, limit), "") for seconds, limit in limits)
    values = {"read_s": read, "mark_s": mark}
    motion = "never moves"
    if math.isfinite(step):
        motion, values["step_s"] = f"steps of {_short(step)}", step
    figure = f"{motion}; a reading costs {_short(read)}, a mark {_short(mark)}"
    return Check("timer", status, figure, "" if status == "pass" else _COARSE, values)


def _step(clock: Callable[[], int]) -> float:
    """Shortest of a thousand steps between readings, in seconds; infinite without any step."""
    steps, last = list[int](), clock()
    for _ in range(1_000_000):
        now = clock()
        if now != last:
            steps.append(now - last)
            last = now
            if len(steps) == 1000:
                break
    return min(steps) / 1e9 if steps else math.inf


def _cost(function: Callable[[], object], calls: int = 2000) -> float:
    """Seconds of one call: the best of five rounds, since some may be disturbed."""
    rounds = []
    for _ in range(5):
        start = time.perf_counter_ns()
        for _ in range(calls):
            function()
        rounds.append((time.perf_counter_ns() - start) / calls / 1e9)
    return min(rounds)


def _short(seconds: float) -> str:
    return f"{seconds * 1e9:.0f} ns" if seconds < 1e-6 else f"{seconds * 1e6:.1f} µs"


def precise_sleep(seconds: float) -> float:
    """Sleep until just before the end, then spin; returns the seconds it really took."""
    start = time.perf_counter_ns()
    end = start + round(seconds * 1e9)
    if seconds > _SPIN_S:
        time.sleep(seconds - _SPIN_S)
    while (now := time.perf_counter_ns()) < end:
        pass
    return (now - start) / 1e9


Sleep = Callable[[float], float]


def known_sleeps(
    sleep: Sleep = precise_sleep,
    device: Device | None = None,
    clock: Callable[[], float] = time.perf_counter,
) -> Check:
    """Calls of known, different lengths in the pipeline: mean, median and p90 are right within 1 %.

    sleep: sleeps for some seconds; returns the seconds it really took.
    device: whose clock is tested; None for the CPU.
    clock: what the engine itself reads, in seconds, when a call begins and when it ends.

    The pipeline is compared with the engine's own readings, so what the host adds within a call is
    no error of the pipeline. Sleeps that take over 1 % longer than asked are a warning.
    """
    record, slept, observed = _known_pass(CALLS_S, sleep, device, clock)
    off, late = _worst(record.values, observed), _worst(_figures(map(sum, slept)), CALLS_S)
    values = {"error": off, "late": late}
    if off > 0.01:
        return Check("known sleeps", "fail", f"mean, p50 or p90 is {off:.1%} off", _WRONG, values)
    if late > 0.01:
        figure = f"sleeps wake {late:.1%} late, and were measured right"
        return Check("known sleeps", "warn", figure, _BUSY, values)
    figure = f"mean, p50 and p90 right within {off:.2%}"
    return Check("known sleeps", "pass", figure, values=values)


def stages(sleep: Sleep = precise_sleep, device: Device | None = None) -> Check:
    """Stages of known calls add up to the total, and the encoder's is its sleep, within 2 %."""
    record, slept, _ = _known_pass(CALLS_S[:12], sleep, device, time.perf_counter)
    gap = max(abs(sum(sample.stages.values()) / sample.total_s - 1) for sample in record.samples)
    encoder = statistics.median(
        abs(sample.stages.get("encoder", 0.0) / parts[1] - 1)
        for sample, parts in zip(record.samples, slept, strict=True)
    )
    ok, values = max(gap, encoder) <= 0.02, {"gap": gap, "encoder_error": encoder}
    figure = f"they add up within {gap:.2%}, the encoder's is right within {encoder:.2%}"
    return Check("sum of stages", "pass" if ok else "fail", figure, "" if ok else _WRONG, values)


def noise(timed: Callable[[], float] | None = None, pairs: int = 50) -> Check:
    """A/A test: one computation of about 20 ms, timed as two systems in turn, must not differ.

    timed: does the computation once; returns the seconds it took.
    pairs: number of times that each of the two is timed.

    The floor is the smallest difference that is not noise (``noise_floor``). By chance one test in
    twenty finds a difference, so a difference must be found twice.
    """
    timed = timed or _unit()
    for _ in range(2):
        times = [timed() for _ in range(2 * pairs)]
        floor, ratio = _compare(times)
        if same := ratio.low <= 0 <= ratio.high:
            break
    status = graded(floor, 0.03, 0.10)
    figure = f"differences below {floor:.1%} are noise"
    if not same:
        figure += "; the same thing twice seems to differ"
        status = "fail" if status == "fail" else "warn"
    values = {"noise_floor": floor, **asdict(ratio), "call_s": statistics.median(times)}
    return Check("A/A noise", status, figure, "" if status == "pass" else _BUSY, values)


def _compare(times: Sequence[float]) -> tuple[float, Interval]:
    """The noise floor of times A, B, A, B …, and the interval of the log ratio B/A."""
    floor, pairs = noise_floor([times]), list(zip(times[::2], times[1::2], strict=True))
    interval = mean_interval([math.log(b / a) for a, b in pairs])
    if floor is None or interval is None:
        raise ConfigError(f"An A/A test needs at least three pairs; got {len(pairs)}.")
    return floor, interval


def _unit() -> Callable[[], float]:
    """Times the metronome's products for about 20 ms, on all cores this process may use.

    On all of them, unlike the metronome: calls run there, and noise of any core is theirs.
    """
    Cpu().setup()
    probe = products("float32")
    times = max(1, round(_UNIT_S / best(probe)))
    return lambda: math.fsum(probe() for _ in range(times))


@dataclass(frozen=True)
class Silence:
    """Silent utterances of known lengths, for an engine that only sleeps.

    lengths_s: seconds of each utterance.
    name: of the dataset.
    """

    lengths_s: Sequence[float]
    name: str = "silence"

    def load(self, limit: int | None) -> Workload:
        """The first ``limit`` of them; all when it is None."""
        sizes = [round(seconds * SAMPLE_RATE_HZ) for seconds in self.lengths_s[:limit]]
        silent = tuple(
            Utterance(f"{i}", np.zeros(n, dtype=np.float32), "silence") for i, n in enumerate(sizes)
        )
        audio_s = sum(utterance.duration_s for utterance in silent)
        info = DatasetInfo(self.name, "made here", "none", "none", len(silent), audio_s)
        return Workload(silent, info)


def measured(job: Job) -> RunRecord:
    """The record of ``job``. Raises AsrScalingError when its status is not "ok"."""
    record = run(job)
    if record.status != "ok":
        raise AsrScalingError(record.outcome)
    return record


@dataclass(frozen=True)
class _Observed(Fake):
    """The engine that sleeps; it reads ``clock`` itself at the beginning and the end of each call.

    clock: returns seconds.
    calls_s: what each call took by it.
    """

    clock: Callable[[], float] = time.perf_counter
    calls_s: list[float] = field(default_factory=list)

    def load(self, model: ModelSpec, device: Device) -> FakeSystem:
        """Nothing to load."""
        return _ObservedSystem(self, model)


class _ObservedSystem(FakeSystem):
    _engine: _Observed

    def transcribe(self, batch: AudioBatch, probe: Probe) -> Transcription:
        """Sleep through the stages, and note how long it took."""
        engine, start = self._engine, self._engine.clock()
        result = super().transcribe(batch, probe)
        engine.calls_s.append(engine.clock() - start)
        return result


def _known_pass(
    calls_s: Sequence[float], sleep: Sleep, device: Device | None, clock: Callable[[], float]
) -> tuple[RunRecord, list[list[float]], list[float]]:
    """Makes each call once.

    Returns the record, the seconds that each part of a call slept, and those of each call by the
    engine's ``clock``.
    """
    slept: list[float] = []
    engine = _Observed(
        0.0, _PER_AUDIO_S, _STEPS, sleep=lambda seconds: slept.append(sleep(seconds)), clock=clock
    )
    job = Job(
        SystemSpec(load_spec("whisper_tiny_en"), engine, device or Cpu(), Fixed(1)),
        Silence([seconds / _PER_AUDIO_S for seconds in calls_s]),
        {"latency": Latency()},
        Pipeline(None, warmup=0, min_iterations=len(calls_s), precision=None, max_seconds=60),
    )
    record, parts = measured(job), _STEPS + 2
    by_call = [slept[i : i + parts] for i in range(0, len(slept), parts)]
    return record, by_call, engine.calls_s


def _worst(found: Mapping[str, float], calls_s: Sequence[float]) -> float:
    """The largest relative error of mean, median and p90."""
    right = _figures(calls_s)
    return max(abs(found[name] / value - 1) for name, value in right.items())


def _figures(calls_s: Iterable[float]) -> dict[str, float]:
    """Mean, median and p90 of calls, named as in a record."""
    seconds = sorted(calls_s)
    return {
        "latency/mean_s": statistics.fmean(seconds),
        "latency/p50_s": _quantile(seconds, 0.5),
        "latency/p90_s": _quantile(seconds, 0.9),
    }


def _quantile(values: Sequence[float], p: float) -> float:
    """Hyndman & Fan 1996, type 8, by its definition: numpy's is what is tested."""
    position = (len(values) + 1 / 3) * p + 1 / 3
    low, high = sorted(values)[int(position) - 1 : int(position) + 1]
    return low + position % 1 * (high - low)
