"""Someone else's server, by OpenAI's transcription API over HTTP."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from asr_scaling.core.metrics import METRICS
from asr_scaling.core.model_spec import ModelSpec
from asr_scaling.core.option_checks import must_be
from asr_scaling.core.ports import (
    Capabilities,
    Device,
    Engine,
    Probe,
    Reply,
    Served,
    Service,
    SystemFacts,
    Transcription,
)
from asr_scaling.core.workload import AudioBatch, Utterance
from asr_scaling.errors import ConfigError, EngineError
from asr_scaling.serving._posting import Posting
from asr_scaling.serving._transcription_api import Address, Client
from asr_scaling.util.redact import redact

_HERE = ("localhost", "127.0.0.1", "::1")
_MEMORY = "the server's memory is not seen from here"
_NOTE = (
    "serving=endpoint: a server at {} was measured, with the connection to it. Nothing is known of "
    "its weights, data type, decoding or threads; what a record says of engine and device beyond "
    "that is about this side."
)
_FAR = (
    "Energy, processor and memory are those of this machine, and say nothing of the server's, "
    "which is another one."
)


@dataclass(frozen=True)
class Endpoint:
    """Requests go to a server, which answers with texts.

    ``url``: of the server, as in http://127.0.0.1:8000; ``/v1/audio/transcriptions`` comes after
    it.
    ``model``: what the server calls the model; None for the model's name here.
    ``key_env``: name of the environment variable that holds the key; None where none is asked for.
    ``timeout_s``: seconds after which a request is given up.
    ``connections``: most requests that are with the server at once.
    ``queue``: most requests that wait here for a connection; more are refused at once.
    """

    url: str | None = None
    model: str | None = None
    key_env: str | None = None
    timeout_s: float = 60.0
    connections: int = 64
    queue: int = 256

    def __post_init__(self) -> None:
        if not self.url:
            raise ConfigError("No server was given; set serving.url=http://127.0.0.1:8000.")
        _check_url(self.url)
        must_be("serving.timeout_s", self.timeout_s, self.timeout_s > 0, "above 0")
        must_be("serving.connections", self.connections, self.connections >= 1, "at least 1")
        must_be("serving.queue", self.queue, self.queue >= 0, "0 or more")

    def answering(self, engine: Engine) -> Engine:
        """The server instead of ``engine``."""
        return Elsewhere(self._address)

    @property
    def _address(self) -> Address:
        url = str(self.url)
        return Address(url, self.model, self.key_env, self.timeout_s, self.connections)

    def start(self, served: Served, warm: Sequence[Utterance]) -> Service:
        """Requests are sent as they come, once the server has transcribed ``warm``."""
        client = Client(self._address, served.model)
        try:
            for utterance in warm:
                _ask(client, utterance)
        except BaseException:
            client.close()
            raise
        facts = {"url": client.url, "connections": self.connections}
        return Posting(client, self.connections, self.queue, facts)


def _check_url(url: str) -> None:
    """Raises ConfigError for what is no address of a server, or holds a secret."""
    try:
        parts = urlsplit(url)
        fits = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        fits = False
    if fits and ("@" in parts.netloc or parts.query or parts.fragment):
        raise ConfigError(
            "serving.url must be an address without user, password and query: put a key into an "
            "environment variable and name that in serving.key_env."
        )
    must_be("serving.url", redact(url), fits, "an address, as http://127.0.0.1:8000")


@dataclass(frozen=True)
class Elsewhere:
    """The engine of a server: asks it, and loads nothing."""

    address: Address

    @property
    def capabilities(self) -> Capabilities:
        """Nothing is fetched or computed here."""
        return Capabilities(
            reads_weights=False, decoding="whatever the server does", any_device=True
        )

    def check(self, model: ModelSpec) -> None:
        """Raises EngineError when the key is missing."""
        import httpx2  # noqa: F401

        name = self.address.key_env
        if name and not os.environ.get(name):
            raise EngineError(
                f"serving.key_env={name}: there is no such environment variable, or it is "
                "empty; put the server's key into it."
            )

    def load(self, model: ModelSpec, device: Device) -> Remote:
        """Nothing is loaded here."""
        self.check(model)
        return Remote(Client(self.address, model))


class Remote:
    """The server as a system that is called; a batch is sent one utterance after the other."""

    def __init__(self, client: Client) -> None:
        self._client, url = client, client.url
        self.modules: Mapping[str, Any] = {}
        far = [] if urlsplit(url).hostname in _HERE else [_FAR]
        self.facts = SystemFacts(
            weights="elsewhere",
            weights_source=f"the server at {url}",
            weights_bytes=0,
            parameters=0,
            dtype="unknown",
            notes=(_NOTE.format(url), *far),
            unobservable={name: _MEMORY for name in METRICS if name.startswith("memory/")},
        )

    def transcribe(self, batch: AudioBatch, probe: Probe) -> Transcription:
        """Ask for each utterance. Raises EngineError for any answer but a text."""
        probe.stage("server")
        texts = tuple(_ask(self._client, one).text for one in batch.utterances)
        return Transcription(texts, tokens=(0,) * len(batch), audio_s=batch.durations_s)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()


def _ask(client: Client, utterance: Utterance) -> Reply:
    """Raises EngineError for any answer but a text."""
    reply = client.ask(utterance)
    if reply.status != "ok":
        status = reply.status.replace("_", " ")
        raise EngineError(f"The server at {client.url} {status}: {reply.reason}.")
    return reply
