"""The form of a request, read no further than it may be long."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.types import Message

from asr_scaling.server.api_error import ApiError

_MOST_FIELDS, _MOST_FIELD_BYTES = 32, 1 << 16
_STALLED_S = 30.0
"""A client that sends nothing for so long is given up."""


@asynccontextmanager
async def form_of(
    request: Request, most_bytes: int, take: Callable[[float], None]
) -> AsyncIterator[FormData]:
    """The fields of ``request`` and its file, which is on disk where it is over 1 MB.

    most_bytes: of the whole request.
    take: told the bytes of each piece that arrives; may raise ApiError.
    Raises ApiError for a request that is too long or stalls, HTTPException for a damaged one.
    """
    claimed = request.headers.get("content-length", "")
    if claimed.isdecimal() and int(claimed) > most_bytes:
        raise _too_large(most_bytes)
    size = 0

    async def receive() -> Message:
        nonlocal size
        try:
            message = await asyncio.wait_for(request.receive(), _STALLED_S)
        except TimeoutError:
            raise ApiError(
                408,
                f"Nothing arrived for {_STALLED_S:g} s: send the request again.",
                code="timeout",
            ) from None
        came = len(message.get("body", b""))
        size += came
        if size > most_bytes:
            raise _too_large(most_bytes)
        take(came)
        return message

    limited = Request(request.scope, receive)
    async with limited.form(
        max_files=1, max_fields=_MOST_FIELDS, max_part_size=_MOST_FIELD_BYTES
    ) as form:
        yield form


def _too_large(most_bytes: int) -> ApiError:
    return ApiError(
        413,
        f"The request is larger than {most_bytes / 1e6:g} MB: send compressed audio, as FLAC or "
        "Opus, or cut it.",
        param="file",
        code="file_too_large",
    )
