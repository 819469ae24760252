"""A recommendation as a YAML, which ``python -m asr_scaling`` runs and ``load_system`` loads."""

from __future__ import annotations

import json
import os
import shlex
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from errno import EACCES, EISDIR
from pathlib import Path
from typing import Any

from asr_scaling.analysis.points import Point
from asr_scaling.analysis.recommendation import reproduce
from asr_scaling.analysis.recommendation.answers import Answers
from asr_scaling.analysis.recommendation.reproduce import Choice
from asr_scaling.core.option_checks import writable
from asr_scaling.errors import ConfigError
from asr_scaling.measure.spoken_language import STATED
from asr_scaling.util.cache import write_atomic
from asr_scaling.util.config_dir import conf_dir

_WIDTH = 118
_ELSEWHERE = "name another file with -o"
_SERVED_AT = "http://127.0.0.1:8000"
"""Where ``serve`` answers, unless it is told otherwise."""
_OF_THE_SERVER = ("engine", "optimisation", "device", "serving", "scenario", "optimiser", "sweep")
"""Groups of options that whoever asks a server neither knows nor needs."""
_FIXED = ("fixed", "max", "")
"""Batchings whose utterances come in the dataset's order. The size that ``max`` found is fixed."""
_BY_AUDIO = ("seconds",)
"""Batchings whose batches differ in size."""


def check_name(path: Path) -> None:
    """Raises ConfigError unless ``path`` can be written, as far as can be told without writing,
    and Hydra can find it there."""
    if path.suffix != ".yaml" or path.stem in ("", "config"):
        raise ConfigError(
            f"'{path}' can't be a configuration's name: "
            "end it with .yaml, and don't call it config.yaml."
        )
    if not path.parent.is_dir():
        raise ConfigError(
            f"There is no folder '{path.parent}': make it first, or write to another one."
        )
    with writable(path, _ELSEWHERE):
        if path.is_dir():
            raise IsADirectoryError(EISDIR, os.strerror(EISDIR))
        if not os.access(path.parent, os.W_OK | os.X_OK):
            raise PermissionError(EACCES, os.strerror(EACCES))


def run_command(path: Path) -> str:
    """The command that measures the configuration in ``path``."""
    folder = str(path.parent)
    return shlex.join(
        ["python", "-m", "asr_scaling", "--config-dir", folder, "--config-name", path.stem]
    )


def serve_command(path: Path) -> str:
    """The command that starts a server of the configuration in ``path``."""
    return shlex.join(["python", "-m", "asr_scaling", "serve", str(path)])


def outside_command(served: Point) -> str:
    """The command that measures a server of the point's system from outside, by the same bound."""
    config = {key: own for key, own in served.config.items() if key not in _OF_THE_SERVER}
    bounds = [{"bound": load.bound} for load in served.loads if load.bound]
    measured = reproduce.command(replace(served, config=config))
    words = reproduce.scenario_words("capacity", **(bounds[0] if bounds else {}))
    return f"{measured} {words} serving=endpoint serving.url={_SERVED_AT}"


def use_in_python(path: Path) -> str:
    """The Python that transcribes with the configuration in ``path``."""
    load = f"load_system({str(path)!r})"
    return f"from asr_scaling import load_system; {load}.transcribe('speech.wav')"


def write(path: Path, answer: Answers, winner: Point) -> None:
    """Write ``winner`` to ``path``, in place of an older file.

    Raises ConfigError for a choice of which this package has no YAML.
    """
    check_name(path)
    chosen = [_found(part, winner) for part in reproduce.parts(reproduce.called(winner))]
    for group, name in ((part.group, name) for part in chosen for name in part.names):
        if not (conf_dir() / group / f"{name}.yaml").is_file():
            raise ConfigError(
                f"{group}={name} is of a config folder of your own, which no file can "
                f"name for you: measure it with --config-dir and  {reproduce.command(winner)}"
            )
    lines = [*_comment(path, answer, winner), *_defaults(chosen)]
    own_values = _spoken(winner) | reproduce.own_values(winner)
    lines += [f"{_key(key)}: {_yaml(own)}" for key, own in own_values.items()]
    for part in chosen:
        lines += _body(part)
    with writable(path, _ELSEWHERE):
        write_atomic(path, ("\n".join(lines) + "\n").encode())


