"""``python -m asr_scaling serve``: what can't be served is one sentence."""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from support.served import TRUST

from asr_scaling.cli.serve import main

RANDOM = """
defaults: [config, {override engine: fake}, _self_]
engine: {_target_: support.served.Loading, weights: random}
"""
FAKE = "defaults: [config, {override engine: fake}, _self_]\n"
Refused = Callable[..., str]


@pytest.fixture
def refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Refused:
    """The one line that the command ends with, in a folder with these two YAMLs."""
    monkeypatch.chdir(tmp_path)
    for name, value in TRUST.items():
        monkeypatch.setenv(name, value)
    Path("random.yaml").write_text(RANDOM, encoding="utf-8")
    Path("fake.yaml").write_text(FAKE, encoding="utf-8")

    def call(*arguments: str) -> str:
        assert main(arguments) == 1
        said = capsys.readouterr()
        assert said.out == ""
        (line,) = said.err.splitlines()
        return line

    return call


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "There is no file 'recommended.yaml' that ends with .yaml"),
        (["gone.yaml"], "There is no file 'gone.yaml' that ends with .yaml"),
        (["random.yaml", "--port", "0"], "The weights of 'whisper_tiny_en' would be random"),
        (["fake.yaml", "--port", "65536"], "argument --port: must be a whole number from 0"),
        (["fake.yaml", "--port", "http"], "argument --port: must be a whole number from 0"),
        (["fake.yaml", "--max-requests", "0"], "argument --max-requests: must be a whole"),
        (["fake.yaml", "--max-upload", "big"], "argument --max-upload: must be a size"),
        (["fake.yaml", "--host", "0.0.0.0"], "Anybody who reaches 0.0.0.0 could use this server"),
        (["fake.yaml", "--host", "::"], "Anybody who reaches :: could use this server"),
        (["fake.yaml", "--key-env", "NO_KEY"], "The environment variable NO_KEY must hold a key"),
        (["fake.yaml", "--key-env", "SHORT"], "The environment variable SHORT must hold a key"),
        (
            ["fake.yaml", "--host", "203.0.113.1", "--open"],
            "The server can't listen on 203.0.113.1",
        ),
        (["bad.yaml", "--port", "0"], "'bad.yaml' can't be composed"),
    ],
)
def test_in_a_sentence(
    refused: Refused, arguments: list[str], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("bad.yaml").write_text("defaults: [nothing", encoding="utf-8")
    monkeypatch.setenv("SHORT", "secret")
    assert refused(*arguments).startswith(f"error: {said}")


def test_on_a_port_in_use(refused: Refused) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        line = refused("random.yaml", "--port", port)
    assert line.startswith(f"error: The server can't listen on 127.0.0.1, port {port} (Address alr")


@pytest.mark.parametrize("longest", ["0", "20000", "long"])
def test_with_audio_of_a_length_that_no_dataset_takes(refused: Refused, longest: str) -> None:
    text = f"{FAKE}dataset: {{max_utterance_s: {longest}}}\n"
    Path("long.yaml").write_text(text, encoding="utf-8")
    assert "dataset.max_utterance_s" in refused("long.yaml", "--port", "0")


def test_without_the_packages_of_its_extra(
    refused: Refused, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "python_multipart", None)
    assert "pip install 'asr-scaling[serve]'" in refused("fake.yaml")
