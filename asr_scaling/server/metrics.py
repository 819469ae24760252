"""Figures of the server, in the text form of Prometheus."""

from __future__ import annotations

from collections.abc import Mapping

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Info,
    ProcessCollector,
    generate_latest,
)
from starlette.responses import Response

from asr_scaling.core.ports import Reply

_SECONDS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 1.5, 2, 3, 5, 8, 13, 20, 30, 60, 120, 300)
_SHARED = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 64, 128)


class Metrics:
    """Counts and distributions since the server began, in a registry of their own."""

    def __init__(self, build: Mapping[str, str]) -> None:
        own = self.registry = CollectorRegistry()
        ProcessCollector(registry=own)
        Info("asr_scaling_build", "What is served.", registry=own).info(dict(build))
        self._requests = Counter(
            "asr_scaling_requests", "Requests for a text, by HTTP status.", ["status"], registry=own
        )
        self._latency = Histogram(
            "asr_scaling_request_seconds",
            "From the head of a request to its answer, its upload included.",
            registry=own,
            buckets=_SECONDS,
        )
        self._wait = Histogram(
            "asr_scaling_queue_seconds",
            "From decoded audio to the begin of its call.",
            registry=own,
            buckets=_SECONDS,
        )
        self._shared = Histogram(
            "asr_scaling_call_requests",
            "Requests that a call answered together.",
            registry=own,
            buckets=_SHARED,
        )
        self._audio = Counter(
            "asr_scaling_audio_seconds", "Audio of requests that got a text.", registry=own
        )
        self.in_flight = Gauge(
            "asr_scaling_requests_in_flight", "Requests without an answer yet.", registry=own
        )
        self._last_call: dict[int, int] = {}

    def ended(self, status: int, seconds: float) -> None:
        """Count a request that was answered after so many ``seconds``."""
        self._requests.labels(str(status)).inc()
        self._latency.observe(seconds)

    def replied(self, reply: Reply, submitted_s: float, audio_s: float) -> None:
        """Count what the service told of a request.

        submitted_s: when it got the request, on the clock of the reply.
        audio_s: seconds of its audio.
        """
        if reply.status == "ok":
            self._audio.inc(audio_s)
        if reply.begun_s is not None:
            self._wait.observe(max(0.0, reply.begun_s - submitted_s))
        new = reply.call is not None and self._last_call.get(reply.worker) != reply.call
        if new and reply.shared is not None and reply.call is not None:
            self._last_call[reply.worker] = reply.call  # a worker replies call by call
            self._shared.observe(reply.shared)

    def response(self) -> Response:
        """All of them."""
        return Response(generate_latest(self.registry), media_type=CONTENT_TYPE_LATEST)
