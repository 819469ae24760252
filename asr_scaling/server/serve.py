"""Serves the system that a YAML describes until it is told to end."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

from asr_scaling.core.option_checks import choice_name
from asr_scaling.core.ports import Served, Service, SystemSpec
from asr_scaling.dataset._workload import Dataset
from asr_scaling.dataset.demo import Demo
from asr_scaling.machine.environment import version
from asr_scaling.server.api import Api, Limits, Offer
from asr_scaling.server.listening import answer, bound, url
from asr_scaling.sweep.described_system import described, loaded, options_in

OPENAI_NAME = "whisper-1"
"""What programs for OpenAI's API call its Whisper; here it is whatever is served."""


@dataclass(frozen=True)
class Place:
    """Where a server listens, and to whom it answers.

    key: that requests must carry; None for none.
    key_env: the environment variable that holds it.
    """

    host: str
    port: int
    key: str | None = None
    key_env: str | None = None


def serve(config: Path, place: Place, limits: Limits, aliases: Sequence[str] = ()) -> bool:
    """Serve the system that ``config`` describes until SIGTERM or SIGINT.

    aliases: further names that requests may give to its model.
    Returns whether everything in flight was answered.
    Raises ConfigError for an address that can't be had or a file that describes no system,
    WeightsError for random weights, and whatever loading and the service raise.
    """
    answered = True
    try:
        with _terminable(), bound(place.host, place.port) as sock, ExitStack() as stack:
            plain = options_in(config)
            spec = described(plain)
            limits = replace(limits, audio_s=_longest_s(plain))
            offer = _offer(spec, aliases)
            service = _started(spec, stack)
            api = Api(offer, service, limits, version("asr-scaling") or "unknown", place.key)
            stack.callback(api.close)
            answered = answer(api.app(), sock, lambda: _say(offer, spec, url(sock), place.key_env))
    except KeyboardInterrupt:  # before it was ready, or while it gives everything back
        pass
    return answered


def _started(spec: SystemSpec, stack: ExitStack) -> Service:
    """The system, loaded and taking requests; it is closed with the ``stack``."""
    system = stack.enter_context(closing(loaded(spec)))
    served = Served(spec.model, spec.engine, spec.device, system)
    warm = Demo().load(1).utterances
    return stack.enter_context(closing(spec.serving.start(served, warm)))


def _offer(spec: SystemSpec, aliases: Sequence[str]) -> Offer:
    names = (spec.model.name, spec.model.hub_id, OPENAI_NAME, *aliases)
    serving = choice_name(spec.serving)
    return Offer(spec.model, spec.engine, spec.called, serving, tuple(dict.fromkeys(names)))


def _longest_s(plain: dict[str, Any]) -> float:
    """Seconds of the longest audio that is taken: as of a file of a dataset."""
    chosen = plain.get("dataset")
    if not isinstance(chosen, dict) or "max_utterance_s" not in chosen:
        return Dataset().max_utterance_s
    return Dataset(max_utterance_s=chosen["max_utterance_s"]).max_utterance_s


def _say(offer: Offer, spec: SystemSpec, where: str, key_env: str | None) -> None:
    """One line on what is served, and one to try it with."""
    key = f' -H "Authorization: Bearer ${key_env}"' if key_env else ""
    sys.stdout.write(
        f"Serving {offer.names[0]}, {offer.called}, device={choice_name(spec.device)}, "
        f"serving={offer.serving}, on {where}; Ctrl-C ends it.\n"
        f"Try it: curl {where}/v1/audio/transcriptions{key} -F file=@speech.wav\n"
    )
    sys.stdout.flush()


@contextmanager
def _terminable() -> Iterator[None]:
    """SIGTERM raises KeyboardInterrupt in this block, as SIGINT does."""

    def interrupt(signum: int, frame: FrameType | None) -> NoReturn:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
