"""From what requests got to what a record says of the load: exact figures, and what is withheld."""

from __future__ import annotations

import math

import pytest
from support.loads import SPEECH, answered, load_of, made, virtually

from asr_scaling.core.load_point import LoadPoint, load_points
from asr_scaling.core.ports import Reply
from asr_scaling.load import arrivals
from asr_scaling.load.latency_figures import LATENCIES
from asr_scaling.load.load_figures import load_point


def kinds(point: LoadPoint) -> list[str]:
    return [caution.kind for caution in point.cautions]


class TestFigures:
    def test_of_a_queue_that_keeps_up(self):
        """Calls of 0.1 s at equal gaps of 0.2 s: nothing waits."""
        point = load_point(
            load_of(virtually(arrivals.constant(5.0, 480, SPEECH, 1), lambda number: 0.1))
        )
        found = point.values
        for name in ("mean", "p50", "p90", "p95", "p99", "max"):
            assert found[f"load/latency_{name}_s"] == pytest.approx(0.1)
        assert found["load/queue_wait_p99_s"] == pytest.approx(0.0)
        assert found["load/offered_per_s"] == pytest.approx(5.0)
        assert found["load/served_per_s"] == pytest.approx(480 / (479 * 0.2 + 0.1))
        assert found["load/rtfx"] == pytest.approx(480 * 4.5 / (479 * 0.2 + 0.1))
        assert found["load/batch_mean"] == 1.0
        assert found["load/generator_late_max_s"] == pytest.approx(0.0, abs=1e-8)
        assert found["load/failed_share"] == 0.0
        assert found["load/wer"] == found["load/wer_unloaded"] == found["load/changed_share"] == 0
        assert found["load/backlog_slope_per_s"] == 0.0
        assert (point.requests, point.counted, point.verdict) == (480, 480, "unasked")
        assert point.seconds == pytest.approx(479 * 0.2)
        assert point.unavailable["load/cpu_share"] == "nobody looked"
        assert point.unavailable["load/late_share"] == "no bound on latency was asked for"

    def test_a_record_gives_it_back(self):
        driven = virtually(arrivals.poisson(5.0, 480, SPEECH, 1), lambda number: 0.1)
        point = load_point(load_of(driven, "p99<2s"))
        assert load_points([point.to_json()]) == (point,)

    def test_a_few_requests_bound_no_tail(self):
        driven = virtually(arrivals.constant(5.0, 30, SPEECH, 1), lambda number: 0.1)
        point = load_point(load_of(driven))
        assert point.values["load/latency_p50_s"] == pytest.approx(0.1)
        assert "459 can" in point.unavailable["load/latency_p99_s"]

    def test_a_request_that_was_never_answered_is_in_every_percentile(self):
        due = [float(i) for i in range(500)]
        replies = [answered(d, 0.1) if i % 25 else None for i, d in enumerate(due)]
        point = load_point(load_of(made(replies, due)))
        assert point.values["load/latency_p50_s"] == pytest.approx(0.1)
        assert point.values["load/latency_p95_s"] == pytest.approx(0.1)
        assert "20 of 500 requests got no text" in point.unavailable["load/latency_p99_s"]
        assert "20 of 500" in point.unavailable["load/latency_mean_s"]
        assert point.values["load/timed_out_share"] == pytest.approx(0.04)
        p95 = point.metric("load/latency_p95_s")
        assert p95 is not None
        assert p95.interval is None or math.isfinite(p95.interval.high)

    def test_every_way_to_fail_has_its_share_and_its_reason(self):
        due = [float(i) for i in range(10)]
        replies: list[Reply | None] = [answered(d, 0.1) for d in due]
        replies[2] = Reply("refused", 2.0, reason="256 requests wait already.")
        replies[4] = replies[5] = Reply("failed", 5.0, reason="worker lost")
        replies[7] = None
        point = load_point(load_of(made(replies, due)))
        found = point.values
        assert found["load/refused_share"] == pytest.approx(0.1)
        assert found["load/failed_share"] == pytest.approx(0.2)
        assert found["load/timed_out_share"] == pytest.approx(0.1)
        (failed,) = [c for c in point.cautions if c.kind == "RequestsFailed"]
        assert failed.message == (
            "4 of 10 requests got no text: 2 × failed: worker lost; 1 × refused: 256 requests wait "
            "already.; 1 × no answer in time."
        )

    def test_batches_and_waits_are_those_of_the_calls(self):
        due = [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]
        replies = [
            Reply("ok", d + 3, d + own, "text", shared=size)
            for d, own, size in zip(due, [0, 1, 2, 0, 1, 2], [1, 3, 3, 3, 2, 2], strict=True)
        ]
        point = load_point(load_of(made(replies, due)))
        assert point.values["load/batch_mean"] == pytest.approx(14 / 6)
        assert point.values["load/queue_wait_p50_s"] == pytest.approx(1.0)

    def test_what_a_service_does_not_tell_is_unavailable(self):
        due = [float(i) for i in range(10)]
        point = load_point(load_of(made([Reply("ok", d + 1, text="text") for d in due], due)))
        assert "does not tell" in point.unavailable["load/queue_wait_p50_s"]
        assert "does not tell" in point.unavailable["load/batch_mean"]

    def test_nothing_answered_at_all(self):
        due = [float(i) for i in range(500)]
        point = load_point(load_of(made([None] * 500, due, unanswered=500), "p99<2s"))
        assert point.verdict in ("broken", "overloaded")
        assert point.values["load/timed_out_share"] == 1.0
        assert point.values["load/served_per_s"] == 0.0
        assert "got no text" in point.unavailable["load/latency_p50_s"]
        assert "Unanswered" in kinds(point)


