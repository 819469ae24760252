"""The routes of the server, as an ASGI application."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import count
from typing import BinaryIO

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from asr_scaling.core.awaited_reply import awaited_reply
from asr_scaling.core.language import english_name
from asr_scaling.core.model_spec import ModelSpec
from asr_scaling.core.ports import Bounded, Engine, Service
from asr_scaling.core.workload import Utterance
from asr_scaling.dataset._audio import decode
from asr_scaling.errors import DataError, EngineError
from asr_scaling.server.api_error import ApiError, overloaded
from asr_scaling.server.asked import Asked, asked, spoken
from asr_scaling.server.formats import Heard, rendered
from asr_scaling.server.metrics import Metrics
from asr_scaling.server.room import Room
from asr_scaling.server.upload import form_of
from asr_scaling.sweep.described_system import unread

Handler = Callable[[Request], Awaitable[Response]]
_DECODERS = 2
"""Threads that decode audio files."""
_GONE = 499
"""Status of a request whose client went away, as nginx has it."""
_FAILURES = {"timed_out": (504, "timeout"), "failed": (500, "transcription_failed")}


@dataclass(frozen=True)
class Offer:
    """What a server offers.

    model, engine: what answers.
    called: the system in words, as "int8 on faster_whisper".
    serving: how requests become calls, as "batched".
    names: that requests may give to the model, its own first.
    """

    model: ModelSpec
    engine: Engine
    called: str
    serving: str
    names: Sequence[str]


@dataclass(frozen=True)
class Limits:
    """What a server takes. All requests together may hold four times what one may.

    upload_bytes: of one request.
    audio_s: seconds of audio of one request.
    requests: in flight.
    """

    upload_bytes: int = 256 * 10**6
    audio_s: float = 3600.0
    requests: int = 256


class Api:
    """Answers requests with what ``service`` replies.

    key: that requests must carry; None for none.
    """

    def __init__(
        self, offer: Offer, service: Service, limits: Limits, version: str, key: str | None = None
    ) -> None:
        self._offer, self._service = offer, service
        self._limits, self._key = limits, key
        build = {"version": version, "model": offer.model.name}
        self._metrics = Metrics({**build, "system": offer.called, "serving": offer.serving})
        self._began, self._numbers = int(time.time()), count(1)
        self._uploads = Room(4 * limits.upload_bytes, "uploads")
        self._audio = Room(4 * limits.audio_s, "audio")
        self._requests = Room(limits.requests, "requests")
        self._decoders = ThreadPoolExecutor(_DECODERS, "decoder")
        english_name("en")  # what it imports takes seconds

    def app(self) -> Starlette:
        """The ASGI application."""
        routes = [
            Route("/v1/audio/transcriptions", self._transcriptions, methods=["POST"]),
            Route("/v1/models", self._guarded(self._models)),
            Route("/v1/models/{name:path}", self._guarded(self._model)),
            Route("/health", self._health),
            Route("/metrics", self._guarded(self._figures)),
        ]
        handlers = {ApiError: _told, HTTPException: _http_error, Exception: _accident}
        return Starlette(routes=routes, exception_handlers=handlers)  # type: ignore[arg-type]

    def close(self) -> None:
        """End the threads that decode."""
        self._decoders.shutdown()

    def _guarded(self, handler: Handler) -> Handler:
        async def guarded(request: Request) -> Response:
            self._check_key(request)
            return await handler(request)

        return guarded

    def _check_key(self, request: Request) -> None:
        """Raises ApiError unless the request has the key, where there is one."""
        if self._key is None:
            return
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        same = secrets.compare_digest(given.strip().encode(), self._key.encode())
        if scheme.lower() != "bearer" or not same:
            raise ApiError(
                401,
                "This server wants its key: send  Authorization: Bearer KEY.",
                code="invalid_api_key",
                headers={"WWW-Authenticate": "Bearer"},
            )

    async def _models(self, request: Request) -> Response:
        return JSONResponse({"object": "list", "data": list(map(self._card, self._offer.names))})

    async def _model(self, request: Request) -> Response:
        name = request.path_params["name"]
        if name not in self._offer.names:
            raise ApiError(404, f"This server has no model '{name}'.", code="model_not_found")
        return JSONResponse(self._card(name))

    def _card(self, name: str) -> dict[str, object]:
        """A model as OpenAI lists it; ``root``: the model that other names stand for."""
        card = {"id": name, "object": "model", "created": self._began, "owned_by": "asr_scaling"}
        return {**card, "root": self._offer.model.name}

    async def _health(self, request: Request) -> Response:
        """Whether there are workers: 503 once there is none, as who balances loads expects."""
        facts = self._service.facts
        lost, workers = facts.get("workers_lost", 0), facts.get("workers", 1)
        if not lost:
            return JSONResponse({"status": "ok"})
        told = {"workers": workers - lost, "workers_lost": lost}
        if lost < workers:
            return JSONResponse({"status": "degraded", **told})
        return JSONResponse({"status": "failed", **told}, status_code=503)

    async def _figures(self, request: Request) -> Response:
        return self._metrics.response()

    async def _transcriptions(self, request: Request) -> Response:
        began_s, status = time.monotonic(), 500
        try:
            with self._metrics.in_flight.track_inprogress():
                response = await self._transcribed(request)
            status = response.status_code
        except ApiError as error:
            status = error.status
            raise
        except HTTPException as error:
            status = error.status_code
            raise
        except ClientDisconnect:
            status = _GONE
            return Response(status_code=_GONE)
        except asyncio.CancelledError:
            status = 503
            raise ApiError(503, "This server was told to end at once.", code="ended") from None
        finally:
            self._metrics.ended(status, time.monotonic() - began_s)
        return response

    async def _transcribed(self, request: Request) -> Response:
        self._check_key(request)
        with (
            self._requests.share() as one_more,
            self._uploads.share() as upload,
            self._audio.share() as hold,
        ):
            one_more(1)
            async with form_of(request, self._limits.upload_bytes, upload) as form:
                wanted = asked(form, self._offer.names)
                utterance = await self._decoded(wanted)
            hold(utterance.duration_s)
            heard = await self._heard(utterance)
        return rendered(heard, wanted.form)

    async def _decoded(self, wanted: Asked) -> Utterance:
        """The audio that was uploaded, decoded in another thread."""
        loop = asyncio.get_running_loop()
        work = self._decoders, self._utterance
        return await loop.run_in_executor(*work, wanted, wanted.file.file)

    def _utterance(self, wanted: Asked, file: BinaryIO) -> Utterance:
        """Raises ApiError for audio that this system does not take."""
        offer = self._offer
        language = spoken(offer.model, wanted.language)
        try:
            audio = decode(file.read(), wanted.name, self._limits.audio_s, keep=False)
            name = f"request {next(self._numbers)}"
            utterance = Utterance(name, audio.samples, "", language=language)
            if isinstance(offer.engine, Bounded):
                offer.engine.check_length(offer.model, utterance.duration_s)
        except (DataError, EngineError) as error:
            raise ApiError(400, str(error), param="file", code="invalid_audio") from error
        return utterance

    async def _heard(self, utterance: Utterance) -> Heard:
        """What the service hears in it. Raises ApiError where it has no text."""
        submitted_s = time.monotonic()
        reply = await awaited_reply(self._service, utterance)
        duration_s = utterance.duration_s
        self._metrics.replied(reply, submitted_s, duration_s)
        if reply.status == "refused":
            raise overloaded(reply.reason)
        if reply.status != "ok":
            status, code = _FAILURES[reply.status]
            raise ApiError(status, reply.reason, code=code)
        if reply.audio_s is not None and (why := unread(duration_s, reply.audio_s, "serve")):
            why = f"The audio {why}"
            raise ApiError(400, why, param="file", code="audio_too_long")
        codes = self._offer.model.codes
        code = reply.language or utterance.language or (codes[0] if len(codes) == 1 else "")
        return Heard(reply.text, duration_s, english_name(code) or code or None, reply.turns)


async def _told(request: Request, error: ApiError) -> Response:
    return error.response()


async def _http_error(request: Request, error: HTTPException) -> Response:
    """What the framework refuses: a damaged form, an unknown address, a wrong method."""
    known = {404: "unknown_url", 405: "method_not_allowed"}
    where = f": {request.method} {request.url.path}" if error.status_code in known else ""
    message, code = f"{error.detail.rstrip('.')}{where}.", known.get(error.status_code)
    return ApiError(error.status_code, message, code=code, headers=error.headers).response()


async def _accident(request: Request, error: Exception) -> Response:
    """The server's log has the traceback."""
    return ApiError(500, "Something failed here: see the server's log.").response()
