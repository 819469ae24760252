"""A server of the transcription API that answers as a test tells it."""

from __future__ import annotations

import io
import json
import socket
import wave
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.parser import BytesParser
from email.policy import HTTP
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import numpy as np


@dataclass
class Asked:
    """One request: its fields, the samples of its file, and its headers."""

    path: str
    fields: dict[str, str]
    samples: np.ndarray[Any, Any]
    rate_hz: int
    headers: dict[str, str]


Answer = Callable[["Handler", Asked], None]


@dataclass
class Server:
    """``answer`` is what each request gets; ``asked`` is what came."""

    url: str
    answer: Answer
    asked: list[Asked] = field(default_factory=list)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    told: Server

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        asked = _asked(self.path, dict(self.headers), body)
        self.told.asked.append(asked)
        self.told.answer(self, asked)

    def say(self, status: int, body: bytes, length: int | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        self.wfile.write(body)

    def cut(self) -> None:
        """End the connection here."""
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def log_message(self, *args: Any) -> None:
        return


def text(said: str) -> Answer:
    return lambda handler, asked: handler.say(200, json.dumps({"text": said}).encode())


def status(code: int, body: bytes = b"") -> Answer:
    return lambda handler, asked: handler.say(code, body)


@contextmanager
def serving(answer: Answer) -> Iterator[Server]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Told", (Handler,), {}))
    server.daemon_threads = True
    told = Server(f"http://127.0.0.1:{server.server_port}", answer)
    server.RequestHandlerClass.told = told  # type: ignore[attr-defined]
    thread = Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield told
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _asked(path: str, headers: dict[str, str], body: bytes) -> Asked:
    head = f"Content-Type: {headers['Content-Type']}\r\n\r\n".encode()
    fields, samples, rate_hz = {}, np.zeros(0), 0
    for part in BytesParser(policy=HTTP).parsebytes(head + body).iter_parts():
        name = part.get_param("name", header="content-disposition")
        content = part.get_payload(decode=True)
        if name == "file":
            with wave.open(io.BytesIO(content)) as file:
                rate_hz = file.getframerate()
                samples = np.frombuffer(file.readframes(file.getnframes()), "<i2")
        else:
            fields[name] = content.decode()
    return Asked(path, fields, samples, rate_hz, headers)
