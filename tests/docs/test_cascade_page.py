"""What ``docs/cascade.md`` tells to type names choices and options that there are."""

from __future__ import annotations

import itertools
import re
import shlex
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir

from asr_scaling.cli.sweep import batch_shorthand
from asr_scaling.sweep.instantiate import build_job, options
from asr_scaling.util.config_dir import conf_dir

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "cascade.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"^python -m asr_scaling (.+)$", PAGE, re.MULTILINE)
MODULES = ("vad", "punctuation", "speaker")


def points(command: str) -> list[list[str]]:
    """The overrides of each point that a command names."""
    words = [word for word in shlex.split(command, comments=True) if word != "-m"]
    pairs = [word.partition("=") for word in map(batch_shorthand, words)]
    values = [[f"{key}={value}" for value in values.split(",")] for key, _, values in pairs]
    return [list(point) for point in itertools.product(*values)]


def test_there_are_commands():
    assert len(COMMANDS) >= 5


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_makes_its_points(command: str):
    for overrides in points(command):
        with initialize_config_dir(str(conf_dir().resolve()), version_base="1.3"):
            plain = options(compose("config", [*overrides, "tracking=jsonl"]))
        job = build_job(plain)
        assert job.system.composed().engine is not None


def test_every_module_has_its_row():
    named = {
        (group, path.stem)
        for group in MODULES
        for path in Path(conf_dir(), group).glob("*.yaml")
        if path.stem not in ("none", "fake")
    }
    assert {name for _, name in named} <= set(re.findall(r"^\|.*?\| (\w+) \|", PAGE, re.MULTILINE))
