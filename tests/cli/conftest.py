"""The command line in a process of its own, in an empty folder, as a user runs it, without its imports."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from support.command import Cli
from support.offline import run_python
from support.warm import run_warm

from asr_scaling.selftest import Check
from asr_scaling.selftest.certificate import certificate, keep


@pytest.fixture
def command_env(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """An empty cache but for a made-up certificate, so that no sweep runs the self-test."""
    with monkeypatch.context() as patch:
        patch.setenv("ASR_SCALING_CACHE", str(tmp_path / "cache"))
        keep(
            certificate([Check("A/A noise", "pass", "made up", values={"noise_floor": 0.01})], 0.0)
        )
    return {
        **os.environ,
        "ASR_SCALING_CACHE": str(tmp_path / "cache"),
        "HF_HUB_OFFLINE": "1",
        "COLUMNS": "132",
    }


@pytest.fixture
def cli(tmp_path: Path, command_env: dict[str, str]) -> Cli:
    def call(*arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
        if any(name.startswith("PYTHON") for name in env):  # what only a new interpreter reads
            return run_python(
                tmp_path, ["-m", "asr_scaling", *arguments], env={**command_env, **env}
            )
        return run_warm(tmp_path, "asr_scaling", arguments, {**command_env, **env})

    return call
