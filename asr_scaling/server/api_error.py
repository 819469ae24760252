"""Errors in the form that OpenAI's API gives them."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.responses import JSONResponse

from asr_scaling.errors import one_line
from asr_scaling.util.redact import redact

_CALLERS, _OURS = "invalid_request_error", "server_error"
_RETRY_S = "1"
"""Seconds after which a client that was turned away may try again."""


class ApiError(Exception):
    """A request that gets no text, and why.

    status: of HTTP; below 500 it is the caller's error.
    param: name of the parameter that is wrong; None where it is none of them.
    code: a word for programs.
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        param: str | None = None,
        code: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.param, self.code = param, code
        self.headers = dict(headers or {})

    def response(self) -> JSONResponse:
        """What the client gets."""
        kind = _CALLERS if self.status < 500 else _OURS
        told = {"message": one_line(redact(str(self))), "type": kind}
        body = {"error": {**told, "param": self.param, "code": self.code}}
        return JSONResponse(body, self.status, self.headers)


def overloaded(reason: str) -> ApiError:
    """For a request that is turned away now and may come again."""
    return ApiError(503, reason, code="overloaded", headers={"Retry-After": _RETRY_S})
