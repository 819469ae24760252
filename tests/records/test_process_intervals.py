"""Intervals of figures of several processes: as wide as the processes differ, never narrower than
their calls."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from asr_scaling.core.call_summary import summarise
from asr_scaling.core.metric import Metric
from asr_scaling.core.metrics import METRICS
from asr_scaling.core.record import RunRecord
from asr_scaling.core.sample import Beat, Sample
from asr_scaling.core.spread import Spread, with_spread
from asr_scaling.core.statistics import Interval
from asr_scaling.core.time_intervals import of_one_process
from asr_scaling.records.merge import merge

LITTLE = with_spread({}, Spread(0.001, None, 5.0, source="a test"))
"""A machine whose processes hardly differ."""


def part(k: int, times: list[float], environment: dict[str, object], load_s: float) -> RunRecord:
    """A process that made calls of these times."""
    samples = tuple(
        Sample((f"u{i % 4}",), 10.0, 10.0, t, {"encoder": t}, started_at=float(i))
        for i, t in enumerate(times)
    )
    found = summarise(samples)
    startup = Metric("startup/load_s", load_s, 1)
    return RunRecord(
        "point",
        "ok",
        {"sweep": {"processes": 3, "round": k}},
        environment,
        samples=samples,
        metrics=(*found.metrics, startup),
        unavailable=dict(found.unavailable),
    )


def three(factors: tuple[float, ...], environment: dict[str, object]) -> RunRecord:
    """Three processes with the same calls, each slower or faster as a whole."""
    rng = np.random.default_rng(1)
    times = [math.exp(x) for x in rng.normal(0, 0.01, 20)]
    return merge(
        [
            part(k, [t * factor for t in times], environment, factor)
            for k, factor in enumerate(factors)
        ]
    )


def half(record: RunRecord, name: str) -> float:
    """Half the width of an interval, as a share of the value."""
    return record.intervals[name].half(record.values[name]) / record.values[name]


@pytest.mark.parametrize(
    "name",
    ["latency/p50_s", "latency/mean_s", "latency/p90_s", "throughput/rtfx", "stage/encoder_s"],
)
def test_processes_that_differ_make_it_wide(name: str) -> None:
    """The median's interval over all calls would be ± 3 %; three processes know less."""
    apart = three((1.0, 1.1, 0.9), LITTLE)
    assert half(apart, name) > 0.15
    assert apart.intervals[name].low < apart.values[name] < apart.intervals[name].high


@pytest.mark.parametrize(
    ("factors", "said"),
    [
        ((1.0, 1.1, 0.9), ["The 3 processes of this point differ by 10.0%"]),
        ((1.0, 1.04, 0.96), []),
        ((1.0, 1.3), []),
    ],
)
def test_processes_that_differ_much_get_a_caution(
    factors: tuple[float, ...], said: list[str]
) -> None:
    found = [c for c in three(factors, LITTLE).cautions if c.kind == "ProcessesDiffer"]
    assert [caution.message.partition(" (")[0] for caution in found] == said
    assert all("device.steady=true" in caution.advice for caution in found)


def test_values_are_those_of_all_calls() -> None:
    apart = three((1.0, 1.1, 0.9), LITTLE)
    pooled = {metric.name: metric.value for metric in summarise(apart.samples).metrics}
    same = [name for name in pooled if name != "latency/p50_precision"]
    assert {name: apart.values[name] for name in same} == {name: pooled[name] for name in same}
    assert apart.values["latency/p50_precision"] == pytest.approx(half(apart, "latency/p50_s"))


def test_a_machine_known_to_differ_makes_processes_that_agree_less_sure() -> None:
    agreeing, known = (1.0, 1.001, 0.999), with_spread({}, Spread(0.1, None, 20.0, source="x"))
    assert half(three(agreeing, known), "latency/p50_s") > 0.05
    assert half(three(agreeing, LITTLE), "latency/p50_s") < 0.01


def test_tails_are_withheld_as_ever() -> None:
    apart = three((1.0, 1.1, 0.9), LITTLE)
    assert apart.unavailable["latency/p99_s"].startswith("60 calls can't bound it")
    assert "latency/p99_s" not in apart.values


def test_the_time_to_load_is_of_the_processes_alone() -> None:
    apart = three((1.0, 1.1, 0.9), with_spread({}, Spread(0.5, None, 1000.0, source="x")))
    (load,) = [metric for metric in apart.metrics if metric.name == "startup/load_s"]
    assert load.value == pytest.approx(1.0)
    assert load.n == 3
    assert 0.2 < half(apart, "startup/load_s") < 0.3  # 4.30 · sd of the logs / √3


def test_what_intervals_are_of_is_said() -> None:
    said = three((1.0, 1.1, 0.9), LITTLE).tags["interval/of"]
    assert said == "3 processes; with this machine's spread between processes of 0.1 % (a test)"
    alone = merge([part(0, [1.0] * 9, LITTLE, 1.0)])
    assert "interval/of" not in alone.tags
    old = [
        replace(part(k, [1.0 + k] * 9, LITTLE, 1.0), config={"sweep": {"rounds": 2, "round": k}})
        for k in (0, 1)
    ]
    assert "interval/of" not in merge(old).tags


