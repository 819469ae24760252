"""Folder and Demo through their public face:
what a limit takes, what is recorded, how the cache behaves."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from asr_scaling.dataset.demo import Demo
from asr_scaling.dataset.folder import Folder
from asr_scaling.errors import ConfigError, DataError

LJSPEECH = Path(__file__).parents[2].parent / "shared" / "data" / "ljspeech"
DEMO = Path(__file__).parents[2] / "asr_scaling" / "dataset" / "demo_data" / "manifest.jsonl"


def contents(workload):
    return [(u.id, u.reference, u.speaker, u.parts, u.audio.tobytes()) for u in workload.utterances]


def test_natural_lengths_in_the_manifest_s_order(make_folder):
    durations = [0.5, 1.0, 0.25]
    root = make_folder(durations)
    workload = Folder(path=str(root), licence="CC0").load(None)
    assert [u.duration_s for u in workload.utterances] == durations
    assert [u.reference for u in workload.utterances] == ["words of 0", "words of 1", "words of 2"]
    info = workload.info
    assert (info.name, info.source, info.licence) == (root.name, str(root), "CC0")
    assert (info.utterances, info.audio_s, info.available) == (3, 1.75, 3)
    assert (info.synthetic, info.cached, info.length_s, info.silence_s) == (False, False, None, 0.0)
    assert info.decode_s > 0


def test_a_limit_takes_a_seeded_sample_not_the_first_ones(make_folder):
    root = make_folder([0.1 + i / 100 for i in range(30)])
    samples = {
        seed: [u.id for u in Folder(path=str(root), seed=seed).load(5).utterances]
        for seed in range(4)
    }
    assert len({tuple(ids) for ids in samples.values()}) == 4
    assert all(ids == sorted(ids, key=lambda i: int(i[1:])) for ids in samples.values())
    again = [u.id for u in Folder(path=str(root), seed=3).load(5).utterances]
    assert again == samples[3]
    assert set(again) < {u.id for u in Folder(path=str(root), seed=3).load(9).utterances}
    assert Folder(path=str(root)).load(5).info.available == 30
    assert Folder(path=str(root)).load(99).info.utterances == 30


def test_the_digest_covers_ids_references_and_samples(make_folder):
    root = make_folder([0.3, 0.4])
    before = Folder(path=str(root)).load(None)
    expected = hashlib.sha256()
    for u in before.utterances:
        for data in (u.id.encode(), u.reference.encode(), u.audio.tobytes()):
            expected.update(len(data).to_bytes(8, "little") + data)
    assert before.info.digest == expected.hexdigest()
    manifest = root / "manifest.jsonl"
    manifest.write_text(manifest.read_text().replace("words of 1", "Words of 1"))
    assert Folder(path=str(root)).load(None).info.digest != before.info.digest


def test_the_files_it_reads_are_the_manifest_and_what_that_names(make_folder, tmp_path):
    root = make_folder([0.3, 0.4])
    (root / "notes.txt").write_text("none of its business")
    names = {path.name for path in Folder(path=str(root)).files()}
    assert names == {"manifest.jsonl", "u0.wav", "u1.wav"}
    (tmp_path / "lists").mkdir()
    shutil.copy(root / "manifest.jsonl", tmp_path / "lists" / "some.jsonl")
    listed = Folder(path=str(tmp_path / "lists"), manifest="some.jsonl", audio_root=str(root))
    assert {path.name for path in listed.files()} == {"some.jsonl", "u0.wav", "u1.wav"}


def test_options_that_can_t_work():
    with pytest.raises(ConfigError, match=r"set dataset\.path="):
        Folder()
    with pytest.raises(ConfigError, match=r"dataset\.length_s"):
        Folder(path="x", length_s=0)
    with pytest.raises(ConfigError, match=r"dataset\.condition"):
        Demo(condition="loud")
    folder = Folder(path="/nowhere/at/all")  # nothing is touched until load
    with pytest.raises(DataError, match="not a folder"):
        folder.load(None)
    for limit in (0, -1, 1.5, True):
        with pytest.raises(ConfigError, match="limit"):
            folder.load(limit)


def test_a_broken_file_is_named(make_folder):
    root = make_folder([0.3, 0.4])
    (root / "u1.wav").write_bytes(b"")
    with pytest.raises(DataError, match=r"u1\.wav' is empty"):
        Folder(path=str(root)).load(None)


def entry(cache: Path) -> Path:
    (folder,) = cache.iterdir()
    return folder


def test_fragments_come_back_from_the_cache_bit_by_bit(make_folder, cache):
    root = make_folder([0.4, 0.7, 1.1, 0.9, 5.5, 0.3])
    fresh = Folder(path=str(root), length_s=2).load(None)
    stored = Folder(path=str(root), length_s=2).load(None)
    assert (fresh.info.cached, stored.info.cached) == (False, True)
    assert contents(fresh) == contents(stored)
    for name in (
        "digest",
        "utterances",
        "audio_s",
        "left_out",
        "available",
        "silence_s",
        "length_s",
    ):
        assert getattr(fresh.info, name) == getattr(stored.info, name)
    assert fresh.info.left_out["longer than 2 s"] == 1
    assert fresh.info.silence_s > 0
    assert all(u.audio.size == 32_000 and not u.audio.flags.writeable for u in stored.utterances)
    assert not [path for path in cache.iterdir() if path.name.startswith(".")]


def test_whatever_shapes_fragments_makes_a_new_entry(make_folder, tmp_path, cache):
    root = make_folder([0.4, 0.7, 1.1, 0.9, 0.3])
    options = [{}, {"seed": 1}, {"length_s": 3}, {"silence_s": 0.3}, {"name": "other"}]
    for number, option in enumerate(options, start=1):
        assert not Folder(**({"path": str(root), "length_s": 2} | option)).load(None).info.cached
        assert len(list(cache.iterdir())) == number
    assert not Folder(path=str(root), length_s=2).load(1).info.cached
    moved = tmp_path / "moved"
    shutil.copytree(root, moved)
    assert Folder(path=str(moved), length_s=2).load(None).info.cached, "contents count, not places"
    shutil.copy(moved / "u0.wav", moved / "u1.wav")
    assert not Folder(path=str(moved), length_s=2).load(None).info.cached


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize(
    "damage",
    [
        lambda e: flip(e / "00000.npy"),
        lambda e: flip(e / "index.json"),
        lambda e: (e / "00001.npy").unlink(),
        lambda e: (e / "index.json").unlink(),
        lambda e: (e / "index.json").write_text("[]"),
        lambda e: (e / "index.json").write_text(""),
        lambda e: (e / "00000.npy").write_bytes((e / "00000.npy").read_bytes()[:-8]),
        lambda e: (e / "index.json").write_text(
            (e / "index.json").read_text().replace("words of", "worse of")
        ),
        lambda e: (shutil.rmtree(e), e.write_text("a file where a folder should be")),
    ],
)
def test_a_damaged_entry_is_made_again(make_folder, cache, damage):
    folder = Folder(path=str(make_folder([0.8, 0.9, 1.2, 1.1])), length_s=2)
    fresh = folder.load(None)
    damage(entry(cache))
    again = folder.load(None)
    assert not again.info.cached
    assert contents(again) == contents(fresh)
    assert folder.load(None).info.cached
    entry(cache)  # and nothing else is left lying there


def test_a_pickle_in_the_cache_is_never_run(make_folder, cache):
    folder = Folder(path=str(make_folder([0.8, 0.9])), length_s=2)
    folder.load(None)
    target = entry(cache)
    np.save(target / "00000.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    index = json.loads((target / "index.json").read_text())
    index["body"]["fragments"][0]["sha256"] = hashlib.sha256(
        (target / "00000.npy").read_bytes()
    ).hexdigest()
    body = json.dumps(index["body"], sort_keys=True, separators=(",", ":")).encode()
    index["sha256"] = hashlib.sha256(body).hexdigest()
    (target / "index.json").write_text(json.dumps(index))
    assert not folder.load(None).info.cached


def test_a_cache_that_can_t_be_written_is_no_error(make_folder, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("ASR_SCALING_CACHE", str(tmp_path / "file"))
    assert Folder(path=str(make_folder([0.5])), length_s=1).load(None).info.utterances == 1


def test_a_crash_while_writing_leaves_no_entry(make_folder, cache, monkeypatch):
    folder = Folder(path=str(make_folder([0.5, 0.6, 0.7])), length_s=1)

    def crash(*_args, **_kwargs):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(np, "save", crash)
        with pytest.raises(KeyboardInterrupt):
            folder.load(None)
    assert list(cache.iterdir()) == []
    assert not folder.load(None).info.cached
    assert folder.load(None).info.cached


def test_processes_at_the_same_time_agree(make_folder, cache):
    root = make_folder([0.3 + i / 50 for i in range(40)])
    code = (
        "from asr_scaling.dataset.folder import Folder;"
        f"print(Folder(path={str(root)!r}, length_s=2).load(None).info.digest)"
    )
    env = os.environ | {
        "PYTHONPATH": str(Path(__file__).parents[2]),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    jobs = [
        subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, env=env)
        for _ in range(3)
    ]
    digests = {job.communicate(timeout=120)[0] for job in jobs}
    assert {job.returncode for job in jobs} == {0}
    assert len(digests) == 1
    workload = Folder(path=str(root), length_s=2).load(None)
    assert workload.info.cached
    assert workload.info.digest == digests.pop().strip()
    entry(cache)


@pytest.mark.skipif(
    not LJSPEECH.is_dir(), reason="the real speech in ../shared/data/ljspeech is not here"
)
def test_real_speech():
    workload = Folder(path=str(LJSPEECH), name="ljspeech", licence="public domain").load(None)
    assert workload.info.utterances == 31
    assert workload.info.audio_s == pytest.approx(214, abs=1)
    fragments = Folder(path=str(LJSPEECH), length_s=30).load(None)
    assert all(u.audio.size == 480_000 for u in fragments.utterances)
    references = {u.id: u.reference for u in workload.utterances}
    for u in fragments.utterances:
        assert u.reference == " ".join(references[part] for part in u.parts)
    assert fragments.info.silence_s / fragments.info.audio_s < 0.15


@pytest.mark.skipif(not DEMO.is_file(), reason="the demo speech has not been made yet")
def test_the_demo_and_its_conditions():
    counts = {
        condition: Demo(condition=condition).load(None).info.utterances
        for condition in ("clean", "noisy")
    }
    info = Demo().load(None).info
    assert info.utterances == sum(counts.values())
    assert min(counts.values()) > 0
    assert info.synthetic
    assert info.licence
    assert Demo().load(3).info.digest == Demo().load(3).info.digest
    assert len(Demo(length_s=5).load(4).utterances) == 4


def test_a_demo_without_its_speech(tmp_path, monkeypatch):
    monkeypatch.setattr("asr_scaling.dataset._demo_speech.__file__", str(tmp_path / "demo.py"))
    with pytest.raises(DataError, match="install asr-scaling again"):
        Demo().load(None)


def test_a_demo_condition_that_has_nothing(make_folder, tmp_path, monkeypatch):
    make_folder([0.2], tmp_path / "demo_data")
    monkeypatch.setattr("asr_scaling.dataset._demo_speech.__file__", str(tmp_path / "demo.py"))
    assert Demo(condition="clean").load(None).info.utterances == 1
    with pytest.raises(DataError, match=r"use dataset\.condition=all"):
        Demo(condition="noisy").load(None)
