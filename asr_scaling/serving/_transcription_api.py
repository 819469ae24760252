"""OpenAI's transcription API over HTTP, as one request sees it."""

from __future__ import annotations

import io
import json
import os
import time
import wave
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asr_scaling.core.model_spec import ModelSpec
from asr_scaling.core.ports import Reply, ReplyStatus
from asr_scaling.core.workload import SAMPLE_RATE_HZ, Utterance
from asr_scaling.errors import one_line
from asr_scaling.util.redact import HIDDEN, redact

_MOST_BYTES = 2**22
"""Of an answer; the text of an hour of speech has 60 kB."""
_SAID = 200
"""Characters of an answer that a reason quotes."""
_KEPT_S = 1.0
"""Seconds that an idle connection is kept: less than any server does, which may close one just as
it is used again."""
_REFUSALS = (429, 503)


@dataclass(frozen=True)
class Address:
    """Which server is asked, and how.

    ``url``: as in "http://127.0.0.1:8000"; the API's path comes after it.
    ``model``: what the server calls the model; None for the model's name here.
    ``key_env``: name of the variable that holds the key; None without one.
    ``timeout_s``: seconds that a request may take.
    ``connections``: most requests that are with the server at once.
    """

    url: str
    model: str | None
    key_env: str | None
    timeout_s: float
    connections: int


class Client:
    """Asks one server; may be used by many threads at once.

    ``url``: of the server.
    """

    def __init__(self, address: Address, spec: ModelSpec) -> None:
        import httpx2

        self._address, self._spec = address, spec
        self._key = os.environ.get(address.key_env, "") if address.key_env else ""
        most = address.connections
        self._http = httpx2.Client(
            headers={"Authorization": f"Bearer {self._key}"} if self._key else None,
            timeout=address.timeout_s,
            limits=httpx2.Limits(
                max_connections=most, max_keepalive_connections=most, keepalive_expiry=_KEPT_S
            ),
        )
        self.url = address.url
        self._path = address.url.rstrip("/").removesuffix("/v1") + "/v1/audio/transcriptions"
        self._named = address.model or spec.name

    def ask(self, utterance: Utterance) -> Reply:
        """What the server answers; whatever goes wrong is a reply too."""
        import httpx2

        try:
            text = self._answer(utterance)
        except (httpx2.TimeoutException, TimeoutError):
            limit_s = self._address.timeout_s
            return self._without("timed_out", f"no answer within {limit_s:g} s")
        except _RefusedError as error:
            return self._without("refused", str(error))
        except Exception as error:
            known = isinstance(error, _BadAnswerError)
            return self._without("failed", str(error) if known else _named(error))
        return Reply("ok", time.monotonic(), text=text)

    def _answer(self, utterance: Utterance) -> str:
        """The text. Raises what httpx2 raises, and for answers without a text."""
        end_s = time.monotonic() + self._address.timeout_s
        files = {"file": ("audio.wav", wav(utterance.audio), "audio/wav")}
        with self._http.stream(
            "POST", self._path, data=self._fields(utterance), files=files
        ) as response:
            body = bytearray()
            for part in response.iter_bytes():
                body += part
                if time.monotonic() > end_s:
                    raise TimeoutError
                if len(body) > _MOST_BYTES:
                    raise _BadAnswerError(f"the answer has more than {_MOST_BYTES} bytes")
        if response.status_code != 200:
            kind = _RefusedError if response.status_code in _REFUSALS else _BadAnswerError
            raise kind(f"HTTP {response.status_code}: {_message(bytes(body))}")
        return _text(bytes(body))

    def _fields(self, utterance: Utterance) -> Mapping[str, str]:
        language = self._spec.asked_for(utterance.language)
        asked = {"language": language} if language else {}
        return {"model": self._named, "response_format": "json", **asked}

    def _without(self, status: ReplyStatus, reason: str) -> Reply:
        """A reply whose reason is one line without the key, which servers may quote."""
        done_s = time.monotonic()
        hidden = reason.replace(self._key, HIDDEN) if self._key else reason
        return Reply(status, done_s, reason=one_line(redact(hidden)))

    def close(self) -> None:
        """Close all connections. May be called twice."""
        self._http.close()


class _BadAnswerError(Exception):
    """The server answered without a text."""


class _RefusedError(Exception):
    """The server has too much to do."""


def wav(audio: NDArray[np.float32]) -> bytes:
    """A WAV file of 16-bit samples; samples that came from such a file are as they were."""
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(SAMPLE_RATE_HZ)
        out.writeframes(np.clip(np.rint(audio * 32768), -32768, 32767).astype("<i2").tobytes())
    return file.getvalue()


def _named(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".removesuffix(": ")


def _loaded(body: bytes) -> Any:
    """The JSON of an answer, None where it is none."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _text(body: bytes) -> str:
    """Raises _BadAnswerError when the answer holds no text."""
    answer = _loaded(body)
    text = answer.get("text") if isinstance(answer, dict) else None
    if not isinstance(text, str):
        raise _BadAnswerError(f"the answer is no transcription: {_quoted(body)}")
    return text.strip()


def _message(body: bytes) -> str:
    """What an error of the API says, or how its answer begins."""
    answer = _loaded(body)
    error = answer.get("error") if isinstance(answer, dict) else None
    message = error.get("message") if isinstance(error, dict) else error
    return message[:_SAID] if isinstance(message, str) and message else _quoted(body)


def _quoted(body: bytes) -> str:
    said = body[:_SAID].decode("utf-8", "replace").strip()
    return f"'{said}{'…' if len(body) > _SAID else ''}'" if said else "it is empty"
