"""Audio by whatever path leads to it: inside the folder it is taken, outside it is refused."""

from __future__ import annotations

import json
import os
import unicodedata
from pathlib import Path

import pytest

from asr_scaling.dataset._manifest import ManifestEntry, read_manifest
from asr_scaling.errors import DataError

COMPOSED = unicodedata.normalize("NFC", "café")
TAKEN_APART = unicodedata.normalize("NFD", "café")


def read(root: Path, *names: str, audio_root: Path | None = None) -> list[ManifestEntry]:
    lines = [json.dumps({"audio": name, "text": "x"}) for name in names]
    (root / "manifest.jsonl").write_text("\n".join(lines))
    return read_manifest(root, audio_root)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "top" / "speech"
    (folder / "d").mkdir(parents=True)
    for name in ("a.wav", "d/b.wav"):
        (folder / name).write_bytes(b"x")
    (tmp_path / "way").symlink_to(folder)
    return folder


def test_every_way_to_a_file_inside(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in (
        "a.wav",
        "./a.wav",
        "d/../a.wav",
        "../speech/a.wav",
        f"{root}/a.wav",
        f"{root}/d/../a.wav",
        f"{tmp_path}/way/a.wav",
        f"{tmp_path}/top/../way/a.wav",
        "~/top/speech/a.wav",
        "~/way/a.wav",
    ):
        for folder in (root, tmp_path / "way"):
            (entry,) = read(folder, name)
            assert entry.id == "a", name
            assert os.path.samefile(entry.audio, root / "a.wav")


@pytest.mark.parametrize("audio_root", ["top/speech", "top", "way", "."])
@pytest.mark.parametrize("name", ["{}/a.wav", "a.wav", "../speech/d/b.wav"])
def test_audio_root_equal_to_the_folder_or_above_it(
    root: Path, tmp_path: Path, audio_root: str, name: str
):
    (entry,) = read(root, name.format(root), audio_root=tmp_path / audio_root)
    assert entry.audio.is_file()


@pytest.mark.parametrize("name", ["../o.wav", "{top}/o.wav", "link.wav"])
def test_the_remedy_for_a_file_outside_works(root: Path, name: str):
    (root.parent / "o.wav").write_bytes(b"x")
    (root / "link.wav").symlink_to("../o.wav")
    name = name.format(top=root.parent)
    with pytest.raises(DataError, match=r"leaves the folder .*dataset\.audio_root") as caught:
        read(root, name)
    proposed = Path(str(caught.value).rpartition(" as ")[2].removesuffix("."))
    (entry,) = read(root, name, audio_root=proposed)
    assert os.path.samefile(entry.audio, root.parent / "o.wav")


@pytest.mark.parametrize("written", [COMPOSED, TAKEN_APART])
@pytest.mark.parametrize("stored", [COMPOSED, TAKEN_APART])
@pytest.mark.parametrize("place", ["{}.wav", "{}/a.wav", "{}/{}.wav"])
def test_accents_in_either_form(root: Path, written: str, stored: str, place: str):
    path = root / place.format(stored, stored)
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"x")
    for name in (place.format(written, written), f"{root}/{place.format(written, written)}"):
        (entry,) = read(root, name)
        assert os.path.samefile(entry.audio, path)


def test_accents_of_the_folder_s_own_name(tmp_path: Path):
    root = tmp_path / TAKEN_APART
    root.mkdir()
    (root / "a.wav").write_bytes(b"x")
    (entry,) = read(root, f"{tmp_path}/{COMPOSED}/a.wav")
    assert entry.audio == root / "a.wav"


def test_the_exact_name_is_taken_where_both_are_there(root: Path):
    for name in (COMPOSED, TAKEN_APART):
        (root / f"{name}.wav").write_bytes(b"x")
        (entry,) = read(root, f"{name}.wav")
        assert entry.audio == root / f"{name}.wav"


def test_capitals_are_not_guessed_but_told(root: Path):
    with pytest.raises(DataError, match=r"no such file.*'a\.wav': names differ in upper and lower"):
        read(root, "A.WAV")


def test_no_form_of_a_name_leads_outside(root: Path):
    (root.parent / f"{TAKEN_APART}.wav").write_bytes(b"x")
    (root / "far").symlink_to(root.parent)
    for name in (f"../{COMPOSED}.wav", f"far/{COMPOSED}.wav", f"{root.parent}/{COMPOSED}.wav"):
        with pytest.raises(DataError, match="leaves the folder"):
            read(root, name)
