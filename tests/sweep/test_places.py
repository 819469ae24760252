"""Folders of sweeps and points: one each, or a refusal before anything is measured."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hypothesis import example, given, settings
from hypothesis import strategies as st
from omegaconf import DictConfig, OmegaConf, open_dict

from asr_scaling.errors import ConfigError
from asr_scaling.sweep import config_guard
from asr_scaling.sweep.places import check, check_free, claim, numbered, place
from asr_scaling.sweep.plan import PlannedPoint, parsed
from asr_scaling.util.config_dir import conf_dir
from asr_scaling.util.files import folder_name
from asr_scaling.util.quoting import quoted

Composed = Callable[..., DictConfig]
NAMES = st.text(max_size=300) | st.sampled_from(
    [
        "openai/whisper-tiny.en",
        "..",
        "../../x",
        "/etc/x",
        "a b",
        "Ä",
        "A",
        "a",
        "\n",
        "CON",
        "n" * 300,
    ]
)


@pytest.fixture(scope="module")
def composed() -> Iterator[Composed]:
    config_guard.guard()
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        yield lambda *overrides: compose("config", [*overrides], return_hydra_config=True)


def points(*texts: str) -> tuple[PlannedPoint, ...]:
    return tuple(PlannedPoint.of(text.split(" ")) for text in texts)


@settings(deadline=None, max_examples=200)
@given(names=st.lists(NAMES, min_size=2, max_size=4))
@example(names=["../../x", "../../x"])
def test_the_default_folder_is_one_points_alone_whatever_its_name(names: list[str]) -> None:
    folders = [folder_name(number, name, "cpu", "b1") for number, name in enumerate(names)]
    assert len({folder.casefold() for folder in folders}) == len(names)
    for folder in folders:
        assert os.path.normpath(folder) == folder == os.path.basename(folder)
        assert folder.isprintable()
        assert len(os.fsencode(folder)) <= 255


def test_the_default_pattern_makes_such_a_folder(composed: Composed) -> None:
    config = composed("model=whisper_tiny_en", "batch.size=4")
    with open_dict(config):
        config.model.name, config.hydra.job.num = "openai/whisper-tiny.en", 7
    assert config.hydra.sweep.subdir == "7_openai_whisper-tiny.en_cpu_b4"


def own(config: DictConfig, subdir: str, *overrides: str) -> str | None:
    """Why the points of these overrides are refused; None where they have folders of their own."""
    loader = GlobalHydra.instance().config_loader()
    with open_dict(config):
        config.hydra.sweep.subdir = subdir

    def of(texts: list[str]) -> DictConfig:
        made = loader.load_sweep_config(config, texts)
        with open_dict(made):
            made.hydra.sweep.subdir = subdir
        return made

    try:
        check(points(*overrides), config, of)
    except ConfigError as error:
        return str(error)
    return None


@pytest.mark.parametrize(
    ("subdir", "why"),
    [
        ("${model.name}", "Two points would have one folder, 'whisper_tiny_en' (batch.size=1; "),
        ("same", "Two points would have one folder, 'same'"),
        ("", "Two points would have one folder, ''"),
        ("x/../${model.name}", "Two points would have one folder"),
        ("${hydra.job.num}_${model.name}", None),
        ("${hydra:job.num}", None),
        ("${hydra.job.id}/${batch.size}", None),
        ("${batch.size}", None),
        ("/tmp/${batch.size}", "is not below the sweep's"),
        ("../${batch.size}", "is not below the sweep's"),
        ("report/${batch.size}", "the sweep has something else there"),
        (".hydra/${batch.size}", "the sweep has something else there"),
        ("${batch.size}" + 255 * "x", "a name of more than 255 bytes"),
        ("${batch.size}\n", "control character"),
    ],
)
def test_patterns(composed: Composed, subdir: str, why: str | None) -> None:
    said = own(composed("model=whisper_tiny_en"), subdir, "batch.size=1", "batch.size=2")
    assert (said is None) if why is None else (why in str(said)), said
    assert said is None or "hydra.sweep.subdir" in said


def test_folders_that_only_some_file_systems_tell_apart(composed: Composed) -> None:
    said = own(composed(), "${model.name}", "model.name=Tiny", "model.name=tiny")
    assert "Two points would have one folder" in str(said)


@pytest.mark.parametrize("single", [True, False])
def test_commands_that_begin_in_one_second_have_folders_of_their_own(
    composed: Composed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, single: bool
) -> None:
    monkeypatch.chdir(tmp_path)
    kind = "run" if single else "sweep"
    configs = [composed(f"hydra.{kind}.dir=out/${{now:%Y}}") for _ in range(8)]
    with ThreadPoolExecutor(8) as pool:
        folders = list(pool.map(lambda config: claim(config, single), configs))
    assert len(set(folders)) == 8
    assert all(folder.is_dir() for folder in folders)
    assert [Path(config.hydra[kind].dir) for config in configs] == folders
    if not single:  # its points are composed of these
        texts = [OmegaConf.to_container(config.hydra.overrides.hydra) for config in configs]
        told = [parsed(str(text[-1])) for text in texts if isinstance(text, list)]
        assert [Path(str(each.value())) for each in told if each] == folders


def test_a_folder_named_by_hand_is_that_folder(composed: Composed, tmp_path: Path) -> None:
    for _ in range(2):
        assert claim(composed(f"hydra.sweep.dir={tmp_path}/x"), False) == tmp_path / "x"


@pytest.mark.parametrize("there", ["sweep.json", "0_x/record.json", "a/b/sweep.json"])
def test_a_folder_with_what_was_measured_is_not_taken(tmp_path: Path, there: str) -> None:
    (tmp_path / there).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / there).write_text("{}")
    with pytest.raises(ConfigError, match=rf"has what was measured before \({there}\): set hydra"):
        check_free(tmp_path)


def test_nor_one_in_another_sweeps(tmp_path: Path) -> None:
    (tmp_path / "sweep.json").write_text("{}")
    (tmp_path / "a/b").mkdir(parents=True)
    with pytest.raises(ConfigError, match="is in the folder of another sweep: set "):
        check_free(tmp_path / "a/b")


def test_the_number_of_a_job_in_a_pattern() -> None:
    text = "${hydra.job.num}_${hydra:job.num}_${hydra.job.id}_${hydra.job.name}"
    assert numbered(text, 3, "x") == "3_3_x_3_${hydra.job.name}"


@pytest.mark.parametrize(
    ("subdir", "name"), [("0_x", "0_x"), ("a/./b", "a/b"), ("rounds/2/a/b", "a/b"), ("", "")]
)
def test_a_place_is_the_same_in_every_round(composed: Composed, subdir: str, name: str) -> None:
    assert place(composed(f"hydra.sweep.subdir={quoted(subdir)}").hydra) == name
