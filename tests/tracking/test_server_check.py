"""How a server's certificate is checked: by the variables that MLflow's own client honours."""

from __future__ import annotations

import ssl
import urllib.request
from typing import Any

import pytest

from asr_scaling.errors import TrackingError
from asr_scaling.tracking._server_check import check


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[ssl.SSLContext | None]:
    """With what each request was made."""
    found: list[ssl.SSLContext | None] = []

    class Answer:
        def __enter__(self) -> None: ...

        def __exit__(self, *_: object) -> None: ...

    def urlopen(*_: Any, context: ssl.SSLContext | None = None, **__: Any) -> Answer:
        found.append(context)
        return Answer()

    monkeypatch.setattr(urllib.request, "urlopen", urlopen)
    return found


def test_by_default_a_certificate_is_checked(asked: list[ssl.SSLContext | None]) -> None:
    check("http://host")
    check("https://host")
    plain, safe = asked
    assert plain is None
    assert safe is not None
    assert safe.verify_mode == ssl.CERT_REQUIRED


def test_a_team_that_does_without(
    asked: list[ssl.SSLContext | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_INSECURE_TLS", "true")
    check("https://host")
    (context,) = asked
    assert context is not None
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_NONE, False)


@pytest.mark.parametrize("variable", ["MLFLOW_TRACKING_SERVER_CERT_PATH", "REQUESTS_CA_BUNDLE"])
def test_a_certificate_that_is_not_there(
    variable: str, asked: list[ssl.SSLContext | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, "/nowhere/ca.pem")
    with pytest.raises(TrackingError, match="does not answer"):
        check("https://host")
    assert not asked
