"""A server by HTTP: each way of answering ends in a reply that says so."""

from __future__ import annotations

import json
import socket
import time
from dataclasses import replace
from threading import Event, Thread

import numpy as np
import pytest
from support.fakes import FakeDevice, make_spec, utterance, utterances
from support.held_systems import Replies, served, serving_threads
from support.http_answers import serving, status, text

from asr_scaling.core.ports import NullProbe
from asr_scaling.core.workload import AudioBatch, Utterance
from asr_scaling.engine.fake import Fake
from asr_scaling.errors import ConfigError, EngineError
from asr_scaling.serving.endpoint import Endpoint

KEY = "sk-0123456789abcdefghij"


def started(url, warm=(), model=None, **options):
    endpoint = Endpoint(url, **options)
    model = model or make_spec()
    engine = endpoint.answering(Fake())
    system = engine.load(model, FakeDevice())
    system.close()
    return endpoint.start(replace(served(system, engine), model=model), warm)


def reply_to(answer, **options):
    """The one reply that a server's answer gives."""
    replies = Replies()
    with serving(answer) as server:
        service = started(server.url, **options)
        replies.submit(service, utterance(1.0))
        (reply,) = replies.wait(1)
        service.close()
    assert not serving_threads()
    return reply


def test_a_request_is_the_audio_and_the_model_and_its_answer_the_text():
    audio = np.array([0, 100, -32768, 32767, -1], np.int16)
    spoken = Utterance("u", (audio / 32768).astype(np.float32), "hello", language="de")
    replies = Replies()
    with serving(text(" hello \n")) as server:
        service = started(server.url, model=make_spec(multilingual=True, languages=("en", "de")))
        before = time.monotonic()
        replies.submit(service, spoken)
        (reply,) = replies.wait(1)
        service.close()
    (asked,) = server.asked
    assert asked.path == "/v1/audio/transcriptions"
    assert asked.fields == {"model": "toy", "response_format": "json", "language": "de"}
    assert (asked.samples == audio).all()
    assert asked.rate_hz == 16000
    assert "Authorization" not in asked.headers
    assert (reply.status, reply.text) == ("ok", "hello")
    assert (reply.begun_s, reply.call, reply.shared, reply.audio_s) == (None,) * 4  # not told
    assert before < reply.done_s <= time.monotonic()


def test_samples_beyond_full_scale_are_clipped():
    with serving(text("")) as server:
        service = started(server.url)
        replies = Replies()
        replies.submit(service, Utterance("u", np.array([1.5, -2, 1], np.float32), "x"))
        replies.wait(1)
        service.close()
    assert server.asked[0].samples.tolist() == [32767, -32768, 32767]


def test_the_key_is_sent_and_shown_nowhere(monkeypatch):
    monkeypatch.setenv("HOUSE_WORD", KEY)  # by its name it is no secret
    message = json.dumps({"error": {"message": f"Wrong key\n{KEY} given"}}).encode()
    replies = Replies()
    with serving(status(401, message)) as server:
        service = started(f"{server.url}/v1/", model=None, key_env="HOUSE_WORD")
        replies.submit(service, utterance(1.0))
        (reply,) = replies.wait(1)
        service.close()
        engine = Endpoint(server.url, key_env="HOUSE_WORD").answering(Fake())
        system = engine.load(make_spec(), FakeDevice())
        with pytest.raises(EngineError) as error:
            system.transcribe(AudioBatch((utterance(1.0),)), NullProbe())
        system.close()
    assert server.asked[0].headers["Authorization"] == f"Bearer {KEY}"
    assert server.asked[0].path == "/v1/audio/transcriptions"
    assert reply.reason == "HTTP 401: Wrong key *** given"
    shown = (repr(engine), repr(system.facts), repr(service.facts), str(error.value))
    assert KEY not in "".join(shown)


def test_a_key_that_is_missing(monkeypatch):
    monkeypatch.delenv("NO_SUCH_KEY", raising=False)
    engine = Endpoint("http://127.0.0.1:1", key_env="NO_SUCH_KEY").answering(Fake())
    with pytest.raises(EngineError, match=r"serving\.key_env=NO_SUCH_KEY: .* put the server's key"):
        engine.check(make_spec())


@pytest.mark.parametrize("code", [429, 503])
def test_a_server_that_has_too_much_to_do_refuses(code):
    reply = reply_to(status(code, b'{"error": {"message": "Too many requests."}}'))
    assert (reply.status, reply.text) == ("refused", "")
    assert reply.reason == f"HTTP {code}: Too many requests."


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (status(500, b'{"error": "It broke."}'), "HTTP 500: It broke."),
        (status(500), "HTTP 500: it is empty"),
        (status(404, b"<html>" + b"x" * 300), f"HTTP 404: '<html>{'x' * 194}…'"),
        (status(307), "HTTP 307: it is empty"),
        (status(200, b"\xff\x00 garbage"), r"the answer is no transcription: '�\x00 garbage'"),
        (status(200, b'{"text": 3}'), "the answer is no transcription: '{\"text\": 3}'"),
        (status(200, b'["text"]'), "the answer is no transcription: '[\"text\"]'"),
        (status(200, b"[" * 100_000), f"the answer is no transcription: '{'[' * 200}…'"),
        (status(200), "the answer is no transcription: it is empty"),
        (status(200, b"x" * 2**23), "the answer has more than 4194304 bytes"),
    ],
)
def test_an_answer_without_a_text_fails(answer, reason):
    reply = reply_to(answer)
    assert (reply.status, reply.reason, reply.text) == ("failed", reason, "")


