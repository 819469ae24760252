"""Small git repositories that look like checkouts of this package."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

needs_git = pytest.mark.skipif(shutil.which("git") is None, reason="there is no git here")
_AUTHOR = {
    f"GIT_{role}_{what}": value
    for role in ("AUTHOR", "COMMITTER")
    for what, value in (("NAME", "tester"), ("EMAIL", "tester@example.org"))
}


def git(folder: Path, *arguments: str) -> str:
    """What git prints in ``folder``, with no configuration but the folder's own."""
    plain = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    return subprocess.run(
        ["git", *arguments],
        cwd=folder,
        env={**os.environ, **_AUTHOR, **plain},
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()


def small_checkout(folder: Path) -> list[str]:
    """A repository of two commits, which are returned; its package prints which it is of."""
    (folder / "asr_scaling").mkdir(parents=True)
    (folder / "asr_scaling" / "__init__.py").touch()
    (folder / "conf").mkdir()
    git(folder, "init", "--quiet", "--initial-branch=main")
    commits = []
    for number in (1, 2):
        (folder / "asr_scaling" / "__main__.py").write_text(f"print({number})\n")
        (folder / "conf" / "config.yaml").write_text(f"seed: {number}\n")
        git(folder, "add", ".")
        git(folder, "commit", "--quiet", f"--message=number {number}")
        commits.append(git(folder, "rev-parse", "HEAD"))
    return commits
