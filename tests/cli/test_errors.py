"""Bad input: one clear sentence, a non-zero exit, no traceback, and no model loaded."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
import soundfile
from numpy import zeros
from support.command import Cli


def test_options_that_do_not_exist(cli: Cli) -> None:
    unknown = cli("model=whisper_tinyy", "tracking=jsonl")
    assert unknown.returncode == 1
    assert unknown.stderr.startswith(
        "error: There is no model 'whisper_tinyy', did you mean 'whisper_tiny'; choose "
    )
    assert len(unknown.stderr.splitlines()) == 1
    key = cli("engine.nope=1", "tracking=jsonl")
    assert key.returncode == 1
    assert key.stderr == (
        "error: There is no option 'engine.nope'; "
        "list the options with  python -m asr_scaling --cfg job.\n"
    )


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("batch=0", "batch.size must be a positive integer, as in batch=8; got 0."),
        ("batch=-1", "batch.size must be a positive integer, as in batch=8; got -1."),
        ("dataset.length_s=0", "dataset.length_s=0 can't work"),
        ("dataset.length_s=-5", "dataset.length_s=-5 can't work"),
        (
            "engine.dtype=int3",
            "engine.dtype must be one of float32, bfloat16, float16; got 'int3'.",
        ),
        ("pipeline.min_iterations=0", "pipeline.min_iterations must be at least 1; got 0."),
        ("pipeline.min_iterations=x", "pipeline.min_iterations must be a whole number"),
        (
            "model.weights=some",
            "model.weights must be one of auto, pretrained, random; got 'some'.",
        ),
        ("dataset=folder", "set dataset.path=<folder with audio and a manifest>"),
    ],
)
def test_values_that_can_not_work(cli: Cli, tmp_path: Path, override: str, said: str) -> None:
    done = cli(override, "tracking=jsonl")
    assert done.returncode == 1
    assert said in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr + done.stdout
    assert " · load" not in done.stderr
    line = json.loads((tmp_path / "records.jsonl").read_text())
    assert line["status"] == "failed"
    assert said in line["reason"]


def test_datasets_that_can_not_be_used(cli: Cli, tmp_path: Path) -> None:
    folder = tmp_path / "speech"
    folder.mkdir()
    manifest = folder / "manifest.jsonl"
    soundfile.write(folder / "empty.wav", zeros(0), 16000)
    (folder / "noise.wav").write_bytes(b"not audio at all")
    rows = {
        "gone.wav": '{"audio": "gone.wav", "text": "hello"}',
        "text": '{"audio": "noise.wav"}',
        "noise.wav": '{"audio": "noise.wav", "text": "hello"}',
        "empty.wav": '{"audio": "empty.wav", "text": "hello"}',
        "is empty": "",
    }
    for named, row in rows.items():
        manifest.write_text(row)
        done = cli("engine=fake", "dataset=folder", f"dataset.path={folder}", "tracking=jsonl")
        reason = json.loads((tmp_path / "records.jsonl").read_text().splitlines()[-1])["reason"]
        assert done.returncode == 1, row
        assert named in reason, (row, reason)
        assert " · load" not in done.stderr


def test_no_gpu(cli: Cli) -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    done = cli("device=cuda", "tracking=jsonl", "engine=fake")
    assert done.returncode == 1
    assert "device=cuda needs an NVIDIA GPU and a CUDA build of torch" in " ".join(
        done.stderr.split()
    )


def test_tracking_server_that_does_not_answer_ends_the_sweep_before_it_begins(cli: Cli) -> None:
    done = cli("-m", "engine=fake", "batch=1,2", "tracking.uri=http://127.0.0.1:9")
    assert done.returncode == 1
    assert done.stderr.startswith(
        "error: The tracking server does not answer: start it, or set tracking.uri"
    )
    assert len(done.stderr.splitlines()) == 1


def test_an_address_with_a_password_is_refused(cli: Cli) -> None:
    done = cli("-m", "engine=fake", "batch=1,2", "tracking.uri=http://user:secret@127.0.0.1:9")
    assert done.returncode == 1
    assert done.stderr.startswith(
        "error: tracking.uri names a user or a password, which would be written into records"
    )
    assert "secret" not in done.stderr + done.stdout
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.skipif(
    not Path("/proc").is_dir(), reason="needs a folder in which nobody, root included, can write"
)
def test_output_folder_that_can_not_be_written(cli: Cli) -> None:
    done = cli("engine=fake", "tracking=jsonl", "hydra.run.dir=/proc/asr_scaling")
    assert done.returncode == 1
    assert done.stderr.startswith("error: The output folder can't be written")


def test_missing_extra_is_named(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "mlflow.py").write_text("raise ModuleNotFoundError('mlflow')")
    done = cli(
        "engine=fake", PYTHONPATH=str(tmp_path) + os.pathsep + os.environ.get("PYTHONPATH", "")
    )
    assert done.returncode == 1
    assert "'mlflow' is not installed: run  pip install" in done.stderr


def test_traceback_on_request(cli: Cli) -> None:
    assert "Traceback" in cli("model=nope", "tracking=jsonl", HYDRA_FULL_ERROR="1").stderr
