from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.fakes import ScriptedSystem, transcription, utterance, utterances
from support.held_systems import HeldSystem, Replies, served, serving_threads, texts

from asr_scaling.errors import ConfigError
from asr_scaling.serving._queue import Request, Sharing
from asr_scaling.serving.batched import Batched


def calls(durations, **options):
    """The calls formed of requests that came while the worker was held by another one."""
    system, replies = HeldSystem(), Replies()
    service = Batched(**options).start(served(system), ())
    replies.submit(service, utterance(1.0, "first"))
    assert system.begun.wait(5)
    replies.submit(service, *utterances(durations))
    system.go.set()
    replies.wait(1 + len(durations))
    service.close()
    assert not serving_threads()
    assert system.calls.pop(0) == ("first",)
    return [tuple(int(key[1:]) for key in call) for call in system.calls]


def test_what_waits_shares_calls_in_the_order_in_which_it_came():
    assert calls([1.0] * 5, max_batch=2) == [(0, 1), (2, 3), (4,)]


def test_seconds_of_audio_are_counted_with_padding():
    assert calls([2.0, 3.0, 1.0, 1.0, 1.0], max_audio_s=6.0) == [(0, 1), (2, 3, 4)]
    assert calls([1.0, 1.0, 4.0], max_audio_s=6.0) == [(0, 1), (2,)]


def test_what_is_too_long_has_a_call_alone():
    assert calls([9.0, 1.0, 1.0, 9.0, 1.0], max_audio_s=6.0) == [(0,), (1, 2), (3,), (4,)]


def test_the_oldest_is_joined_by_those_most_like_it():
    lengths = [3.0, 9.0, 3.5, 8.0, 2.0]
    assert calls(lengths, max_batch=2, alike=True) == [(0, 2), (1, 3), (4,)]
    assert calls(lengths, max_batch=2) == [(0, 1), (2, 3), (4,)]


@given(
    st.lists(st.floats(0.1, 40), min_size=1, max_size=12),
    st.integers(1, 6),
    st.none() | st.floats(0.5, 90),
    st.booleans(),
)
def test_every_request_is_in_one_call_within_the_limits_and_the_oldest_in_the_next(
    durations, most, seconds, alike
):
    sharing = Sharing(most, seconds, alike=alike)
    waiting = [Request(one, lambda reply: None) for one in utterances(durations)]
    left = list(waiting)
    while left:
        group = sharing.group(left)
        assert group[0] is left[0]
        assert 1 <= len(group) <= most
        longest = max(one.utterance.duration_s for one in group)
        assert len(group) == 1 or seconds is None or longest * len(group) <= seconds
        left = [one for one in left if all(one is not other for other in group)]


def test_replies_say_which_call_it_was_and_how_many_shared_it():
    system, replies = HeldSystem(), Replies()
    service = Batched(max_batch=2).start(served(system), ())
    replies.submit(service, utterance(1.0, "first"))
    assert system.begun.wait(5)
    replies.submit(service, *utterances([1.0, 2.0, 3.0]))
    system.go.set()
    first, *found = replies.wait(4)
    assert (first.call, first.shared) == (0, 1)
    assert [(one.call, one.shared) for one in found] == [(1, 2), (1, 2), (2, 1)]
    assert texts(found) == ["text 0", "text 1", "text 2"]
    assert [one.audio_s for one in found] == [1.0, 2.0, 3.0]
    assert found[0].begun_s == found[1].begun_s
    assert first.done_s <= found[0].begun_s <= found[0].done_s <= found[2].begun_s
    service.close()


def test_the_oldest_waits_no_longer_than_it_may():
    system, replies = HeldSystem(held=False), Replies()
    service = Batched(max_wait_s=0.1).start(served(system), ())
    came_s = time.monotonic()
    replies.submit(service, utterance(1.0))
    (alone,) = replies.wait(1)
    assert 0.1 <= alone.begun_s - came_s < 5
    service.close()


@pytest.mark.parametrize(
    ("options", "durations"),
    [
        ({"max_batch": 2}, [1.0, 1.0]),
        ({"max_audio_s": 5.0}, [2.0, 3.0]),
        ({"max_audio_s": 5.0}, [6.0]),
    ],
)
def test_a_call_that_is_full_waits_for_nobody(options, durations):
    system, replies = HeldSystem(held=False), Replies()
    service = Batched(max_wait_s=3600, **options).start(served(system), ())
    replies.submit(service, *utterances(durations))
    assert replies.wait(1)[0].status == "ok"
    service.close()


def test_closing_waits_for_nobody():
    replies = Replies()
    service = Batched(max_wait_s=3600).start(served(HeldSystem(held=False)), ())
    replies.submit(service, utterance(1.0))
    service.close()
    assert replies.wait(1)[0].reason == "The service is closed."


def test_a_call_that_fails_fails_all_its_requests_and_no_others():
    def script(batch, probe):
        if len(batch) > 1:
            raise MemoryError
        return transcription(batch)

    replies = Replies()
    service = Batched(max_batch=2, max_wait_s=0.5).start(served(ScriptedSystem(script)), ())
    replies.submit(service, *utterances([1.0, 1.0, 1.0]))
    found = replies.wait(3)
    assert [one.status for one in found] == ["failed", "failed", "ok"]
    assert found[0].reason == found[1].reason == "MemoryError"
    service.close()


def test_a_call_with_too_few_texts_fails():
    def script(batch, probe):
        return transcription(batch, texts=("only one",))

    replies = Replies()
    service = Batched(max_batch=2, max_wait_s=3600).start(served(ScriptedSystem(script)), ())
    replies.submit(service, *utterances([1.0, 1.0]))
    assert {one.reason for one in replies.wait(2)} == {"A call gave 1 texts of 2 utterances."}
    service.close()


def test_what_warms_up_is_called_alone_and_together():
    system = HeldSystem(held=False)
    Batched(max_batch=2).start(served(system), utterances([1.0, 2.0, 3.0])).close()
    assert system.calls == [("u0",), ("u1",), ("u2",), ("u0", "u1")]


def test_how_it_was_set_up():
    service = Batched(max_batch=4, max_audio_s=60).start(served(HeldSystem()), ())
    known = {"workers": 1, "queue": 256, "max_batch": 4, "max_audio_s": 60, "max_wait_s": 0.0}
    assert known.items() <= dict(service.facts).items()
    service.close()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"max_batch": 0}, r"serving\.max_batch must be at least 1; got 0"),
        ({"max_audio_s": 0}, r"serving\.max_audio_s must be above 0, or null for no limit; got 0"),
        ({"max_wait_s": -1}, r"serving\.max_wait_s must be 0 or more; got -1"),
        ({"queue": 0}, r"serving\.queue must be at least 1; got 0"),
    ],
)
def test_options(options, said):
    with pytest.raises(ConfigError, match=said):
        Batched(**options)
