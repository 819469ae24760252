"""Texts that leave the process hold no secret and can't act on a terminal."""

from __future__ import annotations

import logging
import re
import sys
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.fakes import FakeSink, Recorder, make_job

from asr_scaling.core.cautions import Caution
from asr_scaling.core.record import Findings
from asr_scaling.errors import TrackingError
from asr_scaling.measure.job import run
from asr_scaling.profiler.latency import Latency
from asr_scaling.profiler.quality import Quality
from asr_scaling.util.redact import (
    Formatter,
    printable,
    redact,
    redacted,
    secret_option,
    secret_variable,
    traceback_hook,
)

SECRET = "s3cr3t/+value=%"


@pytest.fixture(autouse=True)
def _secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", SECRET)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f"the token {SECRET}.", "the token ***."),
        (f"in a query {quote(SECRET, safe='')}", "in a query ***"),
        ("http://user:pa@ss@host:5000/path?x=1", "http://***@host:5000/path?x=1"),
        ("postgresql+psycopg://user:pa/s?s#@host/db", "postgresql+psycopg://***@host/db"),
        ("https://ghs_0123456789abcdefghij@github.com/a", "https://***@github.com/a"),
        ("{'Authorization': 'Bearer abcdefghijkl'}", "{'Authorization': '***'}"),
        ("authorization: Basic dXNlcjpwYXNz, other: x", "authorization: ***, other: x"),
        ("https://host/f?access_token=abc&y=1", "https://host/f?access_token=***&y=1"),
        ("host=h password=hunter2 dbname=x", "host=h password=*** dbname=x"),
        ("sent hf_abcdefghijklmnopqrstuv", "sent ***"),
    ],
)
def test_what_is_hidden(text: str, said: str) -> None:
    assert redact(text) == said


