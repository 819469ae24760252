"""docs/cluster.md: its commands compose, the one that any machine can run is run;
tests/launchers runs the rest."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from support.offline import FAST
from support.warm import run_warm

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "cluster.md").read_text(encoding="utf-8")
COMMANDS = [
    shlex.split(line.split("   #")[0])
    for block in re.findall(r"```bash\n(.*?)```", PAGE, re.DOTALL)
    for line in block.splitlines()
]
SWEEPS = [command for command in COMMANDS if command[:3] == ["python", "-m", "asr_scaling"]]


def launcher(command: list[str]) -> str:
    return next(
        (option.partition("=")[2] for option in command if option.startswith("hydra/launcher=")),
        "basic",
    )


def test_every_launcher_has_its_command() -> None:
    shipped = {path.stem for path in (ROOT / "conf" / "hydra" / "launcher").glob("*.yaml")}
    assert shipped - {"slurm_gpu", "ray_gpu"} == {launcher(command) for command in SWEEPS} - {
        "basic"
    }
    assert {
        name for name in shipped if f"`{name}`" in PAGE or f"launcher={name}" in PAGE
    } == shipped


@pytest.mark.parametrize("command", SWEEPS, ids=" ".join)
def test_command_composes(command: list[str], tmp_path: Path) -> None:
    options = [
        argument
        for argument in command
        if argument.startswith(("hydra", "+hydra")) and "," not in argument
    ]
    done = run_warm(
        tmp_path, "asr_scaling", [*options, "--cfg", "hydra", "--package", "hydra.launcher"]
    )
    assert done.returncode == 0, done.stderr
    assert launcher(command) in done.stdout.lower()


def test_the_command_for_one_machine_runs(tmp_path: Path) -> None:
    pytest.importorskip("joblib", reason="needs the extra joblib")
    (command,) = (command for command in SWEEPS if launcher(command) == "joblib")
    done = run_warm(tmp_path, "asr_scaling", [*command[3:], *FAST, "tracking=jsonl"])
    assert done.returncode == 0, done.stderr
    assert "6 of 6 points" in done.stdout
