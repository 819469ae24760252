"""Services and engines for tests of the server; a YAML may name them when the environment trusts
this module."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from asr_scaling.core.model_spec import load_spec
from asr_scaling.core.ports import Engine, Reply, Served, Service
from asr_scaling.core.workload import Utterance
from asr_scaling.engine.fake import Fake
from asr_scaling.server.api import Api, Limits, Offer
from support.fakes import ScriptedSystem

TRUST = {"ASR_SCALING_PARTS": __name__}
Replied = Callable[[Reply], None]


def reply(utterance: Utterance, text: str = "one two", **changes: Any) -> Reply:
    """A text, of all the audio."""
    now_s = time.monotonic()
    plain = {"begun_s": now_s, "audio_s": utterance.duration_s, "call": 0, "shared": 1}
    return Reply(**({"status": "ok", "done_s": now_s, "text": text} | plain | changes))


@dataclass
class Scripted:
    """A service that replies at once, on another thread, what its script says.

    got: the utterances in the order in which they came.
    """

    script: Callable[[Utterance], Reply] = reply
    got: list[Utterance] = field(default_factory=list)
    facts: Mapping[str, Any] = field(default_factory=dict)

    def submit(self, utterance: Utterance, replied: Replied) -> None:
        self.got.append(utterance)
        threading.Thread(target=lambda: replied(self.script(utterance))).start()

    def close(self) -> None: ...


@dataclass
class Held:
    """A service that replies when it is told to."""

    waiting: list[tuple[Utterance, Replied]] = field(default_factory=list)
    facts: Mapping[str, Any] = field(default_factory=dict)

    def submit(self, utterance: Utterance, replied: Replied) -> None:
        self.waiting.append((utterance, replied))

    def release(self) -> None:
        while self.waiting:
            utterance, replied = self.waiting.pop()
            replied(reply(utterance))

    def close(self) -> None:
        self.release()


def make_api(
    service: Service,
    model: str = "whisper_tiny_en",
    engine: Engine | None = None,
    limits: Limits | None = None,
    key: str | None = None,
) -> Api:
    """A server's routes in front of ``service``."""
    names = (model, f"openai/{model}", "whisper-1")
    offer = Offer(load_spec(model), engine or Fake(), "plain fake", "scripted", names)
    return Api(offer, service, limits or Limits(), "0.1", key)


class Loading:
    """An engine whose weights are what it is told; where it is told, they can't be had."""

    def __init__(self, weights: str = "pretrained", **_: Any) -> None:
        self.weights = weights

    def check(self, model: Any) -> None: ...

    def load(self, model: Any, device: Any) -> ScriptedSystem:
        return ScriptedSystem(lambda batch, probe: None, weights=self.weights)


@dataclass(frozen=True)
class Sleepy:
    """A serving whose service takes ``seconds`` a request, and then says how many samples it had.

    It writes "closed" to the file of the environment variable LOG.
    """

    seconds: float = 0.0
    queue: int = 0

    def answering(self, engine: Engine) -> Engine:
        return engine

    def start(self, served: Served, warm: Sequence[Utterance]) -> Service:
        assert warm
        return _Sleeping(self.seconds)


class _Sleeping:
    def __init__(self, seconds: float) -> None:
        self.facts: Mapping[str, Any] = {}
        self._seconds = seconds

    def submit(self, utterance: Utterance, replied: Replied) -> None:
        text = f"{utterance.audio.size} Prüfsätze 🎤"
        timer = threading.Timer(self._seconds, lambda: replied(reply(utterance, text)))
        timer.daemon = True
        timer.start()

    def close(self) -> None:
        if path := os.environ.get("LOG"):
            with open(path, "a", encoding="utf-8") as log:
                log.write("closed\n")