class TestTheGenerator:
    @pytest.mark.parametrize(("late_s", "withheld"), [(0.0019, False), (0.0021, True)])
    def test_latencies_are_withheld_when_it_was_late(self, late_s: float, withheld: bool):
        schedule = arrivals.constant(5.0, 480, SPEECH, 1)
        driven = virtually(schedule, lambda number: 0.1, lambda number: late_s)
        point = load_point(load_of(driven, "p99<2s"))
        assert (point.verdict == "withheld") is withheld
        assert {*LATENCIES}.isdisjoint(point.values) is withheld
        assert ("LateGenerator" in kinds(point)) is withheld
        assert point.values["load/generator_late_p99_s"] == pytest.approx(late_s)
        if withheld:
            assert "real-time" in point.why
            assert point.unavailable["load/latency_p99_s"] == point.why
            assert point.counted == point.requests

    def test_five_percent_of_a_short_bound_count(self):
        schedule = arrivals.constant(5.0, 480, SPEECH, 1)
        driven = virtually(schedule, lambda number: 0.001, lambda number: 0.0015)
        assert load_point(load_of(driven, "p99<40ms")).verdict == "held"
        assert load_point(load_of(driven, "p99<20ms")).verdict == "withheld"

    def test_the_user_may_allow_more(self):
        schedule = arrivals.constant(5.0, 480, SPEECH, 1)
        driven = virtually(schedule, lambda number: 0.1, lambda number: 0.01)
        assert load_point(load_of(driven, "p99<2s")).verdict == "withheld"
        assert load_point(load_of(driven, "p99<2s", late_s=0.02)).verdict == "held"

    def test_one_that_was_lost_proves_nothing(self):
        due = [float(i) for i in range(480)]
        driven = made([answered(d, 0.1) for d in due], due, generator_lost=True)
        point = load_point(load_of(driven, "p99<2s"))
        assert (point.verdict, point.why) == (
            "withheld",
            "the generator ended before its schedule did",
        )


