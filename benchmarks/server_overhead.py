"""What the HTTP server adds to a call: its routes in front of a service that answers at once.

    python benchmarks/server_overhead.py
    python benchmarks/server_overhead.py 2000      # requests of each case

Three servers, each a process of its own, get the same requests, a file of one second of speech, in
turn: a bare ASGI application, which reads the form and answers; ours in front of a service that
answers without any work; and ours, from ``asr-scaling serve``, with the fake engine that takes no
time, as serving=direct has it. The first is the least that an HTTP server in Python takes on this
machine; ours decodes and checks the audio besides. Goal: at most 5 ms at the median, one client.
"""

from __future__ import annotations

import http.client
import io
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import soundfile
from rich.console import Console
from rich.table import Table

from asr_scaling.core.statistics import percentile

CLIENTS = (1, 8)
GOAL_S = 0.005
ROUNDS = 4
"""The servers take turns so often, so that a slow minute of the machine falls on all of them."""
SYSTEM = """
defaults: [config, {override engine: fake}, _self_]
engine: {fixed_s: 0, per_audio_s: 0, steps: 1}
"""
BARE = """
import socket, uvicorn
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

async def echo(request):
    async with request.form() as form:
        return JSONResponse({"text": "", "size": len(await form["file"].read())})

sock = socket.create_server(("127.0.0.1", 0))
app = Starlette(routes=[Route("/v1/audio/transcriptions", echo, methods=["POST"])])
print(f"on http://127.0.0.1:{sock.getsockname()[1]};", flush=True)
uvicorn.Server(uvicorn.Config(app, log_level="error", access_log=False)).run([sock])
"""
ECHO = """
import time
from asr_scaling.core.model_spec import load_spec
from asr_scaling.core.ports import Reply
from asr_scaling.engine.fake import Fake
from asr_scaling.server.api import Api, Limits, Offer
from asr_scaling.server.listening import answer, bound, url

class Echo:
    facts = {}
    def submit(self, utterance, replied):
        replied(Reply("ok", time.monotonic()))
    def close(self):
        pass

offer = Offer(load_spec("whisper_tiny_en"), Fake(), "echo", "echo", ("whisper-1",))
with bound("127.0.0.1", 0) as sock:
    api = Api(offer, Echo(), Limits(), "echo")
    answer(api.app(), sock, lambda: print(f"on {url(sock)};", flush=True))
"""


class Server:
    """A server in a process of its own."""

    def __init__(self, name: str, command: Sequence[str]) -> None:
        self.name = name
        self._process = subprocess.Popen(
            [sys.executable, *command], stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        self.port = int(line.rpartition("127.0.0.1:")[2].partition(";")[0])
        self.latencies: dict[int, list[float]] = {clients: [] for clients in CLIENTS}
        self.rates: dict[int, list[float]] = {clients: [] for clients in CLIENTS}

    def end(self) -> None:
        self._process.terminate()
        self._process.wait()


def upload() -> tuple[bytes, dict[str, str]]:
    """The body of a request with a second of noise as WAV, and its headers."""
    file = io.BytesIO()
    samples = np.random.default_rng(0).normal(0, 0.1, 16_000)
    soundfile.write(file, samples, 16_000, format="WAV")
    head = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\n'
    body = head + file.getvalue() + b"\r\n--x--\r\n"
    return body, {"Content-Type": "multipart/form-data; boundary=x"}


def ask(port: int, requests: int, latencies: list[float]) -> None:
    """One client, one request after the other, on one connection."""
    body, headers = upload()
    connection = http.client.HTTPConnection("127.0.0.1", port)
    for _ in range(requests):
        began_s = time.perf_counter()
        connection.request("POST", "/v1/audio/transcriptions", body, headers)
        answer = connection.getresponse()
        answer.read()
        if answer.status != 200:
            raise SystemExit(f"port {port} answered {answer.status}")
        latencies.append(time.perf_counter() - began_s)
    connection.close()


def measure(server: Server, clients: int, requests: int) -> None:
    """Let so many clients share the requests."""
    latencies, share = server.latencies[clients], requests // clients
    threads = [
        threading.Thread(target=ask, args=(server.port, share, latencies)) for _ in range(clients)
    ]
    began_s = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    server.rates[clients].append(share * clients / (time.perf_counter() - began_s))


def show(servers: Sequence[Server]) -> bool:
    """A table; whether ours adds no more than the goal."""
    table = Table("server", "clients", "p50 ms", "p99 ms", "requests/s")
    for clients in CLIENTS:
        for server in servers:
            found = server.latencies[clients]
            shown = [f"{1000 * percentile(found, q):.2f}" for q in (50, 99)]
            rate = sum(server.rates[clients]) / len(server.rates[clients])
            table.add_row(server.name, str(clients), *shown, f"{rate:.0f}")
    medians = [percentile(server.latencies[1], 50) for server in servers]
    console = Console(width=100)
    console.print(table)
    console.print(
        f"Goal: a median of at most {1000 * GOAL_S:g} ms in front of the echo, one client."
    )
    return medians[1] <= GOAL_S


def main(arguments: Sequence[str]) -> int:
    """Measure and print; 1 when the goal is missed."""
    requests = int(arguments[0]) if arguments else 800
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "fake.yaml")
        path.write_text(SYSTEM, encoding="utf-8")
        ours = ["-m", "asr_scaling", "serve", str(path), "--port", "0"]
        servers = [
            Server("bare ASGI application", ["-c", BARE]),
            Server("ours, echo service", ["-c", ECHO]),
            Server("ours, engine=fake, serving=direct", ours),
        ]
        try:
            for clients in CLIENTS:
                for server in servers:
                    measure(server, clients, 10 * clients)
                    server.latencies[clients].clear()
                    server.rates[clients].clear()
                for _ in range(ROUNDS):
                    for server in servers:
                        measure(server, clients, requests // ROUNDS)
        finally:
            for server in servers:
                server.end()
        return 0 if show(servers) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
