"""Others who measure on this machine: seen while they live, whenever they come,
and never once they are gone."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from support.fakes import FakeDevice, Recorder, make_job

from asr_scaling.core.record import Findings
from asr_scaling.machine import co_tenants
from asr_scaling.machine.co_tenants import FOLDER_VARIABLE, CoTenants, meeting_place
from asr_scaling.measure.job import run

HOLD = """
import sys
from asr_scaling.machine.co_tenants import CoTenants
held = CoTenants()
print("held", flush=True)
sys.stdin.read()
held.close()
"""


@contextmanager
def held(folder: Path, process: str = "7-other", told: bytes = b"{}") -> Iterator[Path]:
    """As another process holds its lock: flock tells open files apart, whoever opened them."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{process}.0"
    path.write_bytes(told)
    with path.open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield path


def seen(found: CoTenants) -> list[str]:
    return [caution.message for caution in found.cautions]


@dataclass
class Gpu(FakeDevice):
    log: list[str] = field(default_factory=list)

    def setup(self) -> dict[str, str]:
        return {"kind": "cuda", "uuid": "aaaa"}


def test_alone_there_is_nothing_to_say_and_nothing_left(tmp_path: Path):
    found = CoTenants(folder=tmp_path / "here")
    assert len(list((tmp_path / "here").iterdir())) == 1
    found.close()
    found.close()
    assert found.cautions == ()
    assert list((tmp_path / "here").iterdir()) == []
    assert (tmp_path / "here").stat().st_mode & 0o7777 == 0o1777  # users share it


def test_who_is_there_from_the_beginning(tmp_path: Path):
    with held(tmp_path):
        found = CoTenants(folder=tmp_path)
    found.close()
    assert seen(found) == ["Another process measured on this node at the same time."]
    assert found.cautions[0].kind == "SharedNode"
    assert "one job at a time per node" in found.cautions[0].advice


def test_who_comes_and_goes_between_two_calls_and_who_comes_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    now = 100.0
    monkeypatch.setattr(co_tenants.time, "monotonic", lambda: now)
    found = CoTenants(folder=tmp_path)
    with held(tmp_path, "1-a"):
        now += 0.4
        found.after(None)  # too soon to look again
    assert seen(found) == []
    with held(tmp_path, "1-a"):
        now += 0.2
        found.after(None)
    assert len(seen(found)) == 1
    with held(tmp_path, "2-b"), held(tmp_path, "1-a"):
        found.close()
    assert seen(found) == ["2 other processes measured on this node at the same time."]


def test_other_points_of_this_process_do_not_count(tmp_path: Path):
    first, second = CoTenants(folder=tmp_path), CoTenants(folder=tmp_path)
    first.begin()
    second.close()
    first.close()
    assert (first.cautions, second.cautions) == ((), ())


def test_a_killed_process_never_counts_and_its_file_goes(tmp_path: Path):
    env = {**os.environ, FOLDER_VARIABLE: str(tmp_path)}
    child = subprocess.Popen(
        [sys.executable, "-c", HOLD], env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"held\n"
        (folder,) = tmp_path.iterdir()
        alive = CoTenants(folder=folder)
        assert len(seen(alive)) == 1
        child.kill()
    assert len(list(folder.iterdir())) == 2
    found = CoTenants(folder=folder)
    assert seen(found) == []
    found.close()
    alive.close()
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(
    ("others", "said"),
    [
        (
            ["bbbb"],
            "Another process measured on this node at the same time, on another GPU: processor,",
        ),
        (
            ["bbbb", "cccc"],
            (
                "2 other processes measured on this node at the same time, each on another GPU: "
                "processor,"
            ),
        ),
        (["aaaa"], "Another process measured on this node at the same time, on the same GPU."),
        (
            ["aaaa", "bbbb"],
            "2 other processes measured on this node at the same time, 1 of them on the same GPU.",
        ),
        ([None], "Another process measured on this node at the same time."),
        ([None, "bbbb"], "2 other processes measured on this node at the same time."),
    ],
)
def test_on_a_gpu_it_matters_where_the_others_are(
    tmp_path: Path, others: list[str | None], said: str
):
    found = CoTenants("aaaa", tmp_path)
    for number, gpu in enumerate(others):
        with held(tmp_path, f"{number}-x", json.dumps({"gpu": gpu}).encode()):
            found.begin()
    assert seen(found)[0].startswith(said)
    assert ("What the GPU computes holds" in found.cautions[0].advice) == ("another GPU" in said)
    found.close()


@pytest.mark.parametrize("told", [b"", b"{", b"[1]", b'{"gpu": ["x"]}', b"[" * 4096])
def test_whatever_another_wrote_it_is_there(tmp_path: Path, told: bytes):
    with held(tmp_path, told=told):
        assert len(seen(CoTenants("aaaa", tmp_path))) == 1


def test_what_is_no_lock_holds_nothing_up(tmp_path: Path):
    os.mkfifo(tmp_path / "1-fifo.0")
    (tmp_path / "2-link.0").symlink_to(tmp_path / "1-fifo.0")
    (tmp_path / "3-folder.0").mkdir()
    (tmp_path / "readme").write_text("")
    found = CoTenants(folder=tmp_path)
    found.close()
    assert found.cautions == ()
    assert (tmp_path / "readme").exists()


def test_where_nothing_can_be_locked_nobody_is_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "file").write_text("")
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        found = CoTenants(folder=folder)
        found.close()
        assert found.cautions == ()
    (tmp_path / "link").symlink_to(tmp_path)
    CoTenants(folder=tmp_path / "link")
    assert {path.name for path in tmp_path.iterdir()} == {
        "file",
        "link",
    }  # no file where somebody's link leads
    monkeypatch.setattr(co_tenants, "fcntl", None)
    with held(tmp_path):
        assert CoTenants(folder=tmp_path).cautions == ()


def test_one_folder_a_machine_whatever_tmpdir_a_job_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.delenv(FOLDER_VARIABLE)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    assert meeting_place().parent == Path("/tmp")
    monkeypatch.setattr(co_tenants, "_BOOT", tmp_path / "none")
    monkeypatch.setattr(co_tenants.socket, "gethostname", lambda: "box")
    assert meeting_place() == Path("/tmp/asr_scaling-box")


def test_the_record_says_it_even_when_the_point_fails():
    def fail(_: object) -> Findings:
        raise RuntimeError("broken")

    with held(meeting_place()):
        good, bad = run(make_job()), run(make_job(profiler={"x": Recorder(then=fail)}))
    for record, status in ((good, "ok"), (bad, "failed")):
        assert record.status == status
        assert [caution.kind for caution in record.cautions].count("SharedNode") == 1
    assert "SharedNode" not in {caution.kind for caution in run(make_job()).cautions}


def test_who_comes_during_the_timed_pass_is_in_the_record(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(co_tenants, "_PERIOD_S", 0.0)
    with held(meeting_place()) as path:
        os.rename(path, path.with_name("hidden"))

        def arrive(_: object) -> None:
            if (hidden := path.with_name("hidden")).exists():
                hidden.rename(path)

        job = make_job()
        object.__setattr__(job.system.engine, "sleep", arrive)
        record = run(job)
        path.unlink()
    assert "SharedNode" in {caution.kind for caution in record.cautions}


def test_the_gpu_of_the_record_is_the_one_that_is_told():
    with held(meeting_place(), told=b'{"gpu": "aaaa"}'):
        (caution,) = (c for c in run(make_job(device=Gpu())).cautions if c.kind == "SharedNode")
    assert "on the same GPU" in caution.message