class TestClosed:
    def test_is_labelled(self):
        clock_free = virtually(arrivals.closed(1, 480, SPEECH, 1), lambda n: 0.1, waits=True)
        point = load_point(load_of(clock_free, "p99<2s"))
        assert (point.arrivals, point.clients, point.offered_per_s) == ("closed", 1, None)
        assert "ClosedArrivals" in kinds(point)
        assert "closed arrivals" in point.unavailable["load/generator_late_p99_s"]
        assert "closed arrivals" in point.unavailable["load/offered_per_s"]
        assert point.values["load/served_per_s"] == pytest.approx(10.0)
        assert point.verdict == "held"


class TestVerdict:
    def verdict(self, bound: str, latency_s: float = 0.1, count: int = 480) -> tuple[str, str]:
        driven = virtually(arrivals.constant(1.0, count, SPEECH, 1), lambda number: latency_s)
        point = load_point(load_of(driven, bound))
        return point.verdict, point.why

    def test_held_and_broken(self):
        assert self.verdict("p99<2s") == ("held", "p99 is 0.1 s, asked for 2 s")
        assert self.verdict("p99<0.05s") == ("broken", "p99 is 0.1 s, asked for 0.05 s")
        assert self.verdict("p50<2s,p99<0.05s")[0] == "broken"

    def test_too_few_requests_can_break_it_but_not_keep_it(self):
        assert self.verdict("p99<2s", count=100)[0] == "undecided"
        assert self.verdict("p99<0.05s", count=100)[0] == "broken"

    def test_errors(self):
        due = [float(i) for i in range(500)]
        replies = [answered(d, 0.1) if i else None for i, d in enumerate(due)]
        driven = made(replies, due)
        assert load_point(load_of(driven, "errors=0")).verdict == "broken"
        assert load_point(load_of(driven, "errors<=1%")).verdict == "held"

    def test_words(self):
        due = [float(i) for i in range(500)]
        driven = made([answered(d, 0.1, "other words") for d in due], due)
        point = load_point(load_of(driven, "wer<=5"))
        assert point.verdict == "broken"
        assert point.values["load/wer"] == 1.0

    def test_a_backlog_that_grows_is_overload_whatever_the_percentile(self):
        schedule = arrivals.constant(10.0, 480, SPEECH, 1)
        point = load_point(load_of(virtually(schedule, lambda number: 0.12), "p99<1000s"))
        assert point.verdict == "overloaded"
        assert "backlog grew by 1.6" in point.why
        assert point.values["load/backlog_slope_per_s"] == pytest.approx(10 - 1 / 0.12, rel=0.03)

    def test_sending_that_ended_early_is_overload(self):
        due = [float(i) for i in range(480)]
        driven = made([answered(d, 0.1) for d in due], due, unsent=9, why_unsent="too many waited")
        point = load_point(load_of(driven, "p99<2s"))
        assert (point.verdict, point.why) == ("overloaded", "too many waited")
        assert "LoadCut" in kinds(point)


def test_no_failure_is_cut_with_the_start():
    due = [float(i) for i in range(600)]
    replies = [answered(d, 0.5 if i < 60 else 0.05) for i, d in enumerate(due)]
    broken = [None if i == 20 else reply for i, reply in enumerate(replies)]
    assert load_point(load_of(made(replies, due))).counted == 540
    point = load_point(load_of(made(broken, due), "errors=0"))
    assert point.counted == 580
    assert point.verdict == "broken"


def test_a_start_that_is_unlike_the_rest_is_cut():
    """The first 60 calls take ten times as long, as of a service that still compiles."""
    schedule = arrivals.constant(1.0, 600, SPEECH, 1)
    driven = virtually(schedule, lambda number: 0.5 if number < 60 else 0.05 + number % 7 / 1000)
    point = load_point(load_of(driven))
    assert 540 >= point.counted >= 530
    assert point.requests == 600
    assert point.values["load/latency_max_s"] < 0.1
