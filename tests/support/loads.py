"""Loads in virtual time, as a scenario would have driven them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from asr_scaling.core.ports import Reply
from asr_scaling.core.workload import Utterance
from asr_scaling.load.arrivals import Schedule
from asr_scaling.load.bound import parsed
from asr_scaling.load.drive import Driven, Limits, Request, drive
from asr_scaling.load.load_figures import Load
from asr_scaling.load.looks import Looks
from asr_scaling.load.texts import Texts
from support.fakes import FakeClock, utterances
from support.services import VirtualFirings, VirtualService

SPEECH = utterances([1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0])
"""Eight utterances, 4.5 s in the mean."""


def virtually(
    schedule: Schedule,
    service_s: Callable[[int], float],
    late: Callable[[int], float] = lambda number: 0.0,
    **options: Any,
) -> Driven:
    """A load on a queue in virtual time; ``options`` are those of the service."""
    clock = FakeClock()
    service, firings = VirtualService(clock, service_s, **options), VirtualFirings(clock, late)
    now = clock.perf_counter
    return drive(service, schedule, Limits(1e9), generator=lambda: firings, clock=now)


def made(
    replies: Sequence[Reply | None],
    due_s: Sequence[float],
    speech: Sequence[Utterance] = SPEECH,
    **more: Any,
) -> Driven:
    """A load whose requests were due and answered as told; fired and handed over on time."""
    carried = tuple(speech[i % len(speech)] for i in range(len(due_s)))
    requests = tuple(
        Request(i, carried[i], due, due, due, reply, timed_out=reply is None)
        for i, (due, reply) in enumerate(zip(due_s, replies, strict=True))
    )
    schedule = Schedule("poisson", tuple(due_s), carried, 1.0)
    return Driven(schedule, due_s[0], due_s[-1] + 1, requests, **more)


def answered(due_s: float, latency_s: float, text: str = "text", **more: Any) -> Reply:
    """A reply with a text."""
    return Reply("ok", due_s + latency_s, due_s, text, **more)


def load_of(driven: Driven, bound: str | None = None, **changes: Any) -> Load:
    """A load whose machine nobody looked at and whose texts are the references."""
    alone = {utterance.id: utterance.reference for utterance in SPEECH}
    parts: dict[str, Any] = {
        "looks": Looks("no GPU", None, failed="nobody looked"),
        "texts": Texts(SPEECH, alone, "none"),
        "late_s": 0.002,
        "bound": None if bound is None else parsed(bound),
    }
    return Load(driven, **(parts | changes))
