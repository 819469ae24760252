"""Servers that are away in every way:
each is one sentence, soon, and nothing is asked twice for long."""

from __future__ import annotations

import email.message
import os
import socket
import threading
import urllib.error
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from support.team_server import close_sessions

from asr_scaling.core.record import RunRecord
from asr_scaling.errors import ConfigError, TrackingError
from asr_scaling.tracking import _server_check
from asr_scaling.tracking.mlflow import Mlflow

pytestmark = pytest.mark.filterwarnings("ignore")  # MLflow's own
HOST_REFUSED = b"Invalid Host header - possible DNS rebinding attack detected"


class Answers(BaseHTTPRequestHandler):
    """``health`` and ``status`` are codes, ``body`` goes with the latter;
    ``asked`` are the paths."""

    health, status, body = 200, 500, b"no"
    asked: list[str]

    def do_GET(self) -> None:
        type(self).asked.append(self.path)
        code = self.health if self.path == "/health" else self.status
        self.send_response(code)
        self.end_headers()
        self.wfile.write(b"OK" if self.path == "/health" else self.body)

    do_POST = do_PUT = do_GET  # noqa: N815

    def log_message(self, *_: object) -> None:
        """Quiet."""


@contextmanager
def server(**answers: object) -> Iterator[tuple[str, list[str]]]:
    kind = type("Own", (Answers,), {**answers, "asked": []})
    with ThreadingHTTPServer(("127.0.0.1", 0), kind) as http:
        thread = threading.Thread(target=http.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{http.server_port}", kind.asked
        finally:
            http.shutdown()
            thread.join()


@pytest.fixture(autouse=True)
def own_state(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    import mlflow

    before = mlflow.get_tracking_uri()
    monkeypatch.setattr(_server_check, "_answered", set())
    for name in ("MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD"):
        monkeypatch.delenv(name, raising=False)
    yield
    mlflow.set_tracking_uri(before)
    close_sessions()


@pytest.fixture
def black_hole() -> Iterator[str]:
    """Accepts and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as hole:
        yield f"http://127.0.0.1:{hole.getsockname()[1]}"


def refused(uri: str) -> str:
    with pytest.raises(TrackingError) as caught:
        Mlflow(uri).open("sweep", {})
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_all_that_a_start_waits_for_is_within_fifteen_seconds() -> None:
    """Health, then one request that is not repeated;
    each waits as long as this, and a name takes no longer."""
    assert _server_check._WAITS["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] == "0"
    assert (
        _server_check.START_S + 2 * float(_server_check._WAITS["MLFLOW_HTTP_REQUEST_TIMEOUT"]) <= 15
    )


def test_a_server_that_never_answers(black_hole: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_server_check, "START_S", 0.2)
    assert f"does not answer: start it, or set tracking.uri (now {black_hole})" in refused(
        black_hole
    )


def test_a_name_that_never_resolves(monkeypatch: pytest.MonkeyPatch) -> None:
    """The resolver has no limit of time: the question is left behind."""
    waiting = threading.Event()
    monkeypatch.setattr(_server_check, "START_S", 0.1)
    monkeypatch.setattr("urllib.request.urlopen", lambda *_, **__: waiting.wait(60))
    assert "does not answer" in refused("http://slow.name")
    waiting.set()


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        ({"health": 500}, "answers with error 500: start it"),
        ({"health": 404}, "answers with error 404"),
        ({"status": 500}, "can't be used: API request"),
        ({"status": 401}, "asks for a user and a password: set MLFLOW_TRACKING_USERNAME and"),
        ({"health": 401, "status": 401}, "asks for a user and a password"),
        ({"status": 403, "body": HOST_REFUSED}, "does not serve the name 127.0.0.1"),
        (
            {"status": 403},
            (
                "does not let user 'None' do this: have an administrator give it EDIT on the "
                "experiment"
            ),
        ),
    ],
)
def test_a_server_that_refuses_is_asked_once(answers: dict[str, object], said: str) -> None:
    with server(**answers) as (uri, asked):
        assert said in refused(uri)
        assert len(asked) <= 2


def test_a_wrong_password_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "ann")
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "guessed")
    with server(status=401) as (uri, _):
        said = refused(uri)
    assert "does not accept user 'ann' with the password given" in said
    assert "guessed" not in said


class TestMidSweep:
    """``patience``: what a point waits for."""

    def test_who_answered_last_is_given_time(self) -> None:
        with server() as (uri, asked):
            with _server_check.patience(uri, begin=True):
                assert os.environ["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] == "0"
            with _server_check.patience(uri):
                assert os.environ.get("MLFLOW_HTTP_REQUEST_MAX_RETRIES") != "0"
            assert asked == ["/health"]

    def test_who_failed_is_asked_briefly_until_it_is_back(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        limits = list[float]()
        state = {"up": True}

        def ask(url: str, limit_s: float, tls: object = None) -> None:
            limits.append(limit_s)
            if not state["up"]:
                raise urllib.error.HTTPError(url, 500, "no", email.message.Message(), None)

        monkeypatch.setattr(_server_check, "ask_url", ask)
        with _server_check.patience("http://host"):
            pass
        with pytest.raises(OSError, match="died"), _server_check.patience("http://host"):
            raise OSError("died")
        state["up"] = False
        for _ in range(2):
            with (
                pytest.raises(TrackingError, match="error 500"),
                _server_check.patience("http://host"),
            ):
                pytest.fail("nothing is sent")
        state["up"] = True
        for _ in range(2):
            with _server_check.patience("http://host"):
                pass
        assert limits == [_server_check.BRIEFLY_S] * 4  # not asked where the last answer was good
        assert _server_check.BRIEFLY_S <= 2

    def test_a_point_of_a_server_that_is_gone(self, tmp_path: Path) -> None:
        with server(health=500) as (uri, asked):
            with pytest.raises(TrackingError, match="answers with error 500"):
                Mlflow(uri).write(RunRecord("a", "ok", {}, {}), tmp_path, "parent")
            assert asked == ["/health"]

    def test_a_database_is_not_asked(self) -> None:
        with _server_check.patience("sqlite:///mlflow.db"):
            assert os.environ.get("MLFLOW_HTTP_REQUEST_MAX_RETRIES") != "0"


@pytest.mark.parametrize(
    ("uri", "said"),
    [
        ("http://ann:secret@host", "MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD"),
        ("https://token@host/mlflow", "MLFLOW_TRACKING_USERNAME"),
        ("http://ann:p@secret@host", "MLFLOW_TRACKING_USERNAME"),
        ("postgresql://ann:secret@host/mlflow", "PGPASSWORD"),
        ("postgresql+psycopg://host/mlflow?user=ann&password=secret", "PGPASSWORD"),
    ],
)
def test_an_address_with_a_password_is_refused(uri: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said) as caught:
        Mlflow(uri)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "uri", ["sqlite:///mlflow.db", "http://host:5000", "postgresql://ann@host/mlflow", "http://["]
)
def test_an_address_without_one_is_not(uri: str) -> None:
    assert Mlflow(uri).uri == uri
