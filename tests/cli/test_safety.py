"""YAMLs from elsewhere call nothing but parts, and no secret is written anywhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from support.command import QUICK, Cli, records

SECRET = "s3cr3t-of-the-environment"
HYDRA = (
    "# @package _global_\nhydra:\n  callbacks:\n"
    "    evil: {_target_: subprocess.Popen, args: [touch, RAN]}\n"
)
LOGGING = (
    "# @package _global_\nhydra:\n  job_logging:\n"
    "    handlers: {evil: {(): subprocess.Popen, args: [touch, RAN]}}\n"
)


def write(folder: Path, group: str, text: str) -> None:
    path = folder / "theirs" / group
    path.mkdir(parents=True)
    (path / "evil.yaml").write_text(text, encoding="utf-8")


def files(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_part_from_elsewhere_that_names_a_callable(cli: Cli, tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    write(
        tmp_path, "engine", f"_target_: asr_scaling.engine.fake.os.system\ncommand: touch {ran}\n"
    )
    done = cli("--config-dir", "theirs", *QUICK[1:], "engine=evil")
    assert done.returncode == 1
    assert "names 'asr_scaling.engine.fake.os.system', which configurations may not" in " ".join(
        done.stderr.split()
    )
    assert "Traceback" not in done.stderr
    assert not ran.exists()


@pytest.mark.parametrize(
    ("text", "arguments"),
    [
        (HYDRA, ["experiment=evil"]),
        (HYDRA, ["-m", "experiment=evil"]),
        (LOGGING, ["-m", "experiment=evil,smoke"]),
    ],
)
def test_an_experiment_from_elsewhere_that_has_hydra_call_something(
    cli: Cli, tmp_path: Path, text: str, arguments: list[str]
) -> None:
    ran = tmp_path / "ran"
    write(tmp_path, "experiment", text.replace("RAN", str(ran)))
    done = cli("--config-dir", "theirs", *arguments, *QUICK)
    assert done.returncode == 1
    last = done.stderr.splitlines()[-1]
    assert re.match(
        r"error: hydra\.(callbacks|job_logging\.handlers)\.evil names 'subprocess.Popen', which",
        last,
    )
    assert "Traceback" not in done.stderr
    assert not ran.exists()
    assert not records(tmp_path)


def test_a_secret_on_the_command_line_is_refused_and_not_repeated(cli: Cli, tmp_path: Path) -> None:
    done = cli(*QUICK, "model.path=https://me:hunter2@host/x", HF_TOKEN=SECRET)
    assert done.returncode == 1
    assert done.stderr.startswith("error: model.path holds a password or a token")
    assert "hunter2" not in done.stderr + done.stdout
    assert not files(tmp_path / "multirun")


PART = """
import logging
from dataclasses import dataclass
from asr_scaling.engine.fake import Fake

@dataclass(frozen=True)
class Leaky(Fake):
    header: str = ""

    def load(self, model, device):
        said = f"401 for http://me:hunter2@hub/x, \
Authorization: Bearer {self.header}, {self.header}"
        logging.getLogger("their.library").warning(said)
        raise RuntimeError(said)
"""


def test_a_secret_in_an_exception_and_in_an_option_is_written_nowhere(
    cli: Cli, tmp_path: Path
) -> None:
    (tmp_path / "their_parts.py").write_text(PART, encoding="utf-8")
    write(
        tmp_path,
        "engine",
        "defaults: [fake@_here_]\n_target_: their_parts.Leaky\nheader: ${oc.env:HF_TOKEN}\n",
    )
    env = {"HF_TOKEN": SECRET, "ASR_SCALING_PARTS": "their_parts"}
    tracked = [each for each in QUICK[1:] if not each.startswith("tracking")]
    done = cli("--config-dir", "theirs", "-m", *tracked, "engine=evil", "batch=1", **env)
    assert done.returncode == 1
    (record,) = records(tmp_path / "multirun")
    assert "RuntimeError: 401 for http://***@hub/x, Authorization: ***, ***" in str(record.reason)
    written = files(tmp_path)
    names = {path.name for path in written}
    assert {"traceback.txt", "asr_scaling.log", "mlflow.db", "sweep.json", "hydra.yaml"} <= names
    for place, content in written.items():
        assert SECRET.encode() not in content, place
        assert b"hunter2@" not in content or place.suffix in (".py", ".pyc"), place
    assert SECRET not in done.stdout + done.stderr
    assert "hunter2" not in done.stdout + done.stderr
