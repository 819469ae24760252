"""Checks of times: the timer, calls of known length, their stages, this machine's noise."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from asr_scaling.batch.fixed import Fixed
from asr_scaling.core.model_spec import load_spec
from asr_scaling.core.ports import Device, SystemSpec
from asr_scaling.core.record import RunRecord
from asr_scaling.core.statistics import Interval, mean_interval, noise_floor
from asr_scaling.core.workload import SAMPLE_RATE_HZ, DatasetInfo, Utterance, Workload
from asr_scaling.device.cpu import Cpu
from asr_scaling.engine.fake import Fake
from asr_scaling.errors import AsrScalingError, ConfigError
from asr_scaling.measure.job import Job, run
from asr_scaling.measure.pipeline import Pipeline
from asr_scaling.profiler.latency import Latency
from asr_scaling.selftest.checks import Check, graded, overall

CALLS_S = tuple(0.015 + 0.03 * (i * 29 % 48 / 47) ** 2 for i in range(48))
"""15 to 45 ms, mostly short, so that mean, median and p90 differ; a p90 needs 44."""
_PER_AUDIO_S = 0.01
_STEPS = 4
_SPIN_S = 0.001
_BUSY = "The machine was disturbed: stop other programs, fix the clock frequency, or use a dedicated machine."
_WRONG = "Times of this installation can't be trusted: report this table as a bug."


def timer(clock: Callable[[], int] = time.perf_counter_ns, device: Device | None = None) -> Check:
    """Smallest step of ``clock`` (in ns) and what reading it costs, bare and as the device's mark.

    A call has a dozen marks and takes milliseconds: a mark of 1 µs and steps of 1 µs are 0.1 % of the shortest.
    """
    step, read, mark = _step(clock), _cost(clock), _cost((device or Cpu()).mark)
    grades = (graded(step, 1e-6, 1e-4), graded(read, 1e-6, 1e-5), graded(mark, 1e-6, 1e-5))
    status = overall(Check("", grade, "") for grade in grades)
    seen = f"steps of {_short(step)}" if math.isfinite(step) else "never moves"
    figure = f"{seen}; a reading costs {_short(read)}, a mark {_short(mark)}"
    advice = (
        ""
        if status == "pass"
        else "The system's clock source is coarse or slow: choose tsc, or another host."
    )
    values = {"read_s": read, "mark_s": mark} | ({"step_s": step} if math.isfinite(step) else {})
    return Check("timer", status, figure, advice, values)


def _step(clock: Callable[[], int]) -> float:
    """Seconds between two readings that differ, the least of a thousand; infinite when none do."""
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
    """Seconds of one call: the best of five rounds, to leave out disturbed ones."""
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
    """Sleep to just before the end, then spin; returns the seconds it really took."""
    start = time.perf_counter_ns()
    end = start + round(seconds * 1e9)
    if seconds > _SPIN_S:
        time.sleep(seconds - _SPIN_S)
    while (now := time.perf_counter_ns()) < end:
        pass
    return (now - start) / 1e9


Sleep = Callable[[float], float]


def known_sleeps(sleep: Sleep = precise_sleep, device: Device | None = None) -> Check:
    """Calls of known, different lengths through the pipeline: mean, median and p90 come back within 1 %.

    ``sleep`` returns the seconds it took. When sleeps themselves come out long and are measured right, the machine is
    disturbed and the figures are not wrong: a warning.
    """
    record, slept = _known_pass(CALLS_S, sleep, device)
    off, off_slept = _worst(record, CALLS_S), _worst(record, [sum(parts) for parts in slept])
    values = {"error": off, "error_of_slept": off_slept}
    if off <= 0.01:
        return Check(
            "known sleeps", "pass", f"mean, p50 and p90 right within {off:.2%}", values=values
        )
    if off_slept <= 0.01:
        return Check(
            "known sleeps",
            "warn",
            f"sleeps came out {off:.1%} off, and were measured right",
            _BUSY,
            values,
        )
    return Check("known sleeps", "fail", f"mean, p50 or p90 is {off_slept:.1%} off", _WRONG, values)


def stages(sleep: Sleep = precise_sleep, device: Device | None = None) -> Check:
    """Stages of known calls add up to the total and the encoder's is its sleep, within 2 %."""
    record, slept = _known_pass(CALLS_S[:12], sleep, device)
    gap = max(abs(sum(sample.stages.values()) / sample.total_s - 1) for sample in record.samples)
    pairs = zip(record.samples, slept, strict=True)
    encoder = statistics.median(
        abs(sample.stages.get("encoder", 0.0) / parts[1] - 1) for sample, parts in pairs
    )
    ok, values = max(gap, encoder) <= 0.02, {"gap": gap, "encoder_error": encoder}
    figure = f"they add up within {gap:.2%}, the encoder's is right within {encoder:.2%}"
    return Check("sum of stages", "pass" if ok else "fail", figure, "" if ok else _WRONG, values)


