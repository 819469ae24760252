"""What two measurements are of that are made to be compared: configurations or revisions."""

from __future__ import annotations

import hashlib
import os
import sys
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import yaml

from asr_scaling.errors import ConfigError
from asr_scaling.sweep.checkout import PACKAGE, commit_of, is_shallow, laid_out, root_of
from asr_scaling.util.config_dir import conf_dir, read_yaml

HERE = "."
"""Names the working tree of the checkout in the current folder, with changes not committed."""
_BASE = "config"
"""What every configuration is based on: conf/config.yaml."""


@dataclass(frozen=True)
class Side:
    """One of the two.

    name: as it was written: "A.yaml", "main" or ".".
    what: the same for people: "revision main (0123abcd)".
    state: hash of the configuration and the code, by which a later command knows both again.
    configuration: the YAML to measure; None for the default point.
    checkout: whose code measures; None for the code of this process.
    commit: the revision of ``checkout``; None for the files as they are there.
    """

    name: str
    what: str
    state: str
    configuration: Path | None = None
    checkout: Path | None = None
    commit: str | None = None

    @classmethod
    def of(cls, name: str) -> Side:
        """The side that ``name`` names; a configuration that exists comes before a revision.

        Raises ConfigError for what is neither.
        """
        path = Path(name)
        if path.suffix == ".yaml" and path.is_file():
            text = _checked(path)
            state = _hash(text, _sources(Path(__file__).parents[1], conf_dir()))
            return cls(name, f"configuration {name}", state, path.resolve())
        if name == HERE:
            root = root_of(path)
            state = _hash(b"", _sources(root / PACKAGE, root / "conf"))
            return cls(name, f"the working tree in {root}", state, checkout=root)
        return cls._revision(name)

    @classmethod
    def _revision(cls, name: str) -> Side:
        try:
            root = root_of(Path())
        except ConfigError as error:
            raise ConfigError(f"'{name}' is no configuration here, and {error}") from error
        commit = commit_of(root, name)
        if commit is None:
            raise ConfigError(
                f"'{name}' is neither a configuration nor a revision of {root} "
                f"({_why(root, name)}): name two YAML files as recommend -o writes them, or two "
                "branches, tags or commits."
            )
        return cls(name, f"revision {name} ({commit[:8]})", commit, checkout=root, commit=commit)

    def arguments(self) -> list[str]:
        """The arguments of the command line that choose its configuration."""
        if self.configuration is None:
            return []
        folder = str(self.configuration.parent)
        return ["--config-dir", folder, "--config-name", self.configuration.stem]

    def unchanged(self) -> bool:
        """Whether its configuration and code are still what they were when it was made."""
        return self.commit is not None or Side.of(self.name).state == self.state

    def code(self) -> AbstractContextManager[Path | None]:
        """The folder whose code measures it, as long as the block runs; None: this process's."""
        if self.checkout is not None and self.commit is not None:
            return laid_out(self.checkout, self.commit)
        return nullcontext(self.checkout)


def _why(root: Path, name: str) -> str:
    """What may be the reason that ``name`` is no revision."""
    if commit_of(root, f"origin/{name}"):
        return f"but origin/{name} is one"
    if is_shallow(root):
        return "this clone has only its last commits: fetch the others, git fetch --unshallow"
    if Path(name).exists():
        return "records are compared without --run"
    return "there is no file of that name"


def environment_of(code: Path | None) -> dict[str, str]:
    """The variables with which a new Python imports the package in the folder ``code``.

    None for the package of this process. The current folder is not searched first, as it is by
    ``python -m``: it may be another checkout.
    """
    if code is None:
        places = [place or os.getcwd() for place in sys.path]
    else:
        given = filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))
        others = [place for place in given if not Path(place, PACKAGE).is_dir()]
        places = [str(code), *others]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(places), "PYTHONSAFEPATH": "1"}


def _checked(path: Path) -> bytes:
    """The text of a configuration. Raises ConfigError for a file that is none."""
    try:
        options = read_yaml(path)
        text = path.read_bytes()
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f"'{path}' can't be read as a YAML ({error}): mend it.") from error
    defaults = options.get("defaults") if isinstance(options, dict) else None
    if not isinstance(defaults, list) or _BASE not in defaults:
        raise ConfigError(
            f"'{path}' is no configuration that can be measured: begin it with  defaults: "
            f"[{_BASE}, _self_],  or have recommend -o write one."
        )
    return text


def _sources(package: Path, conf: Path) -> str:
    """Hash of all that the code and the options of a checkout consist of."""
    digest = hashlib.sha256()
    for folder, pattern in ((package, "*.py"), (conf, "*.yaml")):
        for path in sorted(folder.rglob(pattern)):
            digest.update(path.relative_to(folder).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def _hash(*parts: bytes | str) -> str:
    whole = hashlib.sha256()
    for part in parts:
        whole.update(part.encode() if isinstance(part, str) else part)
    return whole.hexdigest()
