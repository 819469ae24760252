"""Folders, files and archives made to harm:
one sentence, no waiting, and no more memory than was allowed."""

from __future__ import annotations

import gzip
import io
import json
import os
import signal
import struct
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from support.warm import run_warm

from asr_scaling.core.record import RECORD_FILE, RunRecord
from asr_scaling.dataset import _hub
from asr_scaling.dataset._audio import load_audio
from asr_scaling.dataset._manifest import read_manifest
from asr_scaling.dataset.folder import Folder
from asr_scaling.dataset.librispeech import LibriSpeech
from asr_scaling.errors import DataError
from asr_scaling.records.read import each_record
from asr_scaling.records.sweep_manifest import SWEEP_FILE, SweepManifest


@pytest.fixture(autouse=True)
def impatient():
    """Nothing here waits for what never comes."""

    def bark(*_):
        pytest.fail("it waits")

    before = signal.signal(signal.SIGALRM, bark)
    signal.alarm(60)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


def said(call, *words):
    with pytest.raises(DataError) as caught:
        call()
    message = str(caught.value)
    assert message.endswith(".")
    assert message.isprintable()
    for word in words:
        assert word in message
    return message


def listed(root: Path, *names: str) -> Path:
    root.mkdir(exist_ok=True)
    (root / "manifest.jsonl").write_text(
        "\n".join(json.dumps({"audio": name, "text": "x"}) for name in names)
    )
    return root


class TestPaths:
    @pytest.mark.parametrize(
        "name", ["../o.wav", "/o.wav", "d/../../o.wav", "..\\o.wav", "\\\\host\\o.wav"]
    )
    def test_outside(self, tmp_path: Path, name: str):
        (tmp_path / "o.wav").write_bytes(b"x")
        said(
            lambda: read_manifest(listed(tmp_path / "s", name)),
            "line 1",
            "leaves the folder",
            "dataset.audio_root",
        )

    def test_a_percent_is_a_percent(self, tmp_path: Path):
        root = listed(tmp_path, "%2e%2e/a.wav")
        said(lambda: read_manifest(root), "no such file")
        (root / "%2e%2e").mkdir()
        (root / "%2e%2e" / "a.wav").write_bytes(b"x")
        assert read_manifest(root)[0].audio == root / "%2e%2e" / "a.wav"

    def test_links(self, tmp_path: Path):
        (tmp_path / "o").mkdir()
        (tmp_path / "o" / "o.wav").write_bytes(b"x")
        root = listed(tmp_path / "s", "link.wav")
        (root / "link.wav").symlink_to(tmp_path / "o" / "o.wav")
        said(lambda: read_manifest(root), "link that leaves the folder", "dataset.audio_root")
        listed(root, "there/o.wav")
        (root / "there").symlink_to(tmp_path / "o")
        said(lambda: read_manifest(root), "link that leaves the folder")
        (root / "own.wav").write_bytes(b"x")
        (root / "in.wav").symlink_to("own.wav")
        (tmp_path / "way").symlink_to(root)
        assert len(read_manifest(listed(tmp_path / "way", "own.wav", "in.wav"))) == 2

    def test_audio_elsewhere_is_said_so(self, make_folder, tmp_path: Path):
        audio = make_folder([0.2])
        manifest = listed(tmp_path / "lists", "u0.wav")
        said(lambda: Folder(path=str(manifest)).load(None), "no such file")
        assert Folder(path=str(manifest), audio_root=str(audio)).load(None).info.utterances == 1
        listed(manifest, "../lists/manifest.jsonl")
        said(
            lambda: Folder(path=str(manifest), audio_root=str(audio)).load(None),
            "leaves the folder",
        )
        said(
            lambda: Folder(path=str(manifest), audio_root=str(audio / "u0.wav")).load(None),
            "dataset.audio_root",
        )

    def test_names_that_no_system_takes(self, tmp_path: Path):
        said(lambda: read_manifest(listed(tmp_path, "x" * 300)), "line 1", "can't be opened")
        said(lambda: read_manifest(listed(tmp_path, "a\x1b[2J.wav")), "line 1", "broken character")
        said(lambda: Folder(path="x" * 5000).load(None))
        said(lambda: Folder(path="~nobody-of-that-name/x").load(None), "not a folder")
        said(lambda: LibriSpeech(path="x" * 5000).load(None))


