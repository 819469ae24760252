"""The points that a command of a documentation page names, without running it."""

from __future__ import annotations

import itertools
import re
import shlex
from typing import Any

from hydra import compose, initialize_config_dir

from asr_scaling.cli import VERBS
from asr_scaling.cli.sweep import batch_shorthand, bound_shorthand
from asr_scaling.sweep.instantiate import options
from asr_scaling.util.config_dir import conf_dir

_BETWEEN = re.compile(r",(?![^\[]*\])")
"""A comma that is in no list."""


def sweeps(page: str) -> list[str]:
    """What follows ``python -m asr_scaling`` in the page's lines, but for other verbs."""
    whole = page.replace("\\\n", " ")
    lines = re.findall(r"^python -m asr_scaling (.+)$", whole, re.MULTILINE)
    return [line for line in lines if line.split()[0] not in VERBS]


def points(command: str) -> list[dict[str, Any]]:
    """The options of each point that a command names."""
    words = [word for word in shlex.split(command, comments=True) if word != "-m"]
    pairs = [word.partition("=") for word in map(batch_shorthand, words)]
    values = [
        [f"{key}={value}" for value in ([values] if "<" in values else _BETWEEN.split(values))]
        for key, _, values in pairs
    ]
    found = []
    for point in itertools.product(*values):
        overrides = [*map(bound_shorthand, point), "tracking=jsonl"]
        with initialize_config_dir(str(conf_dir().resolve()), version_base="1.3"):
            found.append(options(compose("config", overrides)))
    return found
