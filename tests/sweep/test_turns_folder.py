"""The folder of a measurement is found again by what is measured."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from asr_scaling.errors import ConfigError
from asr_scaling.sweep.sides import Side
from asr_scaling.sweep.turns_folder import TURNS_FILE, contents, held, latest

SIDES = (Side("A.yaml", "configuration A.yaml", "one"), Side("main", "revision main", "two"))
SAID = contents(SIDES, ["batch=8"])


def test_the_newest_of_the_same_sides_and_options(tmp_path: Path) -> None:
    assert latest(tmp_path, SAID) is None
    folders = []
    for number in range(2):
        with held(None, tmp_path, SAID) as folder:
            os.utime(folder / TURNS_FILE, (number, number))
            folders.append(folder)
    assert len(set(folders)) == 2
    assert latest(tmp_path, SAID) == folders[1]


@pytest.mark.parametrize(
    "other",
    [
        contents(SIDES, ["batch=4"]),
        contents(SIDES[::-1], ["batch=8"]),
        contents((SIDES[0], Side("main", "revision main", "three")), ["batch=8"]),
        {**SAID, "machine": {**SAID["machine"], "host": "elsewhere"}},
    ],
)
def test_anything_else_is_not_gone_on_with(tmp_path: Path, other: dict[str, object]) -> None:
    with held(None, tmp_path, SAID):
        pass
    assert latest(tmp_path, other) is None
    assert latest(tmp_path, SAID) is not None


def test_a_damaged_file_is_nothing_to_go_on_with(tmp_path: Path) -> None:
    with held(None, tmp_path, SAID) as folder:
        said = json.loads((folder / TURNS_FILE).read_text())
    (folder / TURNS_FILE).write_text(json.dumps({**said, "overrides": []}))
    assert latest(tmp_path, SAID) is None


def test_one_process_at_a_time(tmp_path: Path) -> None:
    with (
        held(None, tmp_path, SAID) as folder,
        pytest.raises(ConfigError, match="Another process measures in"),
        held(folder, tmp_path, SAID),
    ):
        pass
    with held(folder, tmp_path, SAID) as again:
        assert again == folder
