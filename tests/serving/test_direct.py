from __future__ import annotations

import time
from threading import Thread

import pytest
from support.fakes import ScriptedSystem, utterance, utterances
from support.held_systems import HeldSystem, Replies, served, serving_threads, texts

from asr_scaling.engine.fake import Fake
from asr_scaling.errors import ConfigError, EngineError, OutOfMemoryError
from asr_scaling.serving.direct import Direct


def test_requests_are_answered_one_by_one_in_the_order_in_which_they_came():
    system, replies, some = HeldSystem(), Replies(), utterances([1.0, 2.0, 0.5])
    service = Direct().start(served(system), ())
    before = time.monotonic()
    replies.submit(service, *some)
    system.go.set()
    found = replies.wait(3)
    assert system.calls == [("u0",), ("u1",), ("u2",)]
    assert texts(found) == ["text 0", "text 1", "text 2"]
    assert [(one.worker, one.call, one.shared) for one in found] == [
        (0, 0, 1),
        (0, 1, 1),
        (0, 2, 1),
    ]
    assert [one.audio_s for one in found] == [1.0, 2.0, 0.5]
    times = [stamp for one in found for stamp in (one.begun_s, one.done_s)]
    assert [before, *times] == sorted([before, *times])
    service.close()
    assert not serving_threads()


def test_it_has_transcribed_what_warms_up_before_it_takes_requests():
    system = HeldSystem(held=False)
    service = Direct().start(served(system), utterances([1.0, 2.0]))
    assert system.calls == [("u0",), ("u1",)]
    service.close()
    assert system.closed == 0  # its owner's to close


def test_more_than_may_wait_are_refused_at_once():
    system, replies = HeldSystem(), Replies()
    service = Direct(queue=2).start(served(system), ())
    replies.submit(service, utterance(1.0, "first"))
    assert system.begun.wait(5)
    replies.submit(service, *utterances([1.0] * 3))
    (refused,) = replies.wait(1)
    assert refused.status == "refused"
    assert refused.reason == "2 requests wait already."
    assert (refused.begun_s, refused.call, replies.of("u2")) == (None, None, refused)
    system.go.set()
    assert [one.status for one in replies.wait(4)[1:]] == ["ok"] * 3
    service.close()


def test_closing_answers_what_is_in_progress_and_fails_what_waits():
    system, replies = HeldSystem(), Replies()
    service = Direct().start(served(system), ())
    replies.submit(service, *utterances([1.0] * 3))
    assert system.begun.wait(5)
    closing = Thread(target=service.close)
    closing.start()
    found = replies.wait(2)
    assert [(one.status, one.reason) for one in found] == [("failed", "The service is closed.")] * 2
    system.go.set()
    closing.join()
    assert replies.of("u0").status == "ok"
    service.close()
    replies.submit(service, utterance(1.0, "late"))
    assert replies.of("late").reason == "The service is closed."
    assert not serving_threads()


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (OutOfMemoryError("It does not fit."), "It does not fit."),
        (ZeroDivisionError("by\nzero"), "ZeroDivisionError: by zero"),
        (SystemExit(3), "SystemExit: 3"),
    ],
)
def test_an_error_of_a_call_fails_its_request_and_the_worker_goes_on(error, reason):
    errors = [error]

    def script(batch, probe):
        if errors:
            raise errors.pop()

    replies = Replies()
    service = Direct().start(served(ScriptedSystem(script)), ())
    replies.submit(service, *utterances([1.0, 1.0]))
    failed, fine = replies.wait(2)
    assert (failed.status, failed.reason, failed.text) == ("failed", reason, "")
    assert (fine.status, fine.text, fine.call) == ("ok", "text 1", 1)
    service.close()


def test_what_takes_replies_may_raise(caplog):
    system, replies = HeldSystem(held=False), Replies()
    service = Direct().start(served(system), ())
    service.submit(utterance(1.0), lambda reply: 1 / 0)
    replies.submit(service, utterance(1.0, "next"))
    assert replies.wait(1)[0].status == "ok"
    service.close()
    assert "ZeroDivisionError" in caplog.text


def test_it_does_not_start_with_a_system_that_cannot_warm_up():
    def script(batch, probe):
        raise ValueError("no such language")

    with pytest.raises(EngineError, match=r"could not be warmed up: ValueError: no such language"):
        Direct().start(served(ScriptedSystem(script)), utterances([1.0]))
    assert not serving_threads()


def test_how_it_was_set_up():
    engine = Fake()
    assert Direct().answering(engine) is engine
    service = Direct(queue=3).start(served(HeldSystem()), ())
    assert service.facts["workers"] == 1
    assert service.facts["queue"] == 3
    assert service.facts["max_batch"] == 1
    service.close()


def test_options():
    with pytest.raises(ConfigError, match=r"serving\.queue must be at least 1; got 0"):
        Direct(queue=0)
