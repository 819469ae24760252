"""What a precision would take: plans of rounds whose components of variance are known."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from asr_scaling.core.call_summary import summarise
from asr_scaling.core.record import RunRecord
from asr_scaling.core.sample import Sample
from asr_scaling.core.spread import Spread, with_spread
from asr_scaling.core.statistics import student
from asr_scaling.core.variance_components import Plan
from asr_scaling.sweep.precision import known
from asr_scaling.sweep.precision_plan import Worth, calls_of_next, in_words

LITTLE = with_spread({}, Spread(0.001, None, 1.0, source="a test"))


def scaled(values: np.ndarray, sd: float) -> np.ndarray:
    """The values with a mean of 0 and this standard deviation."""
    return sd * (values - values.mean()) / values.std(ddof=1)


def rounds(
    calls: int, sd: tuple[float, float], start_s: float, speech: float = 0.0, seed: int = 1
) -> list[RunRecord]:
    """Six processes on the same ten utterances, with components that are exactly ``sd``.

    sd: of calls and of processes; a call takes 1 s of the timed pass. speech: half the range.
    """
    rng, records = np.random.default_rng(seed), []
    of_speech = np.resize(np.linspace(-speech, speech, 10), calls)
    means = scaled(rng.standard_normal(6), math.hypot(sd[1], sd[0] / math.sqrt(calls)))
    for k in range(6):
        logs = means[k] + scaled(rng.standard_normal(calls), sd[0]) + of_speech
        samples = tuple(
            Sample((f"u{i % 10}",), 5.0, 5.0, math.exp(log), {}, started_at=float(i))
            for i, log in enumerate(logs.tolist())
        )
        found = summarise(samples)
        records.append(
            RunRecord(
                "a point",
                "ok",
                {"sweep": {"processes": 6, "round": k}},
                LITTLE,
                samples=samples,
                metrics=found.metrics,
                unavailable=dict(found.unavailable),
                job_s={"load": start_s - 5, "timed pass": float(calls)},
                started_at=1000.0 * k,
                ended_at=1000.0 * k + start_s - 5 + calls,
            )
        )
    return records


def would(of: list[RunRecord], precision: float = 0.03) -> Worth:
    found = known(of, precision).would
    assert found is not None
    return found


@pytest.mark.parametrize("seed", range(4))
def test_more_calls_are_planned_where_calls_differ_and_starting_is_dear(seed: int) -> None:
    found = would(rounds(10, (0.2, 0.005), 60.0, seed=seed))
    better = found.better
    assert better is not None
    assert better.calls > 20
    assert better.seconds == pytest.approx(better.processes * (60 + better.calls))
    true = math.sqrt((0.005**2 + math.pi / 2 * 0.2**2 / better.calls) / better.processes)
    assert 0.018 < student(better.processes - 1) * true < 0.05


@pytest.mark.parametrize("seed", range(4))
def test_fewer_calls_are_planned_where_processes_differ_and_starting_is_cheap(seed: int) -> None:
    found = would(rounds(200, (0.02, 0.06), 6.0, seed=seed))
    better = found.better
    assert found.needed is not None
    assert better is not None
    assert better.calls < 20
    assert better.processes >= found.needed - 2
    assert better.seconds < 0.2 * found.needed * found.process_s


def test_speech_is_no_difference_between_calls_but_asks_for_calls_in_all() -> None:
    of = rounds(40, (0.01, 0.005), 60.0, speech=0.4)
    alike = known(rounds(40, (0.01, 0.005), 60.0), 0.03)
    assert alike.would is None  # without it, these are precise enough
    found = would(of)
    summary = {m.name: m for m in summarise([s for r in of for s in r.samples]).metrics}
    median = summary["latency/p50_s"]
    assert median.interval is not None
    in_all = 240 * (median.interval.half(median.value) / median.value / 0.03) ** 2
    assert found.better is not None
    assert found.better.calls * found.better.processes >= in_all
    assert found.needed is None or found.needed * 40 >= in_all


def test_calls_of_other_speech_in_each_process_plan_no_calls() -> None:
    of = rounds(10, (0.2, 0.005), 60.0)
    unlike = []
    for k, record in enumerate(of):
        calls = enumerate(record.samples)
        own = tuple(replace(call, utterances=(f"{k} {i}",)) for i, call in calls)
        unlike.append(replace(record, samples=own))
    assert would(unlike).better is None
    assert would(unlike).needed == would(of).needed


def test_the_words_say_how_to_get_another_number_of_calls() -> None:
    found = would(rounds(10, (0.2, 0.005), 60.0))
    better = found.better
    assert better is not None
    words = in_words(found, 6)
    assert f"about {found.needed} processes of 10 calls each, " in words
    assert f" more, or about {better.processes} of {better.calls} calls each, " in words
    assert words.endswith(
        f" in all, measured anew with pipeline.precision=null "
        f"pipeline.min_iterations={better.calls} pipeline.max_seconds={better.calls}"
    )
    assert in_words(Worth(1, 20.0, 12), 10) == "about 12 processes of 1 call each, 40 s more"


def made(*calls: int, planned: Sequence[int] = ()) -> list[RunRecord]:
    """Rounds of so many calls each; the last ones were planned to make as many as ``planned``."""
    asked = (*[None] * (len(calls) - len(planned)), *planned)
    return [
        RunRecord(
            "a point",
            "ok",
            {"sweep": {"round": k} | ({} if wanted is None else {"calls": wanted})},
            {},
            samples=tuple(Sample(("u",), 5.0, 5.0, 1.0, {}) for _ in range(number)),
        )
        for k, (number, wanted) in enumerate(zip(calls, asked, strict=True))
    ]


@pytest.mark.parametrize(
    ("rounds", "best", "wanted"),
    [
        (made(10, 11, 12), 15, 15),
        (made(10, 11, 12), 50, 20),  # at most twice those of the process with fewest
        (made(10, 11, 12), 4, None),  # the user's budgets are never undercut
        (made(8, 20, 20), 12, None),  # the process with fewest says less than the budgets
        (made(10, 11, 12), None, None),
        (made(10, 10, 10, 20, planned=[20]), 50, 20),
        (made(10, 10, 10, 20, planned=[20]), None, 20),  # what was planned once is kept
        (made(10, 10, 10, 15, planned=[15]), 18, 18),
    ],
)
def test_the_next_process_makes_the_planned_number_of_calls(
    rounds: list[RunRecord], best: int | None, wanted: int | None
) -> None:
    better = None if best is None else Plan(best, 5, 100.0, 0.03)
    assert calls_of_next(rounds, Worth(10, 20.0, 12, better)) == wanted