def test_one_list_says_what_follows_time_in_one_process_and_in_several() -> None:
    """What a known spread widens alone, and nothing else, it widens in the record of three."""
    names = [name.replace("*", "gemm") for name in METRICS if not name.startswith("usual/")]
    known = with_spread({}, Spread(0.5, None, 1000.0, source="x"))
    parts = []
    for k, value in enumerate((1.0, 1.01, 0.99)):
        timed, interval = part(k, [value] * 6, known, 1.0), Interval(0.99 * value, 1.01 * value)
        others = [n for n in names if n not in timed.values and n not in timed.unavailable]
        added = tuple(Metric(name, value, 6, interval) for name in others)
        parts.append(replace(timed, metrics=(*timed.metrics, *added)))
    several, one = merge(parts), of_one_process(replace(parts[0], config={}))

    def wide(record: RunRecord) -> set[str]:
        ends = {name: record.intervals[name] for name in record.intervals.keys() & both}
        return {n for n, end in ends.items() if end.half(record.values[n]) > 0.3 * record.values[n]}

    both = several.intervals.keys() & one.intervals.keys()
    assert "energy/power_w" in both
    assert wide(several) == wide(one) > {"latency/p50_s", "decoder/step_s", "utilisation/mfu"}


def test_what_one_process_alone_measured_is_widened_and_named() -> None:
    known = with_spread({}, Spread(0.05, None, 1000.0, source="x"))
    parts = [part(k, [1.0] * 6, known, 1.0) for k in range(3)]
    names, end = ("decoder/step_s", "quality/wer"), Interval(0.099, 0.101)
    first = replace(
        parts[0], metrics=(*parts[0].metrics, *(Metric(name, 0.1, 9, end) for name in names))
    )
    whole = merge([first, *parts[1:]])
    assert half(whole, "decoder/step_s") == pytest.approx(math.expm1(2.571 * 0.05), rel=0.02)
    assert whole.intervals["quality/wer"] == end
    assert whole.tags["interval/of_one_process"] == "decoder/step_s"
    assert "interval/of_one_process" not in merge(parts).tags
    every = [replace(each, metrics=first.metrics) for each in parts]
    assert "interval/of_one_process" not in merge(every).tags


def test_rtfx_without_what_loops_is_of_all_processes() -> None:
    """One process alone has looked at texts; the calls without u3 are those of all."""
    name, row = "throughput/rtfx_without_looping", {"id": "u3", "looping": True}
    parts = [part(k, [factor] * 12, LITTLE, 1.0) for k, factor in enumerate((1.0, 1.1, 0.9))]
    looked = replace(
        parts[0], metrics=(*parts[0].metrics, Metric(name, 10.0, 9)), transcripts=(row,)
    )
    whole = merge([looked, *parts[1:]])
    assert half(whole, name) == pytest.approx(half(whole, "throughput/rtfx"), rel=0.1)
    assert half(whole, name) > 0.15
    assert "interval/of_one_process" not in whole.tags


@given(st.lists(st.lists(st.floats(1e-3, 1e3), min_size=1, max_size=12), min_size=2, max_size=4))
@example([[1.0], [1.0, 383.0, 0.125, 0.125, 0.125, 0.125]])
def test_intervals_hold_the_value_and_those_of_all_calls(processes: list[list[float]]) -> None:
    whole = merge([part(k, times, {}, 1.0 + k) for k, times in enumerate(processes)])
    pooled = {metric.name: metric.interval for metric in summarise(whole.samples).metrics}
    held = [
        name
        for name in ("latency/mean_s", "latency/p50_s", "throughput/rtfx")
        if name in whole.values
    ]
    assert "latency/mean_s" in held
    for name in held:
        interval, value = whole.intervals[name], whole.values[name]
        assert interval.low <= value <= interval.high
        calls = pooled[name]
        assert calls is None or (interval.low <= calls.low and calls.high <= interval.high)


class TestUsualState:
    """Processes whose speed is that of their machine, which the beats show."""

    def merged(self, *, beats: bool = True) -> RunRecord:
        rng = np.random.default_rng(3)
        parts = []
        for k, level in enumerate((0.0, 0.3, 0.6)):
            states = level + 0.2 * np.sin(np.arange(25) / 3 + k)
            logs = (states[:-1] + states[1:]) / 2 + rng.normal(0, 0.01, 24)
            record = part(k, [0.9 * math.exp(x) for x in logs], self.known(), 1.0)
            taken = [Beat(i - 0.05, {"work": 0.01 * math.exp(x)}) for i, x in enumerate(states)]
            parts.append(replace(record, beats=tuple(taken) if beats else ()))
        return merge(parts)

    def known(self) -> dict[str, object]:
        return {**LITTLE, "certificate": {"usual_state": {"work": 0.01}}}

    def test_of_all_processes_is_that_of_the_usual_state(self):
        record = self.merged()
        assert record.values["usual/latency/p50_s"] == pytest.approx(0.9, rel=0.05)
        assert record.values["latency/p50_s"] > 1.1
        assert record.intervals["usual/latency/p50_s"].low <= 0.9
        assert record.intervals["usual/latency/p50_s"].high >= 0.9

    def test_has_an_interval_of_both_levels_that_is_narrower(self):
        record = self.merged()
        assert half(record, "usual/latency/mean_s") < half(record, "latency/mean_s") / 3

    def test_without_beats_says_why_not(self):
        record = self.merged(beats=False)
        assert "usual/latency/p50_s" not in record.values
        assert "no beats" in record.unavailable["usual/latency/p50_s"]
