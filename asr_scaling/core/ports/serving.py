"""How requests become calls of a system: a service, and what each request gets from it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from asr_scaling.core.model_spec import ModelSpec
from asr_scaling.core.option_checks import choice_name
from asr_scaling.core.ports.engine import Device, Engine, System
from asr_scaling.core.turns import Turn
from asr_scaling.core.workload import Utterance
from asr_scaling.errors import ConfigError, EngineError

ReplyStatus = Literal["ok", "refused", "timed_out", "failed"]
"""How a request ended: with a text; turned away at once; without an answer in time; otherwise."""


@dataclass(frozen=True)
class Reply:
    """What one request got.

    Times are seconds on the clock of ``time.monotonic``, which all processes of a machine share.

    ``done_s``: when the answer was there.
    ``begun_s``: when the call that answered it began; None where the service does not tell.
    ``text``: the hypothesis; empty unless ``status`` is "ok".
    ``reason``: one sentence why there is no text; empty where there is one.
    ``audio_s``: seconds of its audio that were processed; None where the service does not tell.
    ``worker``: number of the worker that answered it, from 0.
    ``call``: number of the call within its worker, from 0; None where it is not told.
    ``shared``: requests that this call answered together; None where it is not told.
    ``turns``: what was said when and by whom; empty where the service does not tell.
    ``language``: code of the language it was transcribed in; empty where the service does not tell.
    """

    status: ReplyStatus
    done_s: float
    begun_s: float | None = None
    text: str = ""
    reason: str = ""
    audio_s: float | None = None
    worker: int = 0
    call: int | None = None
    shared: int | None = None
    turns: tuple[Turn, ...] = ()
    language: str = ""


class Service(Protocol):
    """A system that takes requests while it answers others.

    ``facts``: how it was set up, in types that JSON has: "workers", "cores" …
    """

    @property
    def facts(self) -> Mapping[str, Any]: ...  # noqa: D102

    def submit(self, utterance: Utterance, replied: Callable[[Reply], None]) -> None:
        """Take one request, without waiting for anything.

        ``replied`` is called exactly once, on any thread, also for what is refused or fails.
        """

    def close(self) -> None:
        """Reply to everything that still waits, as failed, and give all back. May be called twice.

        What is being transcribed is answered first, for as long as that takes.
        """


@dataclass(frozen=True)
class Served:
    """The system that a service is made of.

    ``model``, ``engine``, ``device``: what loads it, and loads it again in other processes.
    ``system``: loaded; it stays the caller's to close, and nobody else uses it meanwhile.
    """

    model: ModelSpec
    engine: Engine
    device: Device
    system: System


class Serving(Protocol):
    """How requests become calls: one of the group ``serving``."""

    def answering(self, engine: Engine) -> Engine:
        """The engine that answers: ``engine``, or one that asks a server elsewhere.

        Raises ConfigError when it can't be served so.
        """

    def start(self, served: Served, warm: Sequence[Utterance]) -> Service:
        """A service, every worker of which has transcribed ``warm``.

        Raises EngineError or DeviceError when it can't be started.
        """


@dataclass(frozen=True)
class Here:
    """No service: for systems that are only called."""

    def answering(self, engine: Engine) -> Engine:
        """The same."""
        return engine

    def start(self, served: Served, warm: Sequence[Utterance]) -> Service:
        """Raises EngineError: it takes no requests."""
        raise EngineError("No service was chosen: name one, as in serving=direct.")


HERE = Here()


def answering(serving: Serving, engine: Engine, plain: bool) -> Engine:
    """The engine that answers.

    plain: ``engine`` was chosen with nothing that changes it.
    Raises ConfigError when a server elsewhere would answer without what was chosen.
    """
    found = serving.answering(engine)
    if found is not engine and not plain:
        raise ConfigError(
            f"serving={choice_name(serving)} asks a server elsewhere, which decides by itself how "
            "it decodes and what it puts around recognition: leave optimisation, decoding, vad, "
            "punctuation and speaker out."
        )
    return found
