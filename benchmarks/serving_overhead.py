"""What does each way of serving add to a call? One request at a time, beside bare calls.

    python benchmarks/serving_overhead.py                  # all of them
    python benchmarks/serving_overhead.py direct endpoint --calls 1000 --seconds 30

The engine is engine=fake, which sleeps for 20 ms. Every request is followed by a bare call of the
same system, so that both find the same machine; printed are the medians, the difference with its
95 % interval (of medians, by resampling pairs) and the goal. ``endpoint`` asks a server in another
process that answers at once: its figure is all of a request, with the audio sent.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from asr_scaling.core.model_spec import ModelSpec, load_spec
from asr_scaling.core.ports import NullProbe, Reply, Served, Service, Serving
from asr_scaling.core.workload import SAMPLE_RATE_HZ, AudioBatch, Utterance
from asr_scaling.device.cpu import Cpu
from asr_scaling.engine.fake import Fake
from asr_scaling.errors import MissingExtraError
from asr_scaling.machine.environment import environment
from asr_scaling.serving.batched import Batched
from asr_scaling.serving.direct import Direct
from asr_scaling.serving.endpoint import Endpoint
from asr_scaling.serving.ray import RayServe
from asr_scaling.serving.replicas import Replicas

ENGINE = Fake(fixed_s=0.02, per_audio_s=0.0, steps=1)
GOAL_MS = {"direct": 5.0, "batched": 5.0, "replicas": 5.0, "endpoint": 5.0, "ray": 25.0}
SERVINGS: dict[str, Callable[[], Serving]] = {
    "direct": Direct,
    "batched": Batched,
    "replicas": lambda: Replicas(workers=1, threads=1),
    "ray": lambda: RayServe(workers=1, threads=1),
}


class Echo(BaseHTTPRequestHandler):
    """Answers as soon as it has read the audio."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        body = json.dumps({"text": "echo"}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Nothing is logged."""


def echo(told: Connection) -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    told.send(server.server_port)
    server.serve_forever()


@contextmanager
def echo_server() -> Iterator[str]:
    """The address of a server in another process."""
    spawn = get_context("spawn")
    here, there = spawn.Pipe()
    process = spawn.Process(target=echo, args=(there,), daemon=True)
    process.start()
    try:
        yield f"http://127.0.0.1:{here.recv()}"
    finally:
        process.terminate()
        process.join()


def request_s(service: Service, utterance: Utterance) -> float:
    """Seconds from a request to its reply."""
    answered: Future[Reply] = Future()
    start = time.monotonic()
    service.submit(utterance, answered.set_result)
    reply = answered.result()
    if reply.status != "ok":
        sys.exit(reply.reason)
    return reply.done_s - start


def pairs(
    serving: Serving, model: ModelSpec, speech: Sequence[Utterance], calls: int, bare: bool
) -> np.ndarray[Any, Any]:
    """Seconds of requests and of the bare calls between them, shape [calls, 2].

    bare: whether a call is what a request adds to; else that is nothing.
    """
    engine = serving.answering(ENGINE)
    system, probe = engine.load(model, Cpu()), NullProbe()
    service = serving.start(Served(model, engine, Cpu(), system), speech[:1])
    found = []
    try:
        for i in range(calls):
            utterance = speech[i % len(speech)]
            served_s = request_s(service, utterance)
            start = time.monotonic()
            if bare:
                system.transcribe(AudioBatch((utterance,)), probe)
            found.append((served_s, time.monotonic() - start if bare else 0.0))
    finally:
        service.close()
        system.close()
    return np.array(found)


def added(found: np.ndarray[Any, Any]) -> tuple[float, float, float]:
    """Milliseconds that serving adds to the median, and the ends of a 95 % interval."""
    random, ms = np.random.default_rng(0), 1e3 * found
    again = ms[random.integers(0, len(ms), (2000, len(ms)))]
    spread = np.diff(np.median(again, axis=1), axis=1)[:, 0]
    low, high = np.percentile(-spread, [2.5, 97.5])
    return float(statistics.median(ms[:, 0]) - statistics.median(ms[:, 1])), float(low), float(high)


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("serving", nargs="*", choices=[*GOAL_MS, []], default=[])
    parser.add_argument("--calls", type=int, default=400)
    parser.add_argument("--seconds", type=float, default=10.0, help="of audio in a request")
    options = parser.parse_args(arguments)
    random = np.random.default_rng(0)
    size = round(options.seconds * SAMPLE_RATE_HZ)
    speech = tuple(
        Utterance(f"u{i}", random.normal(0, 0.1, size).astype(np.float32), "some words")
        for i in range(8)
    )
    model, machine = load_spec("whisper_tiny_en"), environment()
    table = Table("serving", "bare ms", "served ms", "adds ms", "95 %", "goal ms")
    kept = True
    with echo_server() as url:
        for name in options.serving or GOAL_MS:
            serving = Endpoint(url) if name == "endpoint" else SERVINGS[name]()
            try:
                found = pairs(serving, model, speech, options.calls, bare=name != "endpoint")
            except MissingExtraError as error:
                table.add_row(name, "", "", str(error))
                continue
            adds, low, high = added(found)
            middle = np.median(1e3 * found, axis=0)
            kept = kept and adds <= GOAL_MS[name]
            table.add_row(
                name,
                f"{middle[1]:.2f}",
                f"{middle[0]:.2f}",
                f"{adds:.2f}",
                f"{low:.2f} to {high:.2f}",
                f"{GOAL_MS[name]:g}",
            )
    console = Console()
    console.print(f"{machine['cpu']}, {machine['cpu_cores']} cores, {options.calls} requests each")
    console.print(table)
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