def noise(timed: Callable[[], float] | None = None, pairs: int = 50) -> Check:
    """A/A test: one computation of about 20 ms timed as two systems in turns; they must not differ.

    ``timed``: does it once and returns the seconds it took. The floor is the smallest difference of two systems that
    is not noise (``stats.noise_floor``). By chance one test in twenty finds a difference, so it is looked for twice.
    """
    timed = timed or _product()
    times, floor, interval = _same_twice(timed, pairs)
    if not _holds_0(interval):
        times, floor, interval = _same_twice(timed, pairs)
    status = graded(floor, 0.03, 0.10)
    figure = f"differences below {floor:.1%} are noise"
    if not _holds_0(interval):
        figure += "; the same thing twice seems to differ"
        status = "fail" if status == "fail" else "warn"
    values = {
        "noise_floor": floor,
        "low": interval.low,
        "high": interval.high,
        "call_s": statistics.median(times),
    }
    return Check("A/A noise", status, figure, "" if status == "pass" else _BUSY, values)


def _same_twice(timed: Callable[[], float], pairs: int) -> tuple[list[float], float, Interval]:
    """Times A, B, A, B …; the noise floor, and the interval of the log ratio B/A."""
    times = [timed() for _ in range(2 * pairs)]
    floor = noise_floor([times])
    interval = mean_interval(
        [math.log(b / a) for a, b in zip(times[::2], times[1::2], strict=True)]
    )
    if floor is None or interval is None:
        raise ConfigError(f"An A/A test needs at least three pairs; got {pairs}.")
    return times, floor, interval


def _holds_0(interval: Interval) -> bool:
    return interval.low <= 0 <= interval.high


def _product() -> Callable[[], float]:
    """Times a matrix product of about 20 ms on all cores this process may use."""
    import torch

    Cpu().setup()
    side, spent = 256, 0.0
    while spent < 0.015 and side < 8192:
        side = round(side * 1.25)
        matrix = torch.full((side, side), 0.5)
        spent = min(_timed(lambda: matrix @ matrix) for _ in range(3))  # noqa: B023 (called here)
    return lambda: _timed(lambda: matrix @ matrix)


def _timed(work: Callable[[], object]) -> float:
    start = time.perf_counter_ns()
    work()
    return max(1, time.perf_counter_ns() - start) / 1e9


@dataclass(frozen=True)
class Silence:
    """Utterances of known lengths that hold nothing: what an engine that only sleeps needs."""

    lengths_s: Sequence[float]
    name: str = "silence"

    def load(self, limit: int | None) -> Workload:
        """The first ``limit`` of them."""
        sizes = [round(seconds * SAMPLE_RATE_HZ) for seconds in self.lengths_s[:limit]]
        made = tuple(
            Utterance(f"{i}", np.zeros(n, dtype=np.float32), "silence") for i, n in enumerate(sizes)
        )
        audio_s = sum(u.duration_s for u in made)
        return Workload(
            made, DatasetInfo(self.name, "made here", "none", "none", len(made), audio_s)
        )


def measured(job: Job) -> RunRecord:
    """The record of ``job``; AsrScalingError when it did not end well."""
    record = run(job)
    if record.status != "ok":
        raise AsrScalingError(record.outcome)
    return record


def _known_pass(
    calls_s: Sequence[float], sleep: Sleep, device: Device | None
) -> tuple[RunRecord, list[list[float]]]:
    """Each call once: the record, and the seconds that each part of each call really slept."""
    slept: list[float] = []
    engine = Fake(0.0, _PER_AUDIO_S, _STEPS, sleep=lambda seconds: slept.append(sleep(seconds)))
    job = Job(
        SystemSpec(load_spec("whisper_tiny_en"), engine, device or Cpu(), Fixed(1)),
        Silence([seconds / _PER_AUDIO_S for seconds in calls_s]),
        {"latency": Latency()},
        Pipeline(None, warmup=0, min_iterations=len(calls_s), precision=None, max_seconds=60),
    )
    record, parts = measured(job), _STEPS + 2
    return record, [slept[i : i + parts] for i in range(0, len(slept), parts)]


def _worst(record: RunRecord, calls_s: Sequence[float]) -> float:
    """The largest relative error of mean, median and p90."""
    known = {
        "latency/mean_s": statistics.fmean(calls_s),
        "latency/p50_s": _quantile(calls_s, 0.5),
        "latency/p90_s": _quantile(calls_s, 0.9),
    }
    return max(abs(record.values[name] / value - 1) for name, value in known.items())


def _quantile(values: Sequence[float], p: float) -> float:
    """Hyndman & Fan 1996, type 8, by its definition; not numpy's, which is what is tested."""
    ordered, position = sorted(values), (len(values) + 1 / 3) * p + 1 / 3
    (low, high), rest = list(pairwise(ordered))[int(position) - 1], position % 1
    return low + rest * (high - low)