class TestNoFiles:
    def test_pipes_and_devices(self, tmp_path: Path):
        pipe = tmp_path / "pipe.wav"
        os.mkfifo(pipe)
        said(
            lambda: load_audio(pipe, "pipe.wav"), "'pipe.wav' can't be opened", "a pipe or a device"
        )
        said(lambda: load_audio("/dev/zero", "zero"), "a pipe or a device")
        said(lambda: load_audio("a\0b", "null"), "can't be opened")
        said(lambda: read_manifest(listed(tmp_path, "pipe.wav")), "pipe.wav", "a pipe or a device")

    def test_pipes_in_place_of_what_is_read(self, tmp_path: Path):
        (tmp_path / "1" / "2").mkdir(parents=True)
        for name in ("1/2/1-2.trans.txt", RECORD_FILE, SWEEP_FILE, "x.parquet"):
            os.mkfifo(tmp_path / name)
        for read in (
            lambda: read_manifest(tmp_path),
            lambda: RunRecord.read(tmp_path / RECORD_FILE),
            lambda: list(each_record(tmp_path)),
            lambda: SweepManifest.read(tmp_path),
            lambda: LibriSpeech(path=str(tmp_path)).load(None),
        ):
            said(read, "a pipe or a device")

    def test_a_folder_called_like_a_file(self, tmp_path: Path):
        (tmp_path / "x.wav").mkdir()
        said(
            lambda: load_audio(tmp_path / "x.wav", "x.wav"), "'x.wav' can't be opened", "directory"
        )
        said(lambda: read_manifest(listed(tmp_path, "x.wav")), "'x.wav' is a folder")

    @pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
    def test_a_file_that_may_not_be_read(self, make_folder):
        root = make_folder([0.2])
        (root / "u0.wav").chmod(0)
        said(lambda: Folder(path=str(root)).load(None), "u0.wav", "can't be opened")


