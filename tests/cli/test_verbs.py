"""One program with verbs: each by its new and its old name, misspelt ones, help,
and completion in the shell."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
from support.command import Cli
from support.warm import printed, run_warm

from asr_scaling.cli import VERBS, main, report
from asr_scaling.util.redact import traceback_hook

ROOT = Path(__file__).parents[2]
OLD = ("compare", "recommend", "report", "selftest", "sync")
S_WORDS = {"selftest", "serve", "sync", "seed=", "sweep."}
S_WORDS |= {f"{group}{mark}" for group in ("scenario", "serving", "speaker") for mark in "=."}
SCRIPT = Path(sys.executable).with_name("asr-scaling")


@pytest.mark.parametrize("verb", VERBS)
def test_each_has_help_in_one_style(verb: str, tmp_path: Path) -> None:
    said = printed(tmp_path, "asr_scaling", verb, "--help")
    assert said.startswith(f"usage: python -m asr_scaling {verb} ")
    assert "Exit status: 0" in said
    assert printed(tmp_path, "asr_scaling", "help", verb) == said
    if verb in OLD:
        assert printed(tmp_path, f"asr_scaling.{verb}", "--help") == said


def test_the_sweeps_help_names_them(cli: Cli) -> None:
    said = cli("help").stdout
    assert said == cli("--help").stdout
    for verb in VERBS:
        assert f"python -m asr_scaling {verb} " in said
    assert 'eval "$(asr-scaling -sc install=bash)"' in said


@pytest.mark.parametrize(
    ("name", "verb"),
    [
        ("asr-scaling-compare", "compare"),
        ("asr-scaling-recommend", "recommend"),
        ("asr-scaling-sync", "sync"),
    ],
)
def test_old_console_scripts_are_the_verbs(name: str, verb: str) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    module, _, function = project["scripts"][name].partition(":")
    assert (
        getattr(importlib.import_module(module), function)
        is importlib.import_module(f"asr_scaling.cli.{verb}").main
    )


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("reprot", ", did you mean 'report'; choose compare, "),
        ("zzz", "There is no verb 'zzz'; choose compare, "),
    ],
)
def test_a_misspelt_verb(cli: Cli, tmp_path: Path, word: str, said: str) -> None:
    done = cli(word, "multirun")
    assert done.returncode == 1
    assert done.stderr.startswith("error: There is no verb ")
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert done.stdout == ""
    assert not (tmp_path / "outputs").exists()


def test_a_verbs_status_is_the_programs(tmp_path: Path) -> None:
    done = run_warm(tmp_path, "asr_scaling", ["compare", "nowhere", "elsewhere"])
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    done = run_warm(tmp_path, "asr_scaling", ["report", "--nope"])
    assert done.returncode == 1
    assert done.stderr.endswith("see  python -m asr_scaling report --help.\n")


@pytest.mark.parametrize(
    "called", [main, lambda: report.main(["nowhere"])], ids=["verb", "old name"]
)
def test_a_verbs_traceback_has_no_secrets(
    called: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "excepthook", sys.__excepthook__)
    monkeypatch.setattr(sys, "argv", ["asr-scaling", "report", "nowhere"])
    assert called() == 1
    assert sys.excepthook is traceback_hook


class TestCompletion:
    @pytest.mark.parametrize(
        ("line", "words"),
        [
            ("asr-scaling re", {"recommend", "report", "rescore"}),
            ("asr-scaling  s", S_WORDS),
            ("asr-scaling help re", {"recommend", "report", "rescore"}),
            ("asr-scaling report --l", {"--latency-p95", "--length"}),
            ("asr-scaling compare a b --fail-if x --j", {"--json"}),
            ("asr-scaling report mul", set()),
            ("asr-scaling model=whisper_t", {"model=whisper_tiny", "model=whisper_tiny_en"}),
            ("asr-scaling -m batch=bu", {"batch=bucketed"}),
        ],
    )
    @pytest.mark.parametrize("shell", ["bash", "fish"])
    def test_words_at_the_end(self, cli: Cli, line: str, words: set[str], shell: str) -> None:
        done = cli("-sc", f"query={shell}", COMP_LINE=line)
        assert (done.returncode, done.stderr) == (0, "")
        assert set(done.stdout.split()) == words

    def test_a_word_before_the_end(self, cli: Cli) -> None:
        done = cli(
            "--shell-completion",
            "query=bash",
            COMP_LINE="asr-scaling sel --json x",
            COMP_POINT="15",
        )
        assert done.stdout.split() == ["selftest"]

    def test_in_bash(self, tmp_path: Path) -> None:
        """As installed, with the variables that the shell sets
        when somebody presses the tabulator."""
        asked = """
        eval "$(asr-scaling -sc install=bash)"
        complete -p asr-scaling
        ask() { COMP_LINE=$1; COMP_POINT=${#1}; COMP_CWORD=$2; \
hydra_bash_completion; echo "${COMPREPLY[@]}"; }
        ask 'asr-scaling rep' 1
        ask 'asr-scaling report --me' 2
        ask 'asr-scaling engine=f' 1
        """
        env = {**os.environ, "PATH": f"{SCRIPT.parent}{os.pathsep}{os.environ['PATH']}"}
        done = subprocess.run(
            ["bash", "-c", asked],
            cwd=tmp_path,
            env=env,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert done.stdout.splitlines()[1:] == [
            "report",
            "--memory",
            "engine=fake engine=faster_whisper engine=funasr",
        ]
