"""Files that options name: found by any key at any depth, and none of the program's own results."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from asr_scaling.measure.named_files import named_files


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, with a cache and a home folder in it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ASR_SCALING_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    return tmp_path


def write(place: str) -> str:
    path = Path(place)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("x")
    return place


def found(options: dict[str, Any]) -> list[str]:
    return [Path(path).as_posix() for path, _, _ in named_files(options)]


@pytest.mark.parametrize(
    "options",
    [
        {"dataset": {"audio_root": "audio"}},
        {"engine": {"vocabulary": "audio/a.wav"}},
        {"profiler": {"quality": {"words": ["audio/a.wav"]}}},
        {"optimisation": {"draft": {"model": {"path": "audio"}}}},
        {"decoding": {"prompts": [{"file": "./audio/a.wav"}]}},
    ],
)
def test_by_any_key(options: dict[str, Any]):
    write("audio/a.wav")
    assert found(options) == ["audio/a.wav"]


def test_in_the_home_folder_by_links_and_once(here: Path):
    write("home/audio/a.wav")
    (here / "home" / "way").symlink_to("audio")
    assert found({"model": {"path": "~/way"}}) == [f"{here}/home/way/a.wav"]
    (here / "home" / "audio" / "round").symlink_to(here / "home")
    assert len(found({"model": {"path": "~/audio"}})) == 1
    write("a/b.wav")
    (here / "a" / "c").symlink_to(here / "home" / "audio")
    assert {"a/b.wav", "a/c/a.wav"} <= set(found({"dataset": {"path": "a"}}))


def test_texts_that_name_nothing():
    for text in ("", " ", ".nothing", "x" * 5000, "a\0b", "~nobody/x", "/", "https://x/y"):
        assert found({"engine": {"prompt": text}}) == []


def test_results_below_a_named_folder_do_not_count():
    write("a.wav")
    for name in (
        "records.jsonl",
        "mlflow.db",
        "mlflow.db-wal",
        "mlartifacts/1/x",
        "cache/weights/w",
        "multirun/2026-01-01/12-00-00/sweep.json",
        "multirun/2026-01-01/12-00-00/0_toy/anything.json",
        "alone/record.json",
        "alone/trace.json",
    ):
        write(name)
    for tracking in (
        {"_target_": "x.Jsonl", "path": "records.jsonl"},
        {"_target_": "x.Mlflow", "uri": "sqlite:///mlflow.db", "artifacts": "mlartifacts"},
    ):
        names = set(found({"dataset": {"path": "."}, "tracking": tracking, "sweep": {"x": "."}}))
        assert "a.wav" in names
        assert not {n for n in names if n.startswith(("multirun", "cache", "alone"))}
        mine = ("records.jsonl",) if "path" in tracking else ("mlflow.db", "mlflow.db-wal")
        assert not names & {*mine, *(["mlartifacts/1/x"] if "uri" in tracking else [])}


def test_what_tracking_names_counts_where_a_part_names_it_too():
    write("asr_scaling/a.wav")
    options = {"dataset": {"path": "."}, "tracking": {"experiment": "asr_scaling", "path": "r"}}
    assert found(options) == ["asr_scaling/a.wav"]


def test_files_that_the_dataset_lists_count_instead_of_its_folders(here: Path):
    for name in ("speech/a.wav", "speech/manifest.jsonl", "speech/log.txt", "lexicon.txt"):
        write(name)
    options = {"dataset": {"path": "speech", "lexicon": "lexicon.txt"}, "model": {"path": "speech"}}
    listed = [here / "speech" / name for name in ("a.wav", "manifest.jsonl")]
    both = [path for path, _, _ in named_files({"dataset": options["dataset"]}, listed)]
    assert both == [str(listed[0]), str(listed[1]), "lexicon.txt"]
    assert "speech/log.txt" in [path for path, _, _ in named_files(options, listed)]