class TestArchives:
    def test_are_not_unpacked(self, tmp_path: Path, tone, encoded):
        with zipfile.ZipFile(tmp_path / "speech.zip", "w") as file:
            file.writestr("manifest.jsonl", '{"audio": "a.wav", "text": "x"}')
        said(lambda: read_manifest(tmp_path), "no manifest (archives are not unpacked: speech.zip)")
        said(
            lambda: Folder(path=str(tmp_path / "speech.zip")).load(None), "is an archive; unpack it"
        )
        (tmp_path / "a.wav").write_bytes(gzip.compress(encoded(tone(0.1), container="WAV")))
        said(
            lambda: Folder(path=str(listed(tmp_path, "a.wav"))).load(None),
            "a.wav",
            "unknown format",
        )

    @pytest.mark.parametrize("name", ["x.parquet", "x.parquet.gz", "x.zip"])
    def test_are_no_parquet_whatever_they_are_called(self, librispeech, tmp_path: Path, name: str):
        inside = next(librispeech.iterdir())
        data = io.BytesIO()
        if name.endswith("gz"):
            data = io.BytesIO(gzip.compress(inside.read_bytes()))
        else:
            with tarfile.open(fileobj=data, mode="w") as file:
                file.add(inside, "test.parquet")
        (tmp_path / name).write_bytes(data.getvalue())
        said(
            lambda: LibriSpeech(path=str(tmp_path / name)).load(None),
            name,
            "archives are not unpacked",
        )

    def test_row_groups_that_unpack_to_too_much(self, librispeech, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr(_hub, "MAX_ROW_GROUP_BYTES", 1000)
        said(
            lambda: LibriSpeech(path=str(librispeech)).load(None),
            "row group",
            "fewer rows in a group",
        )


def test_audio_in_rows_is_bounded_too(librispeech):
    dataset = LibriSpeech(path=str(librispeech), max_utterance_s=0.1)
    said(lambda: dataset.load(None), "longer than 0.1 s", "dataset.max_utterance_s")


BOUNDED = """
import resource, sys
from asr_scaling.dataset._audio import load_audio
from asr_scaling.errors import DataError
from asr_scaling.records.read import each_record
from pathlib import Path
now = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (now + int(sys.argv[3]) * 2**20,) * 2)
try:
    if sys.argv[1] == "audio":
        print(load_audio(sys.argv[2], "it", 3600).size)
    else:
        print(len(list(each_record(Path(sys.argv[2])))))
except DataError as error:
    print(error)
"""


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="tells its memory by /proc")
class TestBombs:
    def under(self, kind: str, path: Path, mebibytes: int) -> str:
        """What comes of ``path`` in a process that may take so much more memory than it has
        after its imports."""
        command = [sys.executable, "-c", BOUNDED, kind, str(path), str(mebibytes)]
        env = os.environ | {
            "PYTHONPATH": str(Path(__file__).parents[2]),
            "OPENBLAS_NUM_THREADS": "1",
        }
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, env=env, timeout=60
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def test_the_limit_is_one(self, tmp_path: Path, encoded):
        """64 MiB would not do for all samples at once: 15 s of 8 channels at 384 kHz are 184 MB."""
        path = tmp_path / "bomb.flac"
        path.write_bytes(encoded(np.zeros((15 * 384_000, 8), np.int16), 384_000))
        assert path.stat().st_size < 200_000
        assert self.under("audio", path, 64) == str(15 * 16_000)

    def test_an_endless_wav(self, tmp_path: Path, encoded):
        path = tmp_path / "endless.wav"
        data = bytearray(encoded(np.zeros(100, np.int16), container="WAV"))
        data[4:8] = data[40:44] = struct.pack("<I", 0xFFFF_FFFF)
        path.write_bytes(data)
        os.truncate(path, 0xFFFF_FFFF)  # takes no space on disk
        assert "longer than 3600 s" in self.under("audio", path, 64)

    def test_a_record_that_unpacks_to_gigabytes(self, tmp_path: Path):
        path = tmp_path / "record.json.gz"
        path.write_bytes(gzip.compress(b"[" * 2**24) * 64)
        assert "more than 64 MiB in one record" in self.under("record", path, 300)


@pytest.mark.slow
def test_points_of_other_data_go_on(make_folder, tmp_path: Path):
    """One of two folders is damaged: its point fails with the sentence, the other is measured."""
    good = make_folder([0.3, 0.4])
    bad = make_folder([0.3, 0.4], tmp_path / "bad")
    (bad / "u1.wav").write_bytes(b"RIFF")
    options = [
        "engine=fake",
        "tracking=jsonl",
        "profiler=[latency]",
        "pipeline.utterances=2",
        "sweep.selftest=false",
    ]
    options += ["pipeline.min_iterations=3", "pipeline.precision=null", "pipeline.warmup_seconds=0"]
    done = run_warm(
        tmp_path, "asr_scaling", ["-m", *options, "dataset=folder", f"dataset.path={bad},{good}"]
    )
    assert done.returncode == 1
    lines = [json.loads(line) for line in (tmp_path / "records.jsonl").read_text().splitlines()]
    found = {line["config"]["dataset"]["path"]: (line["status"], line["reason"]) for line in lines}
    assert found[str(good)] == ("ok", None)
    status, reason = found[str(bad)]
    assert status == "failed"
    assert f"'{bad / 'u1.wav'}'" in reason
