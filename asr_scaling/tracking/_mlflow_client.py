"""MLflow's client with this project's settings, and its errors as one sentence."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from asr_scaling.errors import AsrScalingError, MissingExtraError, TrackingError
from asr_scaling.tracking._tags import without_password
from asr_scaling.tracking._tracked import VARIABLE

_DELETED = re.compile(r"The (experiment|run) (\w+) must be in the 'active' state")
_DISK = {
    "readonly database": "may not be written",
    "database or disk is full": "is on a full disk",
    "database is locked": "is in use by another process that does not let go of it",
    "unable to open database file": "can't be opened",
}
"""What SQLite says, and what it means."""
PAGE = 200
"""Runs a request asks for. A busy server needs seconds to send them with params and metrics."""
_SETTINGS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "3",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_ENABLE_ASYNC_TRACE_LOGGING": "false",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}


def client(uri: str) -> Any:
    """A client for the store: quiet, without telemetry, and with short limits of time.

    Raises MissingExtraError when mlflow is not installed.
    """
    for name, value in _SETTINGS.items():
        os.environ.setdefault(name, value)
    try:
        import mlflow
    except ModuleNotFoundError as error:
        raise MissingExtraError("mlflow") from error
    for noisy in ("alembic", "mlflow"):  # importing mlflow sets levels
        logging.getLogger(noisy).setLevel(logging.ERROR)
    logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL)  # ``errors`` says it
    named = os.environ.get(VARIABLE)
    mlflow.set_tracking_uri(uri)  # sets the variable too, which names the user's store
    os.environ.pop(VARIABLE, None)
    if named is not None:
        os.environ[VARIABLE] = named
    return mlflow.MlflowClient(uri)


@contextmanager
def errors(uri: str, experiment: str = "") -> Iterator[None]:
    """Within this block, any error of the store becomes a TrackingError of one sentence."""
    try:
        yield
    except AsrScalingError:
        raise
    except Exception as error:
        raise TrackingError(_sentence(error, uri, experiment)) from error


def search(client: Any, experiment: str, wanted: str, **options: Any) -> Iterator[Any]:
    """All runs of an experiment that pass the filter ``wanted``, page by page."""
    token = None
    while True:
        page = client.search_runs(
            [experiment], wanted, max_results=PAGE, page_token=token, **options
        )
        yield from page
        token = page.token
        if not token:
            return


def deleted(kind: str, own: str, uri: str, experiment: str) -> str:
    """What to do about an experiment or a run that was deleted in MLflow's page.

    own: its id.
    """
    named = f"'{experiment}'" if kind == "experiment" else own
    restore = f"mlflow {kind}s restore --{kind}-id {own}"
    otherwise = "set tracking.experiment to another name"
    if kind == "run":
        otherwise = "begin a new sweep"
    return (
        f"The {kind} {named} was deleted in MLflow at {without_password(uri)}: bring it back with  "
        f"{VARIABLE}={without_password(uri)} {restore} , or {otherwise}."
    )


def _sentence(error: Exception, uri: str, experiment: str) -> str:
    where = without_password(uri)
    code, text = getattr(error, "error_code", ""), str(error).strip()
    status = getattr(getattr(error, "response", None), "status_code", None)  # for an artifact
    user = os.environ.get("MLFLOW_TRACKING_USERNAME")
    if code == "UNAUTHENTICATED" or status == 401:
        refused = "asks for a user and a password"
        if user:
            refused = f"does not accept user '{user}' with the password given"
        return (
            f"The tracking server at {where} {refused}: set MLFLOW_TRACKING_USERNAME and "
            "MLFLOW_TRACKING_PASSWORD."
        )
    if match := _DELETED.search(text):
        return deleted(match[1], match[2], uri, experiment)
    if "Invalid Host header" in text:
        host = urlsplit(uri).netloc
        return (
            f"The tracking server does not serve the name {host}: start it with  "
            f"--allowed-hosts {host}."
        )
    if code == "PERMISSION_DENIED" or status == 403:
        return (
            f"The tracking server at {where} does not let user '{user}' do this: have an "
            f"administrator give it EDIT on the experiment '{experiment}', or set "
            "tracking.experiment."
        )
    for words, what in _DISK.items():
        if words in text:
            return (
                f"MLflow's database at {where} {what}: set tracking.uri to another store, or use "
                "tracking=jsonl."
            )
    reason = (text or type(error).__name__).splitlines()[0]
    return f"MLflow at {where} can't be used: {reason}"
