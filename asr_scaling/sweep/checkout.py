"""Revisions of a git checkout: found by name, and laid out in a folder of their own for a while."""

from __future__ import annotations

import compileall
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from asr_scaling.errors import ConfigError

PACKAGE = "asr_scaling"
"""The folder of a checkout that has the package."""
_TIMEOUT_S = 300.0


def root_of(folder: Path) -> Path:
    """The folder of the checkout that ``folder`` is in.

    Raises ConfigError when it is in none, when git can't be run, or when the checkout is not one
    of this package.
    """
    root = Path(_git(folder, "rev-parse", "--show-toplevel"))
    check_package(root)
    return root


def check_package(root: Path) -> None:
    """Raises ConfigError unless ``root`` has this package, as a checkout of it has."""
    if not (root / PACKAGE / "__main__.py").is_file():
        raise ConfigError(
            f"{root} has no {PACKAGE}/__main__.py: run the command in a checkout of {PACKAGE}."
        )


def commit_of(root: Path, name: str) -> str | None:
    """The commit that a branch, a tag, a hash or ``HEAD~1`` names; None where it names none."""
    try:
        return _git(root, "rev-parse", "--verify", "--quiet", f"{name}^{{commit}}") or None
    except ConfigError:
        return None


def is_shallow(root: Path) -> bool:
    """Whether the clone lacks history, as those that a CI makes."""
    return _git(root, "rev-parse", "--is-shallow-repository") == "true"


@contextmanager
def laid_out(root: Path, commit: str) -> Iterator[Path]:
    """Yield a folder with the files of ``commit``; it is removed when the block ends, however.

    A worktree of git, so that records say which commit they are of. Its modules are compiled, so
    that no process that is measured does it. Raises ConfigError when git refuses.
    """
    scratch = Path(tempfile.mkdtemp(prefix="asr_scaling-"))
    folder = scratch / commit[:12]
    hooks = f"core.hooksPath={os.devnull}"
    try:
        _git(root, "-c", hooks, "worktree", "add", "--detach", "--quiet", str(folder), commit)
        check_package(folder)
        compileall.compile_dir(folder / PACKAGE, quiet=2)
        yield folder
    finally:
        subprocess.run(
            ["git", "worktree", "remove", "--force", str(folder)],
            cwd=root,
            capture_output=True,
            check=False,
        )
        shutil.rmtree(scratch, ignore_errors=True)


def _git(folder: Path, *arguments: str) -> str:
    """What git prints. Raises ConfigError when it fails or is not installed."""
    try:
        done = subprocess.run(
            ["git", *arguments],
            cwd=folder,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ConfigError(
            f"git can't be run ({error}): install it, or compare two configurations, as "
            "recommend -o writes them."
        ) from error
    if done.returncode:
        said = done.stderr.strip() or f"it ended with {done.returncode}"
        raise ConfigError(f"git refuses ({said}): run the command in a checkout of {PACKAGE}.")
    return done.stdout.strip()