@pytest.mark.parametrize(
    "text",
    [
        "sqlite:///mlflow.db",
        "http://127.0.0.1:5000/#/experiments/1?searchFilter=a@b",
        "latency/first_token_s 3 tokens, pad_token=<pad>",
        "someone@example.org wrote it",
        "password=None",
        "",
    ],
)
def test_what_stays(text: str) -> None:
    assert redact(text) == text


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None
)
@given(
    st.text(max_size=30),
    st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=8, max_size=20),
)
def test_no_secret_survives_and_hiding_twice_changes_nothing(around: str, secret: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SOME_API_KEY", secret)
        hidden = redact(f"{around}{secret}{around}")
        parts = [part for part in re.split(r"[-_./:@+]", secret) if part]
        words = all(part.isalnum() and part.isascii() for part in parts)
        if not secret.startswith(("/", "~", "./")) and not secret.isspace() and not words:
            assert secret not in hidden.replace("***", "")
        assert redact(redact(around)) == redact(around)


def test_variables_that_hold_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN_PATH", "some-file-name")
    monkeypatch.setenv("GIT_AUTHOR_NAME", "Jane Austen")
    monkeypatch.setenv("SHORT_TOKEN", "seven77")
    assert redact("some-file-name Jane Austen seven77") == "some-file-name Jane Austen seven77"


@pytest.mark.parametrize(
    "value",
    [
        "whisper_tiny_en",
        "openai/whisper-large-v3.turbo",
        "facebook/wav2vec2-base-960h",
        "LJSpeech",
        "transformers",
        "MPLBACKEND",
        "20261129",
        "me@example.org",
        "127.0.0.1:5000",
    ],
)
def test_an_ordinary_word_is_no_secret_whatever_the_variables_name(
    value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("MODEL_KEY", "MY_TOKEN", "SOME_SECRET", "DB_PASSWORD"):
        monkeypatch.setenv(name, value)
    assert redact(f"a {value} b") == f"a {value} b"
    assert secret_variable(value) is None


@pytest.mark.parametrize(
    "value",
    [
        "s3cr3t-and-more",
        "tr0ub4dor&3",
        "AKIAIOSFODNN7EXAMPLE",
        "correct horse battery",
        "deadbeefdeadbeefdeadbeef",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0",
        "k3j9x2m1",
    ],
)
def test_a_secret_names_its_variable(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEAM_API_KEY", value)
    assert redact(f"a {value} b") == "a *** b"
    assert secret_variable(f"key={value}") == "TEAM_API_KEY"


def test_what_was_measured_and_said_is_never_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a variable holds: words of a transcript, names of metrics, of the model, of files.

    The texts of a record are tried one after another as the value of a secret's variable.
    """
    profiler = {"latency": Latency(), "quality": Quality()}
    plain = run(make_job(profiler=profiler))
    names = {metric.name for metric in plain.metrics}
    texts = {str(row[key]) for row in plain.transcripts for key in ("reference", "hypothesis")}
    assert names
    assert texts
    for value in (*names, *texts, *plain.tags.values(), plain.name, plain.status):
        monkeypatch.setenv("MY_TOKEN", value)
        record = run(make_job(profiler=profiler))
        assert {metric.name for metric in record.metrics} == names
        assert record.transcripts == plain.transcripts
        assert record.status == plain.status


def test_values_of_every_depth() -> None:
    given_: dict[str, Any] = {
        SECRET: [SECRET, (SECRET, 1)],
        "c": Caution("Kind", SECRET, "advice"),
        "n": None,
    }
    assert redacted(given_) == {
        "***": ["***", ("***", 1)],
        "c": Caution("Kind", "***", "advice"),
        "n": None,
    }


@pytest.mark.parametrize(
    "key", ["token", "--token", "hub.token", "+engine.api_key", "tracking.password", "db_password"]
)
def test_options_that_would_hold_a_secret(key: str) -> None:
    assert secret_option(key)


@pytest.mark.parametrize(
    "key", ["model.architecture.pad_token_id", "pad_token", "tokens", "engine.key", "tracking.uri"]
)
def test_options_that_hold_none(key: str) -> None:
    assert not secret_option(key)


def test_control_characters_are_shown() -> None:
    assert printable("a\x1b[31mb\tc\nd\x9be\u202ef\r") == "a\\x1b[31mb\tc\nd\\x9be\\u202ef\\r"


def test_every_error_of_this_package_is_fit_to_be_seen() -> None:
    assert (
        str(TrackingError(f"\x1b]0;x at http://u:p@h: {SECRET}"))
        == "\\x1b]0;x at http://***@h: ***"
    )


def test_logs_and_tracebacks(capsys: pytest.CaptureFixture[str]) -> None:
    try:
        int(SECRET)
    except ValueError:
        kind, error, trace = sys.exc_info()
        assert kind is not None
        assert error is not None
        line = Formatter("%(message)s").format(
            logging.LogRecord("x", 30, "f", 1, "sent %s", (SECRET,), (kind, error, trace))
        )
        traceback_hook(kind, error, trace)
    shown = capsys.readouterr().err
    for text in (line, shown):
        assert "ValueError: invalid literal for int() with base 10: '***'" in text
        assert SECRET not in text


def test_a_record_and_its_sink_never_see_one(tmp_path: Path) -> None:
    def leave(session: Any) -> Findings:
        return Findings(
            unavailable={"energy/total_j": SECRET},
            cautions=(Caution("Kind", SECRET, SECRET),),
            tags={"energy/method": SECRET},
        )

    def fail(session: Any) -> Findings:
        raise RuntimeError(f"401 for http://user:pass@hub/x with {SECRET}")

    sink = FakeSink()
    profiler = {"leave": Recorder("leave", then=leave), "fail": Recorder("fail", then=fail)}
    config = {"engine": {"header": f"Bearer {SECRET}"}}
    job = make_job(profiler=profiler, folder=tmp_path, tracking=sink, config=config)
    record = run(job)
    assert record.status == "failed"
    assert (
        record.reason
        == "RuntimeError: 401 for http://***@hub/x with *** (details in traceback.txt)"
    )
    written = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert b"traceback.txt" in written
    assert SECRET.encode() not in written
    assert b"user:pass" not in written
    assert SECRET not in repr(sink.records)
    assert record.tags["energy/method"] == "***"