def test_a_server_that_ends_before_or_in_the_middle_of_its_answer():
    assert reply_to(lambda handler, asked: handler.cut()).reason.startswith(
        ("RemoteProtocolError", "ReadError")
    )

    def half(handler, asked):
        handler.say(200, b'{"text": "he', length=1000)
        handler.cut()

    reply = reply_to(half)
    assert reply.status == "failed"
    assert reply.reason.startswith(("RemoteProtocolError", "ReadError"))


def test_nobody_listens():
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        service = started(f"http://127.0.0.1:{unused.getsockname()[1]}")
        replies = Replies()
        replies.submit(service, utterance(1.0))
        (reply,) = replies.wait(1)
        service.close()
    assert (reply.status, reply.reason) == (
        "failed",
        "ConnectError: [Errno 111] Connection refused",
    )


def test_a_server_that_never_answers_and_one_that_never_ends():
    ended = Event()

    def silent(handler, asked):
        ended.wait()

    def drip(handler, asked):
        handler.say(200, b"", length=1000)
        while not ended.wait(0.01):
            handler.wfile.write(b" ")

    reply = reply_to(silent, timeout_s=0.2)
    assert (reply.status, reply.reason) == ("timed_out", "no answer within 0.2 s")
    assert reply_to(drip, timeout_s=0.2).status == "timed_out"
    ended.set()


def test_requests_are_with_the_server_at_once_up_to_the_connections_and_others_wait():
    go, replies = Event(), Replies()

    def held(handler, asked):
        go.wait()
        text("fine")(handler, asked)

    with serving(held) as server:
        service = started(server.url, connections=2, queue=1)
        replies.submit(service, *utterances([1.0] * 4))
        (refused,) = replies.wait(1)
        assert (refused.status, refused.reason) == ("refused", "3 requests wait already.")
        assert replies.of("u3") is refused
        while len(server.asked) < 2:
            time.sleep(0.01)
        time.sleep(0.05)
        assert len(server.asked) == 2
        go.set()
        assert [reply.status for reply in replies.wait(4)[1:]] == ["ok"] * 3
        service.close()
    assert len(server.asked) == 3


def test_closing_waits_for_the_server_and_fails_what_was_not_sent():
    go, came, replies = Event(), Event(), Replies()

    def held(handler, asked):
        came.set()
        go.wait()
        text("fine")(handler, asked)

    with serving(held) as server:
        service = started(server.url, connections=1)
        replies.submit(service, *utterances([1.0, 1.0]))
        assert came.wait(5)
        closing = Thread(target=service.close)
        closing.start()
        assert replies.wait(1)[0].reason == "The service is closed."
        go.set()
        closing.join()
        assert replies.of("u0").text == "fine"
        service.close()
        replies.submit(service, utterance(1.0, "late"))
        assert replies.of("late").reason == "The service is closed."
    assert not serving_threads()


def test_it_starts_once_the_server_has_transcribed_what_warms_up():
    with serving(text("fine")) as server:
        started(server.url, utterances([1.0, 2.0])).close()
        assert [len(asked.samples) for asked in server.asked] == [16000, 32000]
        server.answer = status(503, b'{"error": {"message": "Loading."}}')
        with pytest.raises(EngineError, match=r"http://.* refused: HTTP 503: Loading\."):
            started(server.url, utterances([1.0]))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"url": None}, r"No server was given; set serving\.url="),
        ({"url": "127.0.0.1:8000"}, r"serving\.url must be an address, as http"),
        ({"url": "http://"}, r"serving\.url must be an address"),
        ({"url": "http://a:99999"}, r"serving\.url must be an address"),
        ({"url": f"http://me:{KEY}@a"}, r"without user, password and query"),
        ({"url": f"http://a/?key={KEY}"}, r"without user, password and query"),
        ({"timeout_s": 0}, r"serving\.timeout_s must be above 0; got 0"),
        ({"connections": 0}, r"serving\.connections must be at least 1; got 0"),
        ({"queue": -1}, r"serving\.queue must be 0 or more; got -1"),
    ],
)
def test_options(options, said):
    with pytest.raises(ConfigError, match=said) as error:
        Endpoint(**({"url": "http://127.0.0.1:8000"} | options))
    assert KEY not in str(error.value)
