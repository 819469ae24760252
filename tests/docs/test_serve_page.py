"""What ``docs/serve.md`` shows is what a server does: its commands, its program, its tables."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import soundfile
from prometheus_client.parser import text_string_to_metric_families
from support.server_process import ServerProcess

from asr_scaling.cli.serve import parser
from asr_scaling.dataset import demo
from asr_scaling.server.asked import _SINGLE
from asr_scaling.server.formats import FORMATS

PAGE = (Path(__file__).parents[2] / "docs" / "serve.md").read_text(encoding="utf-8")
SYSTEM = """
defaults: [config, {override engine: fake}, _self_]
serving: {_target_: support.served.Sleepy}
"""
CALLS = [line for line in PAGE.splitlines() if line.startswith("curl ")]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    server = ServerProcess(tmp_path_factory.mktemp("server"), SYSTEM)
    yield server
    server.kill()


@pytest.fixture
def speech(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder with speech.wav."""
    monkeypatch.chdir(tmp_path)
    soundfile.write(
        "speech.wav", *soundfile.read(Path(demo.__file__).parent / "demo_data" / "demo-001.flac")
    )


@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl here")
@pytest.mark.usefixtures("speech")
@pytest.mark.parametrize("line", CALLS)
def test_a_call(server: ServerProcess, line: str) -> None:
    command = shlex.split(line.replace(":8000", f":{server.port}"))
    done = subprocess.run(
        [command[0], "-sS", "--fail-with-body", *command[1:]],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "asr_scaling_" in done.stdout or "Prüfsätze" in done.stdout


@pytest.mark.usefixtures("speech")
def test_the_program(server: ServerProcess) -> None:
    (program,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    done = subprocess.run(
        [sys.executable, "-c", program.replace(":8000", f":{server.port}")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == "82240 Prüfsätze 🎤\n", done.stderr


def test_its_fields_and_options() -> None:
    assert len(CALLS) == 3
    for name in (*_SINGLE, *FORMATS, "file", "timestamp_granularities[]"):
        assert f"`{name}`" in PAGE
    told = set(re.findall(r"`(--[\w-]+)", PAGE))
    assert told <= {*parser().long_options()}


def test_its_figures(server: ServerProcess) -> None:
    with server.client() as client:
        text = client.get("/../metrics", cast_to=str)
    told = set(re.findall(r"^\| `(asr_scaling_\w+)`", PAGE, re.MULTILINE))
    families = {family.name for family in text_string_to_metric_families(text)}
    found = {name for name in families if not name.endswith("_created")}
    assert {name.removesuffix("_total") for name in told} == {
        name for name in found if name.startswith("asr_scaling_")
    }
