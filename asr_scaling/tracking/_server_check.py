"""Whether a tracking server answers, asked with a limit of time. Imports nothing of MLflow."""

from __future__ import annotations

import os
import ssl
import urllib.error
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPException
from urllib.parse import urlsplit

from asr_scaling.errors import ConfigError, TrackingError
from asr_scaling.tracking._tags import without_password
from asr_scaling.tracking._tracked import VARIABLE
from asr_scaling.util.http import ask_url

START_S = 5.0
"""Seconds that a server may take to answer before a sweep."""
BRIEFLY_S = 2.0
"""Seconds that a server may take to answer before a point, once it has failed."""
_WAITS = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0", "MLFLOW_HTTP_REQUEST_TIMEOUT": "5"}
_answered = set[str]()
"""Addresses of servers to which this process's last request succeeded."""


def served(uri: str) -> bool:
    """Whether the address is a server's, not a database's."""
    return uri.startswith(("http://", "https://"))


def refuse_secrets(uri: str) -> None:
    """Addresses are written into records, logs and MLflow.

    Raises ConfigError for one with a password in it, or a server's with a user.
    """
    try:
        parts = urlsplit(uri)
        has_user = "@" in parts.netloc
        has_password = parts.password is not None or "password=" in parts.query.lower()
    except ValueError:  # not an address; the first request will say so
        has_user, has_password = "@" in uri, False
    named = VARIABLE if uri == os.environ.get(VARIABLE) else "tracking.uri"
    if served(uri) and (has_user or has_password):
        raise ConfigError(
            f"{named} names a user or a password, which would be written into records: leave "
            "them out of it, and set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD in the "
            "environment."
        )
    if has_password:
        raise ConfigError(
            f"{named} has a password, which would be written into records: leave it out, and "
            "give it to the database's library in PGPASSWORD or in ~/.pgpass."
        )


def check(uri: str, limit_s: float = START_S) -> None:
    """Ask the server whether it is there. One that asks for a login is.

    Raises TrackingError when it doesn't answer well within ``limit_s`` seconds.
    """
    mend = f"start it, or set tracking.uri (now {without_password(uri)}), or use tracking=jsonl"
    try:
        ask_url(without_password(uri).rstrip("/") + "/health", limit_s, tls=_tls(uri))
    except urllib.error.HTTPError as error:
        if error.code not in (401, 403):
            raise TrackingError(
                f"The tracking server answers with error {error.code}: {mend}."
            ) from error
    except (OSError, ValueError, HTTPException) as error:
        raise TrackingError(f"The tracking server does not answer: {mend}.") from error


def _tls(uri: str) -> ssl.SSLContext | None:
    """How a server's certificate is checked, by the variables that MLflow's client honours.

    Raises OSError for a file of theirs that can't be read.
    """
    if not uri.startswith("https://"):
        return None
    own = os.environ.get("MLFLOW_TRACKING_SERVER_CERT_PATH") or os.environ.get("REQUESTS_CA_BUNDLE")
    below = own if own and os.path.isdir(own) else None
    tls = ssl.create_default_context(cafile=None if below else own, capath=below)
    if os.environ.get("MLFLOW_TRACKING_INSECURE_TLS", "").lower() in ("true", "1"):
        tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
    if client := os.environ.get("MLFLOW_TRACKING_CLIENT_CERT_PATH"):
        tls.load_cert_chain(client)
    return tls


@contextmanager
def patience(uri: str, begin: bool = False) -> Iterator[None]:
    """A block in which requests are sent to the store, with as much patience as it has earned.

    A server to which the last request succeeded gets MLflow's own retries, so it may restart.
    Any other is asked first whether it is there, and then gets no retries. So a server that goes
    away delays one point by some seconds, and each later one by at most ``BRIEFLY_S``.

    begin: a sweep begins; the server is asked first in any case.

    Raises TrackingError when the server is away.
    """
    trusted = uri in _answered and not begin
    _answered.discard(uri)
    if trusted or not served(uri):
        yield
    else:
        check(uri, START_S if begin else BRIEFLY_S)
        with _no_retries():
            yield
    _answered.add(uri)


@contextmanager
def _no_retries() -> Iterator[None]:
    """Within this block MLflow sends each request once and waits 5 s for the answer."""
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
