"""A tracking server that is away, asked with a limit of time and told in one sentence. Nothing of MLflow imported."""

from __future__ import annotations

import os
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from http.client import HTTPException
from threading import Thread
from urllib.parse import urlsplit

from asr_scaling.errors import ConfigError, TrackingError
from asr_scaling.tracking._tags import without_password

START_S, BRIEFLY_S = 5.0, 2.0
"""How long a server may take to say that it is there: before a sweep, and before a point once it has failed."""
_WAITS = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0", "MLFLOW_HTTP_REQUEST_TIMEOUT": "5"}
_answered = set[str]()
"""Servers whose last answer to this process was a good one."""


def served(uri: str) -> bool:
    """Whether a server is behind the address, no database."""
    return uri.startswith(("http://", "https://"))


def refuse_secrets(uri: str) -> None:
    """ConfigError for an address with a password in it: addresses are written into records, logs and MLflow."""
    try:
        parts = urlsplit(uri)
        named, secret = (
            "@" in parts.netloc,
            parts.password is not None or "password=" in parts.query.lower(),
        )
    except ValueError:  # no address at all; asking it says so
        named, secret = "@" in uri, False
    if served(uri) and (named or secret):
        raise ConfigError(
            "tracking.uri names a user or a password, which would be written into records: leave them out of it, and "
            "set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD in the environment."
        )
    if secret:
        raise ConfigError(
            "tracking.uri has a password, which would be written into records: leave it out, and give it to the "
            "database's library in PGPASSWORD or in ~/.pgpass."
        )


def check(uri: str, limit_s: float = START_S) -> None:
    """TrackingError unless the server says within ``limit_s`` that it is there, whatever it does with the connection.

    One that asks for a login counts as there.
    """
    mend = f"start it, or set tracking.uri (now {without_password(uri)}), or use tracking=jsonl"
    try:
        _within(limit_s, lambda: _ask(without_password(uri).rstrip("/") + "/health", limit_s))
    except urllib.error.HTTPError as error:
        if error.code not in (401, 403):
            raise TrackingError(
                f"The tracking server answers with error {error.code}: {mend}."
            ) from error
    except (OSError, ValueError, HTTPException) as error:
        raise TrackingError(f"The tracking server does not answer: {mend}.") from error


@contextmanager
def patience(uri: str, begin: bool = False) -> Iterator[None]:
    """For what is sent to the server: who answered last is given time to restart, any other is asked briefly first.

    So a server that goes away costs one point some seconds, and each further one at most ``BRIEFLY_S``. ``begin``: of a
    sweep: the server is asked in any case. TrackingError when it is away.
    """
    known = uri in _answered and not begin
    _answered.discard(uri)
    if known or not served(uri):
        yield
    else:
        check(uri, START_S if begin else BRIEFLY_S)
        with _impatient():
            yield
    _answered.add(uri)


@contextmanager
def _impatient() -> Iterator[None]:
    """MLflow asks once and waits 5 s for an answer, while this lasts."""
    before = {name: os.environ.get(name) for name in _WAITS}
    os.environ.update(_WAITS)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _ask(url: str, limit_s: float) -> None:
    with urllib.request.urlopen(url, timeout=limit_s):
        return


def _within(limit_s: float, ask: Callable[[], None]) -> None:
    """Names that resolve slowly and hosts of many addresses have limits of their own, so the whole is waited for."""
    answer = Future[None]()

    def run() -> None:
        try:
            ask()
            answer.set_result(None)
        except BaseException as error:
            answer.set_exception(error)

    Thread(target=run, daemon=True).start()
    answer.result(limit_s)
