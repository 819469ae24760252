"""What ``compare --run`` takes for a configuration, and what for a revision."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from support.repositories import git, needs_git, small_checkout

from asr_scaling.errors import ConfigError
from asr_scaling.sweep.sides import Side, environment_of

CONFIGURATION = "defaults:\n  - config\n  - override engine: fake\n  - _self_\n"


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The commits of a small checkout, which is the current folder."""
    commits = small_checkout(tmp_path)
    monkeypatch.chdir(tmp_path)
    return commits


def test_a_configuration_is_chosen_by_hydras_flags(tmp_path: Path) -> None:
    path = tmp_path / "best.yaml"
    path.write_text(CONFIGURATION)
    side = Side.of(str(path))
    assert side.arguments() == ["--config-dir", str(tmp_path), "--config-name", "best"]
    with side.code() as code:
        assert code is None  # this installation's
    assert side.unchanged()
    path.write_text(CONFIGURATION + "seed: 7\n")
    assert not side.unchanged()


@needs_git
def test_a_file_comes_before_a_branch_of_that_name(checkout: list[str], tmp_path: Path) -> None:
    git(tmp_path, "branch", "best.yaml")
    assert Side.of("best.yaml").commit == checkout[1]
    (tmp_path / "best.yaml").write_text(CONFIGURATION)
    assert Side.of("best.yaml").commit is None


@needs_git
def test_a_revision_stays_what_it_was(checkout: list[str], tmp_path: Path) -> None:
    side = Side.of("main")
    assert side.what == f"revision main ({checkout[1][:8]})"
    assert side.arguments() == []
    git(tmp_path, "commit", "--quiet", "--allow-empty", "--message=later")
    assert side.unchanged()
    assert side.state == checkout[1] != Side.of("main").state
    with side.code() as code:
        assert code is not None
        assert git(code, "rev-parse", "HEAD") == checkout[1]


@needs_git
def test_a_dot_is_the_working_tree_as_it_is(checkout: list[str], tmp_path: Path) -> None:
    side = Side.of(".")
    with side.code() as code:
        assert code == tmp_path.resolve()
    (tmp_path / "asr_scaling" / "new.py").write_text("not committed")
    assert not side.unchanged()
    assert Side.of("HEAD").state == checkout[1]


@needs_git
@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("mian", r"^'mian' is neither a configuration nor a revision of .* \(there is no file"),
        ("conf", r"^'conf' is neither .*records are compared without --run"),
        ("best.yml", "is neither a configuration"),
        ("list.yaml", "no configuration that can be measured: begin it with  defaults:"),
        ("bare.yaml", "no configuration that can be measured: begin it with  defaults:"),
        ("broken.yaml", "can't be read as a YAML"),
        ("bytes.yaml", "can't be read as a YAML"),
    ],
)
def test_what_is_neither_is_one_sentence(
    checkout: list[str], tmp_path: Path, name: str, said: str
) -> None:
    assert checkout
    (tmp_path / "list.yaml").write_text("- engine: fake\n")
    (tmp_path / "bare.yaml").write_text("engine:\n  fixed_s: 0.1\n")
    (tmp_path / "broken.yaml").write_text("engine: [fake\n")
    (tmp_path / "bytes.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match=said) as refused:
        Side.of(name)
    assert len(str(refused.value).splitlines()) == 1


@needs_git
def test_a_clone_of_a_ci_is_told_what_it_lacks(
    checkout: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    git(tmp_path, "branch", "--quiet", "feature")
    source = f"file://{tmp_path}"  # of a path git makes no shallow clone
    git(tmp_path, "clone", "--quiet", "--depth=1", "--branch=main", source, "shallow")
    monkeypatch.chdir(tmp_path / "shallow")
    with pytest.raises(ConfigError, match=r"has only its last commits: .* git fetch --unshallow"):
        Side.of("feature")
    git(tmp_path, "clone", "--quiet", "--branch=main", source, "whole")
    monkeypatch.chdir(tmp_path / "whole")
    with pytest.raises(ConfigError, match=r"\(but origin/feature is one\)"):
        Side.of("feature")
    assert Side.of("origin/feature").commit == checkout[1]


def test_outside_of_a_checkout_only_configurations_can_be_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=r"^'main' is no configuration here, and git "):
        Side.of("main")


def test_a_checkout_is_found_before_the_package_of_this_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own, parts = Path(__file__).parents[2], tmp_path / "parts"
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join((str(own), str(parts))))
    there = environment_of(tmp_path)
    assert there["PYTHONPATH"].split(os.pathsep) == [str(tmp_path), str(parts)]
    assert there["PYTHONSAFEPATH"] == "1"
    assert environment_of(None)["PYTHONPATH"].split(os.pathsep) == [p or "." for p in sys.path]
