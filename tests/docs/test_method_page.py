"""docs/method.md: its command for a CI runs as it is printed, with a smaller workload."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from support.offline import FAST
from support.repositories import git, needs_git
from support.warm import run_warm

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "method.md").read_text(encoding="utf-8")
(COMMAND,) = re.findall(r"```bash\n(.*)\n```", PAGE)


@needs_git
@pytest.mark.skipif(
    not (ROOT / ".git").exists(), reason="these are not the files of a git checkout"
)
def test_the_gate_in_ci_runs(tmp_path: Path) -> None:
    git(tmp_path, "clone", "--quiet", "--shared", str(ROOT), "checkout")
    git(tmp_path / "checkout", "checkout", "--quiet", "-B", "main")
    program, flag, module, *arguments = shlex.split(COMMAND.replace("--processes 3", ""))
    assert (program, flag, module) == ("python", "-m", "asr_scaling")
    smaller = ("--processes", "1", *FAST)
    done = run_warm(tmp_path / "checkout", module, [*arguments, *smaller])
    assert "A is revision main (" in done.stdout, done.stderr
    assert done.returncode in (0, 2)  # identical sides: passed, or too few processes to tell
