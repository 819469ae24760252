"""The hub is asked once whether it is there, never waited for long,
and every process of a sweep shares the answer."""

from __future__ import annotations

import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from asr_scaling.model import weights
from asr_scaling.model.weights import hub_reachable, resolve

pytestmark = pytest.mark.usefixtures("nowhere")


def test_an_unreachable_hub_is_probed_once_and_others_are_told(spec, monkeypatch):
    monkeypatch.setenv(weights.HUB_VARIABLE, "")
    probes = []
    monkeypatch.setattr(
        weights, "_answers", lambda url, timeout_s: bool(probes.append((url, timeout_s)))
    )
    assert [resolve(spec()).kind, resolve(spec()).kind] == ["random", "random"]
    assert probes == [("https://huggingface.co", 3.0)]
    assert weights.os.environ[weights.HUB_VARIABLE] == "down"


@pytest.mark.parametrize(("told", "up"), [("up", True), ("down", False)])
def test_the_answer_is_inherited(monkeypatch, told, up):
    monkeypatch.setenv(weights.HUB_VARIABLE, told)
    monkeypatch.setattr(weights, "_answers", lambda *_: pytest.fail("probed"))
    assert hub_reachable() is up


@pytest.mark.parametrize("name", ["HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"])
def test_offline_needs_no_probe(spec, monkeypatch, name):
    monkeypatch.setenv(name, "1")
    monkeypatch.setenv(weights.HUB_VARIABLE, "")
    monkeypatch.setattr(weights, "_answers", lambda *_: pytest.fail("probed"))
    assert "HF_HUB_OFFLINE forbids the hub" in resolve(spec()).reason


@pytest.mark.parametrize(("status", "up"), [(200, True), (401, True), (404, True), (503, False)])
def test_any_answer_but_a_failing_server_is_a_hub(monkeypatch, status, up):
    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self):
            self.send_response(status)
            self.end_headers()

        def log_message(self, *_):
            pass

    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
        monkeypatch.setenv(weights.HUB_VARIABLE, "")
        try:
            assert hub_reachable() is up
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize("endpoint", ["http://127.0.0.1:9", "no-scheme", "http://["])
def test_an_endpoint_that_is_nothing_is_down(monkeypatch, endpoint):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setenv("HF_ENDPOINT", endpoint)
    monkeypatch.setenv(weights.HUB_VARIABLE, "")
    assert not hub_reachable()


def test_a_look_up_that_hangs_is_given_up(monkeypatch):
    monkeypatch.setattr("urllib.request.urlopen", lambda *_, **__: threading.Event().wait(5))
    start = time.perf_counter()
    assert not weights._answers("https://huggingface.co", 0.1)
    assert time.perf_counter() - start < 2
