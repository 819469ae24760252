"""recommended.yaml carries every option that shaped the point, wherever it is loaded from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf
from support.every_option import NOT_MEASURED, chosen, composed, other, with_value
from support.studies import TINY, record

from asr_scaling.cli.recommend import main
from asr_scaling.machine.environment import environment
from asr_scaling.sweep.described_system import _composed
from asr_scaling.sweep.instantiate import build_system, with_needs

EVERY = [each for each in chosen() if each[:2] != ("batch", "max")]


def written(
    folder: Path, config: dict[str, Any], tags: Mapping[str, str] | None = None, **choices: str
) -> dict[str, Any]:
    """The options that the recommendation of a point of these options composes to."""
    own = {key: environment()[key] for key in ("cpu", "cpu_cores", "memory_bytes")}
    found = record(TINY, None, config["batch"].get("size", 1))
    kept = {**config, "hydra": {"choices": choices, "cwd": str(folder)}}
    here = replace(found, config=kept, environment={**found.environment, **own})
    here = replace(here, tags={**found.tags, **(tags or {})})
    here.write(folder / "multirun" / "0_point")
    path = folder / "best.yaml"
    assert main([str(folder / "multirun"), "--max-wer", "8", "--out", str(path)]) == 0
    moved = folder / "elsewhere" / "mine.yaml"
    moved.parent.mkdir()
    plain = OmegaConf.to_container(_composed(path.rename(moved)), resolve=True)
    assert isinstance(plain, dict)
    return {str(key): value for key, value in plain.items() if key not in NOT_MEASURED}


@pytest.mark.parametrize(
    ("group", "name", "override"), EVERY, ids=[override for _, _, override in EVERY]
)
def test_every_option_of_every_choice_is_carried(
    tmp_path: Path, group: str, name: str, override: str
) -> None:
    usual = composed(override)
    config = {**usual, group: other(usual[group])}
    if group == "dataset":  # fragments of another length would be what is asked for
        config = with_value(config, "dataset.length_s", None)
    found = written(tmp_path, config, **{group: name})
    if group == "scenario":  # the requests that it was given are no part of a system
        config = {**config, group: composed()[group]}
    assert _plain(found, tmp_path) == with_needs(config)


def test_its_system_is_the_one_that_was_measured(tmp_path: Path) -> None:
    config = composed(
        "model.hub_id=me/tuned", "model.revision=v2", "engine.dtype=bfloat16", "device.threads=2"
    )
    config = with_value(config, "model.path", "my weights")
    found = written(tmp_path, config)
    wanted = with_value(config, "model.path", str(tmp_path / "my weights"))
    assert build_system(found) == build_system(wanted)
    assert build_system(found).model.hub_id == "me/tuned"


@pytest.mark.parametrize(
    ("tags", "asked", "carried"),
    [
        ({"language": "de", "language/source": "stated by the dataset"}, None, "de"),
        ({"language": "de", "language/source": "stated by the dataset"}, "auto", "auto"),
        ({"language": "de 3, en 1", "language/source": "stated by the dataset"}, None, None),
        ({"language": "de", "language/source": "recognised by the model"}, None, None),
        ({"language": "en", "language/source": "the only one of the model"}, None, None),
        ({}, None, None),
    ],
)
def test_a_language_that_the_dataset_stated_is_carried_too(
    tmp_path: Path, tags: dict[str, str], asked: str | None, carried: str | None
) -> None:
    config = with_value(composed("model=whisper_tiny"), "language", asked)
    config = with_value(config, "model.language", asked)
    found = written(tmp_path, config, tags=tags, model="whisper_tiny")
    assert (found["language"], found["model"]["language"]) == (carried, carried)


def _plain(config: Any, folder: Path) -> Any:
    """Without the folder that relative paths begin at."""
    if isinstance(config, dict):
        return {key: _plain(value, folder) for key, value in config.items()}
    if isinstance(config, str):
        return config.removeprefix(f"{folder}/")
    return config
