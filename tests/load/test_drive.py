"""What becomes of requests: latency from when they were due, and every other end they can have."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable
from typing import Any

import pytest
from support.fakes import FakeClock, utterances
from support.services import (
    SleepingService,
    VirtualFirings,
    VirtualService,
    exponential,
)

from asr_scaling.core.ports import Reply
from asr_scaling.core.statistics import percentile
from asr_scaling.load import arrivals
from asr_scaling.load.arrivals import Schedule
from asr_scaling.load.drive import Driven, Limits, drive

SPEECH = utterances([1.0, 2.0, 3.0])
FOREVER = Limits(timeout_s=1e9)


def virtually(
    schedule: Schedule,
    service_s: Callable[[int], float],
    late: Callable[[int], float] = lambda number: 0.0,
    **options: Any,
) -> Driven:
    """A load in virtual time."""
    clock = FakeClock()
    service = VirtualService(clock, service_s, **options)
    firings = VirtualFirings(clock, late)
    limits = FOREVER
    return drive(service, schedule, limits, generator=lambda: firings, clock=clock.perf_counter)


def latencies(driven: Driven) -> list[float]:
    return [request.latency_s for request in driven.requests]


class TestOpen:
    def test_latency_counts_from_when_it_was_due(self):
        """A call of 0.3 s, requests each 0.2 s: each waits 0.1 s longer than the one before."""
        driven = virtually(arrivals.constant(5.0, 6, SPEECH, 1), lambda number: 0.3)
        assert latencies(driven) == pytest.approx([0.3, 0.4, 0.5, 0.6, 0.7, 0.8])
        assert [request.number for request in driven.requests] == list(range(6))
        assert driven.unsent == driven.unanswered == driven.twice == 0

    def test_what_is_sent_late_has_waited_meanwhile(self):
        driven = virtually(
            arrivals.constant(1.0, 3, SPEECH, 1), lambda number: 0.1, lambda number: 0.4 * number
        )
        assert latencies(driven) == pytest.approx([0.1, 0.5, 0.9])
        late = [request.fired_s - request.due_s for request in driven.requests]
        assert late == pytest.approx([0.0, 0.4, 0.8])

    def test_one_server_with_exponential_times(self):
        """M/M/1: latencies are exponential with mean 1 / (service rate - arrival rate)
        (Kleinrock 1975, Queueing Systems I, section 3.2)."""
        service_s = exponential(0.1, 7)
        driven = virtually(arrivals.poisson(5.0, 40_000, SPEECH, 3), service_s)
        found = latencies(driven)
        mean = 1 / (10 - 5)
        assert statistics.fmean(found) == pytest.approx(mean, rel=0.06)
        assert percentile(found, 50) == pytest.approx(mean * math.log(2), rel=0.06)
        assert percentile(found, 99) == pytest.approx(mean * math.log(100), rel=0.12)

    def test_one_server_with_equal_times(self):
        """M/D/1: the mean wait is rho s / 2 (1 - rho) (Pollaczek and Khinchine)."""
        driven = virtually(arrivals.poisson(6.0, 40_000, SPEECH, 3), lambda number: 0.1)
        assert statistics.fmean(latencies(driven)) == pytest.approx(
            0.1 + 0.6 * 0.1 / (2 * 0.4), rel=0.05
        )

    def test_a_stall_hits_everything_that_was_due_in_it(self):
        """2 s of 60 at 10 requests a second: 3 % of them wait, whatever was sent when."""
        schedule = arrivals.constant(10.0, 600, SPEECH, 1)
        driven = virtually(schedule, lambda number: 0.01, stall=(30.0, 2.0))
        assert percentile(latencies(driven), 99) > 1.3
        assert max(latencies(driven)) == pytest.approx(2.01, abs=0.11)

    def test_clients_that_wait_hide_the_same_stall(self):
        """One of thousands of requests is slow, as nobody sends meanwhile."""
        clock = FakeClock()
        service = VirtualService(clock, lambda number: 0.01, stall=(30.0, 2.0), waits=True)
        schedule = arrivals.closed(1, 5000, SPEECH, 1)
        driven = drive(service, schedule, FOREVER, clock=clock.perf_counter)
        assert percentile(latencies(driven), 99) == pytest.approx(0.01)
        assert max(latencies(driven)) == pytest.approx(2.01, abs=0.011)

    def test_a_generator_that_is_lost_is_told(self):
        clock = FakeClock()
        service = VirtualService(clock, lambda number: 0.1)
        firings = VirtualFirings(clock, until=4)
        schedule = arrivals.constant(1.0, 9, SPEECH, 1)
        driven = drive(
            service, schedule, FOREVER, generator=lambda: firings, clock=clock.perf_counter
        )
        assert driven.generator_lost
        assert (len(driven.requests), driven.unsent) == (4, 5)


class TestClosed:
    def test_each_client_sends_when_it_has_its_answer(self):
        service = SleepingService(0.01)
        driven = drive(service, arrivals.closed(3, 12, SPEECH, 1), Limits())
        service.close()
        assert len(driven.requests) == 12
        at_once = max(
            sum(other.due_s <= r.due_s < other.due_s + other.latency_s for other in driven.requests)
            for r in driven.requests
        )
        assert at_once <= 3
        assert all(r.due_s == r.fired_s == r.submitted_s for r in driven.requests)
        assert driven.scheduling == ""

    def test_sending_ends_when_time_is_up(self):
        service = SleepingService(0.02)
        driven = drive(service, arrivals.closed(2, 10_000, SPEECH, 1), Limits(send_s=0.2))
        service.close()
        assert 2 <= len(driven.requests) < 30
        assert all(request.answered for request in driven.requests)

    def test_a_client_whose_request_timed_out_sends_the_next(self):
        service = SleepingService(0.0, answer=lambda n, u: None if n == 0 else u.reference)
        driven = drive(service, arrivals.closed(1, 4, SPEECH, 1), Limits(timeout_s=0.1))
        service.close()
        assert [request.status for request in driven.requests] == ["timed_out", "ok", "ok", "ok"]
        assert driven.unanswered == 1


def at_once(service: Any, count: int = 5, **limits: float) -> Driven:
    """Requests each millisecond, in real time."""
    schedule = arrivals.constant(1000.0, count, SPEECH, 1)
    try:
        return drive(service, schedule, Limits(**limits))
    finally:
        service.close()


class TestOtherEnds:
    def test_refusals_and_failures_are_ends(self):
        def answer(number: int, utterance: Any) -> Any:
            now = time.monotonic()
            return [
                utterance.reference,
                Reply("refused", now, reason="full"),
                Reply("failed", now, reason="worker lost"),
            ][number % 3]

        driven = at_once(SleepingService(0.0, answer=answer), 6)
        assert [r.status for r in driven.requests] == ["ok", "refused", "failed"] * 2
        assert [math.isinf(r.latency_s) for r in driven.requests] == [False, True, True] * 2

    def test_a_late_reply_has_timed_out_and_keeps_its_lateness(self):
        driven = at_once(SleepingService(0.15), 3, timeout_s=0.25)
        assert [request.status for request in driven.requests] == ["ok", "timed_out", "timed_out"]
        second = driven.requests[1]
        assert second.latency_s == math.inf
        assert driven.unanswered == sum(r.reply is None for r in driven.requests)

    def test_a_service_that_never_answers(self):
        driven = at_once(SleepingService(0.0, answer=lambda n, u: None), 4, timeout_s=0.2)
        assert [request.status for request in driven.requests] == ["timed_out"] * 4
        assert driven.unanswered == 4
        assert driven.end_s - driven.start_s < 2

    def test_a_service_that_takes_nothing(self):
        class Broken(SleepingService):
            def submit(self, utterance: Any, replied: Any) -> None:
                raise OSError("no route to host")

        driven = at_once(Broken(0.0))
        reasons = {r.reply.reason for r in driven.requests if r.reply is not None}
        assert reasons == {"the service did not take it: OSError: no route to host"}
        assert {request.status for request in driven.requests} == {"failed"}

    def test_a_reply_that_is_none(self):
        driven = at_once(SleepingService(0.0, answer=lambda n, u: 42))
        assert {request.status for request in driven.requests} == {"failed"}
        assert driven.requests[0].reply is not None
        assert "was a int" in driven.requests[0].reply.reason

    def test_a_second_reply_is_counted_and_ignored(self):
        class Echo(SleepingService):
            def submit(self, utterance: Any, replied: Any) -> None:
                for text in ("first", "second"):
                    replied(Reply("ok", time.monotonic(), text=text))

        driven = at_once(Echo(0.0), 3)
        assert driven.twice >= 2  # that of the last request may come when all have ended
        assert {r.reply.text for r in driven.requests if r.reply} == {"first"}

    def test_a_hopeless_backlog_ends_the_sending(self):
        driven = at_once(SleepingService(0.005), 2000, give_up_s=0.1)
        assert "sending ended early" in driven.why_unsent
        assert not driven.generator_lost
        assert driven.unsent == 2000 - len(driven.requests) > 0
        assert all(request.answered for request in driven.requests[:3])

    def test_an_interrupt_leaves_no_thread_and_no_process(self):
        def interrupt(share: float) -> None:
            raise KeyboardInterrupt

        service = SleepingService(0.0)
        schedule = arrivals.constant(1.0, 60, SPEECH, 1)
        with pytest.raises(KeyboardInterrupt):
            drive(service, schedule, Limits(), interrupt)
        service.close()
        import threading

        assert "requests" not in {thread.name for thread in threading.enumerate()}
