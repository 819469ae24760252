"""What a newcomer tries first: help, the composed config, its own config folder, the wheel."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

from support.command import QUICK, Cli, records

ROOT = Path(__file__).parents[2]


def test_help_lists_groups_and_options_without_importing_torch(cli: Cli) -> None:
    done = cli("--help", PYTHONPROFILEIMPORTTIME="1")
    assert done.returncode == 0
    for group in (
        "model: ",
        "engine: fake, faster_whisper",
        "optimisation: ",
        "device: cpu, cuda",
        "dataset: ",
        "batch: ",
        "profiler: ",
    ):
        assert group in done.stdout
    assert "min_iterations: 6" in done.stdout
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "hydra" in imported
    assert not imported & {"torch", "transformers", "mlflow", "codecarbon", "datasets"}


def test_hydras_own_flags_work(cli: Cli) -> None:
    composed = cli("--cfg", "job", "batch=8")
    assert composed.returncode == 0
    assert "size: 8" in composed.stdout
    assert cli("--info", "defaults").returncode == 0
    script = cli("--shell-completion", "install=bash")
    assert script.returncode == 0
    assert "complete" in script.stdout


def test_console_script_is_the_same_program(tmp_path: Path, command_env: dict[str, str]) -> None:
    script = Path(sys.executable).with_name("asr-scaling")
    done = subprocess.run(
        [script, *QUICK],
        cwd=tmp_path,
        env=command_env,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert len(records(tmp_path)) == 1


def test_a_model_is_added_with_one_yaml(cli: Cli, tmp_path: Path) -> None:
    mine = tmp_path / "mine" / "model" / "my_whisper.yaml"
    mine.parent.mkdir(parents=True)
    small = (
        (ROOT / "conf/model/whisper_tiny_en.yaml")
        .read_text()
        .replace("whisper_tiny_en", "my_whisper")
    )
    mine.write_text(
        small.replace("openai/whisper-tiny.en", "me/my-whisper").replace("layers: 4", "layers: 1")
    )
    done = cli(
        "--config-dir",
        str(tmp_path / "mine"),
        "-m",
        "model=my_whisper,whisper_tiny_en",
        "model.weights=random",
        "tracking=jsonl",
        "profiler=[latency,flops]",
        "pipeline.utterances=1",
        "pipeline.min_iterations=1",
        "pipeline.precision=null",
    )
    assert done.returncode == 0, done.stderr
    mine_record, shipped = records(tmp_path / "multirun")
    assert mine_record.config["model"]["name"] == "my_whisper"
    assert mine_record.system["facts"]["weights"] == "random"
    assert done.stderr.count("my_whisper: Weights are random:") == 1
    assert mine_record.values["flops/encoder"] < shipped.values["flops/encoder"] / 2


def test_the_wheel_runs_outside_the_repository(tmp_path: Path, command_env: dict[str, str]) -> None:
    subprocess.run(
        [
            sys.executable,
            "-m",
            "build",
            "--wheel",
            "--no-isolation",
            "--outdir",
            str(tmp_path / "dist"),
            str(ROOT),
        ],
        check=True,
        capture_output=True,
        timeout=300,
    )
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    assert wheel.stat().st_size < 8e6
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "site")
    env = {**command_env, "PYTHONPATH": str(tmp_path / "site"), "PYTHONSAFEPATH": "1"}
    where = subprocess.run(
        [sys.executable, "-c", "import asr_scaling; print(asr_scaling.__file__)"],
        cwd=tmp_path, env=env, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert Path(where.stdout.strip()).is_relative_to(tmp_path / "site")
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "asr_scaling",
            "-m",
            *QUICK,
            "model=whisper_tiny,wav2vec2",
            "batch=1,8,16",
        ],
        cwd=tmp_path,
        env=env,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert len(records(tmp_path / "multirun")) == 6
    assert os.listdir(tmp_path / "site" / "asr_scaling" / "conf")
