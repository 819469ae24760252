"""A recommendation as a YAML, which ``python -m asr_scaling`` runs and ``load_system`` loads."""

from __future__ import annotations

import json
import shlex
import textwrap
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from asr_scaling.analysis.points import Point
from asr_scaling.analysis.recommendation import reproduce
from asr_scaling.analysis.recommendation.choice import BestConfiguration
from asr_scaling.analysis.recommendation.reproduce import Choice
from asr_scaling.errors import ConfigError
from asr_scaling.util.cache import write_atomic
from asr_scaling.util.config_dir import conf_dir

_WIDTH = 118
_FIXED = ("fixed", "max", "")
"""Batchings whose utterances come in the dataset's order. The size that ``max`` found is fixed."""


def check_name(path: Path) -> None:
    """Raises ConfigError unless ``path`` can be written and Hydra can find it there."""
    if path.suffix != ".yaml" or path.stem in ("", "config"):
        raise ConfigError(
            f"'{path}' can't be a configuration's name: "
            "end it with .yaml, and don't call it config.yaml."
        )
    if not path.parent.is_dir():
        raise ConfigError(
            f"There is no folder '{path.parent}': make it first, or write to another one."
        )


def run_command(path: Path) -> str:
    """The command that measures the configuration in ``path``."""
    folder = str(path.parent)
    return shlex.join(
        ["python", "-m", "asr_scaling", "--config-dir", folder, "--config-name", path.stem]
    )


def use_in_python(path: Path) -> str:
    """The Python that transcribes with the configuration in ``path``."""
    load = f"load_system({str(path)!r})"
    return f"from asr_scaling import load_system; {load}.transcribe('speech.wav')"


def write(path: Path, answer: BestConfiguration, winner: Point) -> None:
    """Write ``winner`` to ``path``, in place of an older file.

    Raises ConfigError for a choice of which this package has no YAML.
    """
    check_name(path)
    groups = _groups(winner)
    for each in groups:
        if not (conf_dir() / each.group / f"{each.name}.yaml").is_file():
            raise ConfigError(
                f"{each.group}={each.name} is of a config folder of your own, which no file can "
                f"name for you: measure it with --config-dir and  {reproduce.command(winner)}"
            )
    lines = [*_comment(path, answer, winner), *_defaults(groups, winner), *_options(groups, winner)]
    write_atomic(path, ("\n".join(lines) + "\n").encode())


def _groups(winner: Point) -> list[Choice]:
    """Model, engine, optimisations, device and batch, as YAMLs and what differs from them."""
    batch = reproduce.choice(winner, "batch")
    name = "fixed" if batch.name in _FIXED else batch.name
    optimised = [
        Choice("optimisation", key, options)
        for key, options in reproduce.optimisations(winner).items()
    ]
    engine, device = (reproduce.choice(winner, group) for group in ("engine", "device"))
    return [
        reproduce.model(winner),
        engine,
        *optimised,
        device,
        Choice("batch", name, {"size": winner.batch}),
    ]


def _defaults(groups: list[Choice], winner: Point) -> Iterator[str]:
    """The defaults list: everything that config.yaml has, with other choices."""
    yield "defaults:"
    yield "  - config"
    for each in groups:
        if each.group != "optimisation":
            yield f"  - override {each.group}: {each.name}"
    if names := [each.name for each in groups if each.group == "optimisation"]:
        yield f"  - override optimisation: [{', '.join(names)}]"
    yield "  - _self_"


def _options(groups: list[Choice], winner: Point) -> Iterator[str]:
    """Options that differ from those of the YAMLs chosen. JSON's values are YAML's too."""
    for seed in reproduce.own_seed(winner):
        yield f"seed: {json.dumps(seed)}"
    optimised = {
        each.name: each.options for each in groups if each.group == "optimisation" and each.options
    }
    bodies: list[tuple[str, Any]] = [
        (each.group, each.options) for each in groups if each.group != "optimisation"
    ]
    for group, options in [*bodies, ("optimisation", optimised)]:
        if options:
            yield f"{group}:"
            yield from (
                f"  {_key(key)}: {json.dumps(value, ensure_ascii=False)}"
                for key, value in options.items()
            )


def _comment(path: Path, answer: BestConfiguration, winner: Point) -> Iterator[str]:
    found, machine = answer.found, winner.environment
    versions = machine.get("versions") or {}
    known = ", ".join(
        f"{name} {versions[name]}" for name in ("asr-scaling", "torch") if versions.get(name)
    )
    said = [
        f"Recommended for {answer.speech}. {found.rule}",
        f"Run it:  {run_command(path)}",
        f"Use it:  {use_in_python(path)}",
        f"Measured on {_date(winner.started_at)} on {winner.hardware}, "
        f"{machine.get('os', 'unknown system')}, {known}.",
        f"Chosen on {_date(datetime.now(UTC).timestamp())} among {answer.measured} configurations.",
        found.provisional,
        f"Winner against runner-up: {found.verdict}.",
        *found.evidence,
        *answer.caveats,
        f"Measured again by:  {found.command}" if found.command else "",
    ]
    for line in (" ".join(each.split("\n")) for each in said if each):
        is_command = ":  " in line  # stays whole
        wrapped = textwrap.wrap(line, _WIDTH, subsequent_indent="  ")
        yield from (f"# {each}" for each in ([line] if is_command else wrapped))


def _key(key: str) -> str:
    """A record's own word for an option: it can't begin a line of its own."""
    return key if key.isidentifier() else json.dumps(key)


def _date(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).date().isoformat()