def _spoken(winner: Point) -> dict[str, str]:
    """The language that the dataset stated, which audio without a dataset can't state."""
    if winner.tags.get("language/source") != STATED or "," in winner.tags["language"]:
        return {}
    return {"language": winner.tags["language"]}


def _found(part: Choice, winner: Point) -> Choice:
    """The choice, with the size of the batch that was timed."""
    if part.group != "batch":
        return part
    if part.name in _BY_AUDIO:
        return part
    name = "fixed" if part.name in _FIXED else part.name
    kept = {} if part.name in _FIXED else part.options
    return replace(part, name=name, options={**kept, "size": winner.batch})


def _defaults(chosen: Sequence[Choice]) -> list[str]:
    """The defaults list: everything that config.yaml has, with other choices."""
    named = [f"  - override {part.group}: {part.name}" for part in chosen if part.name]
    return ["defaults:", "  - config", *named, "  - _self_"]


def _body(part: Choice) -> list[str]:
    """Options that differ from those of the YAML chosen."""
    lines = [f"  {_key(key)}: {_yaml(value)}" for key, value in part.options.items()]
    return [f"{part.group}:", *lines] if lines else []


def _yaml(value: Any) -> str:
    """A value in one line of YAML: JSON, but for characters that YAML doesn't take unescaped."""
    text = json.dumps(reproduce.literal(value), ensure_ascii=False)
    return "".join(c if c.isprintable() and c != "\ufeff" else f"\\U{ord(c):08x}" for c in text)


def _comment(path: Path, answer: Answers, winner: Point) -> Iterator[str]:
    chosen, machine = answer.found, winner.environment
    versions = machine.get("versions") or {}
    packages = [name for name in ("asr-scaling", "torch") if versions.get(name)]
    software = ", ".join(f"{name} {versions[name]}" for name in packages)
    sentences = [
        f"Recommended for {answer.among.speech}. {chosen.rule}",
        f"Run it:  {run_command(path)}",
        f"Use it:  {use_in_python(path)}",
        f"Serve it:  {serve_command(path)}" if winner.serving else "",
        f"Measured on {_date(winner.started_at)} on {winner.hardware}, "
        f"{machine.get('os', 'unknown system')}, {software}.",
        f"Chosen on {_date(datetime.now(UTC).timestamp())} among "
        f"{len(answer.among.points)} configurations.",
        *(rival.said for rival in chosen.undecided),
        chosen.provisional,
        f"Winner against runner-up: {chosen.verdict}.",
        *chosen.evidence,
        *answer.caveats,
        f"Measured again by:  {chosen.command}" if chosen.command else "",
        _weights(winner),
    ]
    for line in (sentence.replace("\n", " ") for sentence in sentences if sentence):
        is_command = ":  " in line  # stays whole
        wrapped = textwrap.wrap(line, _WIDTH, subsequent_indent="  ")
        yield from (f"# {row}" for row in ([line] if is_command else wrapped))


def _key(key: str) -> str:
    """A record's own word for an option: it can't begin a line of its own."""
    return key if key.isidentifier() else json.dumps(key)


def _date(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).date().isoformat()


def _weights(winner: Point) -> str:
    """Which weights were measured: a branch of the hub may move on."""
    details = winner.facts.get("details")
    commit = details.get("revision") if isinstance(details, dict) else None
    source = winner.facts.get("weights_source")
    at = f", commit {commit}" if commit else ""
    return f"Weights that were measured: {source}{at}." if source else ""
