"""A server as a process of its own: OpenAI's client, the end by a signal, what can't be served."""

from __future__ import annotations

import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import openai
import pytest
from support.server_process import KEY, ServerProcess

from asr_scaling.dataset import demo

pytestmark = pytest.mark.slow
DEMO = Path(demo.__file__).parent / "demo_data" / "demo-001.flac"
TEXT = "82240 Prüfsätze 🎤"


def yaml(seconds: float = 0.0, model: str = "whisper_tiny_en") -> str:
    return f"""
defaults:
  - config
  - override model: {model}
  - override engine: fake
  - _self_
serving:
  _target_: support.served.Sleepy
  seconds: {seconds}
"""


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., ServerProcess]]:
    started: list[ServerProcess] = []

    def start(text: str, *arguments: str) -> ServerProcess:
        started.append(ServerProcess(tmp_path, text, *arguments))
        return started[-1]

    yield start
    for server in started:
        server.kill()


def transcribed(client: openai.OpenAI, **options: Any) -> Any:
    with DEMO.open("rb") as file:
        return client.audio.transcriptions.create(file=file, **({"model": "whisper-1"} | options))


def test_openais_client(serve: Callable[..., ServerProcess]) -> None:
    server = serve(yaml(model="whisper_tiny"))
    assert server.line.startswith(
        "Serving whisper_tiny, plain fake, device=cpu, serving=served, on"
    )
    assert server.hint.endswith("/v1/audio/transcriptions -F file=@speech.wav\n")
    with server.client() as client:
        answer = transcribed(client)
        assert (answer.text, answer.usage.seconds) == (TEXT, 5.14)
        assert transcribed(client, response_format="text") == f"{TEXT}\n"
        told = transcribed(
            client,
            response_format="verbose_json",
            language="de",
            temperature=0,
            timestamp_granularities=["segment"],
            stream=False,
        )
        assert (told.language, told.duration, told.text) == ("german", 5.14, TEXT)
        assert [(s.start, s.end, s.text) for s in told.segments] == [(0, 5.14, TEXT)]
        assert transcribed(client, response_format="srt").splitlines()[2] == TEXT
        assert transcribed(client, response_format="vtt").startswith("WEBVTT\n\n00:00:00.000 --> ")
        names = [model.id for model in client.models.list()]
        assert names == ["whisper_tiny", "openai/whisper-tiny", "whisper-1"]
        with pytest.raises(openai.NotFoundError, match="no model 'gpt-transcribe'"):
            transcribed(client, model="gpt-transcribe")
        with pytest.raises(openai.BadRequestError, match="can't follow a prompt") as caught:
            transcribed(client, prompt="Names: Ann")
        assert (caught.value.param, caught.value.code) == ("prompt", "unsupported_parameter")
        with pytest.raises(openai.BadRequestError, match="can't stream"):
            transcribed(client, stream=True)
        with pytest.raises(openai.BadRequestError, match="can't be read as audio"):
            client.audio.transcriptions.create(model="whisper-1", file=b"garbage" * 1000)
    server.process.send_signal(signal.SIGTERM)
    assert server.ended() == (0, "")


def test_a_key_and_another_name(serve: Callable[..., ServerProcess]) -> None:
    server = serve(yaml(), "--key-env", "KEY", "--alias", "gpt-transcribe", "--host", "127.0.0.1")
    assert '-H "Authorization: Bearer $KEY"' in server.hint
    assert KEY not in server.line + server.hint
    with server.client(KEY) as client:
        assert transcribed(client, model="gpt-transcribe").text == TEXT
    with server.client("another-key-012") as client, pytest.raises(openai.AuthenticationError):
        transcribed(client)


def request(claimed: int) -> bytes:
    head = "POST /v1/audio/transcriptions HTTP/1.1\r\nHost: here\r\n"
    kind = "Content-Type: multipart/form-data; boundary=x\r\n"
    return f"{head}{kind}Content-Length: {claimed}\r\n\r\n".encode()


def test_files_beyond_the_limit(serve: Callable[..., ServerProcess]) -> None:
    """Refused by what is claimed, or once it has come; the server keeps none of it."""
    server = serve(yaml(), "--max-upload", "1MB")
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as sock:
        sock.sendall(request(2 * 2**30))
        assert sock.recv(1000).startswith(b"HTTP/1.1 413 ")
    with server.client() as client:
        for _ in range(3):
            with pytest.raises(openai.APIStatusError, match="larger than 1 MB") as caught:
                client.audio.transcriptions.create(model="whisper-1", file=bytes(30_000_000))
            assert caught.value.status_code == 413
        assert transcribed(client).text == TEXT


def until_in_flight(server: ServerProcess) -> None:
    """Wait for a request that has no answer yet."""
    with server.client() as client:
        while "in_flight 1.0" not in client.get("/../metrics", cast_to=str):
            time.sleep(0.02)


def assert_refuses(port: int) -> None:
    """Within ten seconds nobody is let in any more."""
    for _ in range(100):
        try:
            socket.create_connection(("127.0.0.1", port), timeout=5).close()
        except ConnectionRefusedError:
            return
        time.sleep(0.1)
    raise AssertionError("it accepts connections")


class Later(threading.Thread):
    """A request that is in flight while the test goes on."""

    def __init__(self, server: ServerProcess) -> None:
        super().__init__()
        self.got: object = None
        self._server = server
        self.start()
        until_in_flight(server)

    def run(self) -> None:
        try:
            with self._server.client() as client:
                self.got = transcribed(client).text
        except openai.OpenAIError as error:
            self.got = error


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_what_is_in_flight_is_answered_before_the_end(
    serve: Callable[..., ServerProcess], number: signal.Signals
) -> None:
    server = serve(yaml(seconds=2.0))
    later = Later(server)
    server.process.send_signal(number)
    assert_refuses(server.port)
    later.join()
    assert later.got == TEXT
    assert server.ended() == (0, "")
    assert server.log.read_text(encoding="utf-8") == "closed\n"


def test_an_upload_that_has_begun_may_end(serve: Callable[..., ServerProcess]) -> None:
    server = serve(yaml())
    head = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
    body = head + DEMO.read_bytes() + b"\r\n--x--\r\n"
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as sock:
        sock.sendall(request(len(body)) + body[:1000])
        until_in_flight(server)
        server.process.send_signal(signal.SIGTERM)
        assert_refuses(server.port)
        sock.sendall(body[1000:])
        assert sock.recv(1000).startswith(b"HTTP/1.1 200 ")
    assert server.ended() == (0, "")


def test_a_second_signal_does_not_wait(serve: Callable[..., ServerProcess]) -> None:
    server = serve(yaml(seconds=20.0))
    later = Later(server)
    began_s = time.monotonic()
    for _ in range(2):
        server.process.send_signal(signal.SIGTERM)
        time.sleep(0.5)
    later.join()
    assert isinstance(later.got, openai.InternalServerError)
    assert later.got.message == "Error code: 503 - This server was told to end at once."
    assert server.ended() == (1, "")
    assert time.monotonic() - began_s < 10
    assert server.log.read_text(encoding="utf-8") == "closed\n"


def test_a_second_signal_cuts_nothing_where_all_is_answered(
    serve: Callable[..., ServerProcess],
) -> None:
    server = serve(yaml())
    with server.client() as client:
        assert transcribed(client).text == TEXT
    for _ in range(2):
        server.process.send_signal(signal.SIGINT)
    assert server.ended()[0] == 0
