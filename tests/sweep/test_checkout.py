"""Revisions of a checkout are found by name and laid out, and nothing of them stays."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from support.repositories import git, needs_git, small_checkout

from asr_scaling.errors import ConfigError
from asr_scaling.sweep.checkout import commit_of, laid_out, root_of
from asr_scaling.sweep.sides import environment_of

pytestmark = needs_git


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    small_checkout(tmp_path / "repository")
    return tmp_path / "repository"


def test_branches_tags_and_hashes_name_a_commit(repository: Path) -> None:
    first, second = git(repository, "rev-list", "--reverse", "HEAD").split()
    git(repository, "tag", "old", first)
    found = [commit_of(repository, name) for name in ("main", "HEAD", "old", "HEAD~1", first[:8])]
    assert found == [second, second, first, first, first]
    assert commit_of(repository, "nowhere") is None
    assert commit_of(repository, "HEAD:conf/config.yaml") is None  # no commit, but a file


def test_a_folder_within_is_in_the_checkout(repository: Path) -> None:
    assert root_of(repository / "conf") == root_of(repository) == repository.resolve()


def test_a_revision_is_there_for_a_while_and_runs_its_own_code(repository: Path) -> None:
    first = commit_of(repository, "HEAD~1")
    assert first is not None
    with laid_out(repository, first) as folder:
        assert git(folder, "rev-parse", "HEAD") == first
        assert git(folder, "status", "--porcelain", "-uno") == ""
        done = subprocess.run(
            [sys.executable, "-m", "asr_scaling"],
            cwd=repository, env=environment_of(folder), capture_output=True, text=True, check=True,
        )  # fmt: skip
        assert done.stdout == "1\n"  # not the package in the current folder, which says 2
    assert not folder.exists()
    assert len(git(repository, "worktree", "list").splitlines()) == 1


@pytest.mark.parametrize("end", [KeyboardInterrupt, RuntimeError])
def test_it_is_removed_however_the_block_ends(repository: Path, end: type[BaseException]) -> None:
    commit = commit_of(repository, "HEAD")
    assert commit is not None
    places = []

    def work() -> None:
        with laid_out(repository, commit) as folder:
            (folder / "asr_scaling" / "left.txt").write_text("by a run")
            places.append(folder)
            raise end

    with pytest.raises(end):
        work()
    assert not places[0].parent.exists()
    assert len(git(repository, "worktree", "list").splitlines()) == 1


def test_a_hook_of_the_checkout_does_not_run(repository: Path) -> None:
    hook = repository / ".git" / "hooks" / "post-checkout"
    hook.write_text("#!/bin/sh\ntouch ran\nexit 1\n")
    hook.chmod(0o755)
    commit = commit_of(repository, "HEAD")
    assert commit is not None
    with laid_out(repository, commit) as folder:
        assert not (folder / "ran").exists()


def test_another_repository_is_refused(repository: Path) -> None:
    git(repository, "rm", "--quiet", "-r", "asr_scaling")
    git(repository, "commit", "--quiet", "--message=another project")
    with pytest.raises(ConfigError, match="run the command in a checkout of asr_scaling"):
        root_of(repository)


def test_no_repository_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    with pytest.raises(ConfigError, match=r"git refuses \(.*not a git repository.*\): run"):
        root_of(tmp_path)


def test_without_git_configurations_are_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ConfigError, match="install it, or compare two configurations"):
        root_of(tmp_path)
