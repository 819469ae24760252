"""Folders on disk: a sweep has one of its own, and so has each of its points."""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import count
from pathlib import Path, PurePosixPath
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf, flag_override
from omegaconf.errors import OmegaConfBaseException

from asr_scaling.core.record import RECORD_FILE, ROUNDS_FOLDER
from asr_scaling.errors import AsrScalingError, ConfigError
from asr_scaling.records.sweep_manifest import SWEEP_FILE
from asr_scaling.sweep.plan import PlannedPoint, labels
from asr_scaling.util.config_dir import conf_dir, read_yaml
from asr_scaling.util.files import folder_name
from asr_scaling.util.quoting import quoted

Compose = Callable[[list[str]], DictConfig]
"""The whole configuration of the point with these overrides."""
_NUMBER = re.compile(r"\$\{hydra[.:]job\.(num|id)\}")
_TAKEN = re.compile(r"\..*|report|certificate.*|sweep\.json|multirun\.yaml|points\.jsonl\.gz")
"""Names of what a sweep's folder has besides points."""
_UNCOMPOSED = (AsrScalingError, HydraException, OmegaConfBaseException, ValueError)
"""What composing a point raises for options that can't be."""
_LONGEST = 255
"""Most bytes of a folder's name on the file systems in use."""
ELSEWHERE = "set hydra.sweep.dir, or hydra.run.dir of a single run, to another folder"
_REMEDY = "as in  hydra.sweep.subdir='${hydra.job.num}_${model.name}', or leave it out"


def register() -> None:
    """Let configurations call ``folder_name``, as that of a point's folder does."""
    OmegaConf.register_new_resolver("folder_name", folder_name, replace=True)


def claim(config: DictConfig, single: bool) -> Path:
    """Make the folder of a sweep or a single run, and write into ``config`` which it is.

    Where the options name it by the time, and another process has that folder, as when two commands
    begin in one second, it is the next free one: 12-30-00_2.
    Raises ConfigError when it can't be written.
    """
    group = config.hydra.run if single else config.hydra.sweep
    raw: Any = OmegaConf.to_container(group, resolve=False)
    folder = Path(group.dir)
    try:
        if "${now:" in str(raw["dir"]):
            folder = next_free(folder)
            _set(config, "run" if single else "sweep", folder)
        else:
            folder.mkdir(parents=True, exist_ok=True)
        if not os.access(folder, os.W_OK):
            raise PermissionError(f"no permission to write {folder}")
    except OSError as error:
        raise ConfigError(
            f"The output folder can't be written ({error}): set hydra.sweep.dir or hydra.run.dir."
        ) from error
    return folder


def next_free(folder: Path) -> Path:
    """The folder, or the next free one, which this process has made and no other one."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    for number in count(2):
        with suppress(FileExistsError):
            folder.mkdir()
            break
        folder = folder.with_name(f"{folder.name.removesuffix(f'_{number - 1}')}_{number}")
    return folder


def _set(config: DictConfig, kind: str, folder: Path) -> None:
    with flag_override(config, ["readonly", "struct"], [False, False]):
        config.hydra[kind].dir = str(folder)
        if kind == "sweep":  # of these its points are composed
            config.hydra.overrides.hydra.append(f"hydra.sweep.dir={quoted(str(folder))}")


def check_free(folder: Path) -> None:
    """Raises ConfigError where ``folder`` has what was measured before, or is in another sweep's.

    Records of both would be taken for those of one sweep, or overwrite each other.
    """
    whole = folder.absolute()
    if any((parent / SWEEP_FILE).is_file() for parent in whole.parents):
        raise ConfigError(f"{folder} is in the folder of another sweep: {ELSEWHERE}.")
    for name in (SWEEP_FILE, RECORD_FILE):
        if (there := next(whole.rglob(name), None)) is not None:
            raise ConfigError(
                f"{folder} has what was measured before ({there.relative_to(whole)}): "
                f"{ELSEWHERE}, or go on with the sweep by sweep.resume=true."
            )


def pattern(config: DictConfig) -> str:
    """The pattern of a point's folder, its references unresolved."""
    raw: Any = OmegaConf.to_container(config.hydra.sweep, resolve=False)
    return str(raw["subdir"])


def numbered(subdir: str, number: int, name: str) -> str:
    """The pattern ``subdir`` for the job with this ``number`` of the program ``name``."""
    return _NUMBER.sub(lambda m: f"{name}_{number}" if m[1] == "id" else str(number), subdir)


def place(hydra: Any) -> str:
    """What a point's folder is called within its sweep; the same in all rounds of the point."""
    parts = PurePosixPath(os.path.normpath(str(hydra.sweep.subdir))).parts
    if len(parts) > 2 and parts[0] == ROUNDS_FOLDER and parts[1].isdigit():
        parts = parts[2:]
    return "/".join(parts)


def check(points: Sequence[PlannedPoint], config: DictConfig, compose: Compose) -> None:
    """Raises ConfigError, before anything is measured, when two points would have one folder.

    Also when a point's folder would not be one below the sweep's.
    """
    own = str(read_yaml(conf_dir() / "config.yaml")["hydra"]["sweep"]["subdir"])
    if pattern(config) == own and not any(
        text.lstrip("+").startswith("hydra.") for point in points for text in point.overrides
    ):
        return  # it begins with the job's number and has no slash
    seen: dict[str, str] = {}
    names = labels(points)
    for number, point in enumerate(points):
        name = names[number] or "of the default options"
        try:
            folder = _subdir(compose([*point.overrides]), number)
        except _UNCOMPOSED:  # Hydra says so itself when it composes the point
            continue
        _check_one(name, folder)
        key = unicodedata.normalize("NFC", os.path.normpath(folder)).casefold()
        if key in seen:
            raise ConfigError(
                f"Two points would have one folder, '{folder}' ({seen[key]}; {name}): have "
                f"hydra.sweep.subdir tell them apart, {_REMEDY}."
            )
        seen[key] = name


def _subdir(config: DictConfig, number: int) -> str:
    """The folder of a job, as Hydra will resolve it."""
    held = HydraConfig.instance().cfg
    with flag_override(config, ["readonly", "struct"], [False, False]):
        config.hydra.job.num, config.hydra.job.id = number, f"{config.hydra.job.name}_{number}"
    try:
        HydraConfig.instance().set_config(config)
        return str(config.hydra.sweep.subdir)
    finally:
        HydraConfig.instance().cfg = held


def _check_one(name: str, folder: str) -> None:
    """Raises ConfigError for a folder that isn't below the sweep's or can't be made."""
    parts = PurePosixPath(os.path.normpath(folder)).parts
    if os.path.isabs(folder) or parts[:1] == ("..",):
        why = "it is not below the sweep's"
    elif parts and _TAKEN.fullmatch(parts[0]):
        why = "the sweep has something else there"
    elif any(len(os.fsencode(part)) > _LONGEST for part in parts):
        why = f"a name of more than {_LONGEST} bytes can't be made"
    elif not folder.isprintable():
        why = "it has a line end or another control character"
    else:
        return
    raise ConfigError(
        f"The point '{name}' can't have the folder '{folder}', {why}: set hydra.sweep.subdir, "
        f"{_REMEDY}."
    )
