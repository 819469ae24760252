"""A service's reply for code that runs on an event loop."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from asr_scaling.core.ports import Reply, Service
from asr_scaling.core.workload import Utterance


async def awaited_reply(service: Service, utterance: Utterance) -> Reply:
    """What ``service`` replies on whichever thread, here."""
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[Reply] = loop.create_future()

    def arrived(reply: Reply) -> None:
        if not answer.done():  # whoever waited may have been cancelled
            answer.set_result(reply)

    def replied(reply: Reply) -> None:
        with suppress(RuntimeError):  # the loop was closed
            loop.call_soon_threadsafe(arrived, reply)

    service.submit(utterance, replied)
    return await answer
