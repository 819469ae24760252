"""How rounds are spread over processes when a sweep goes on: those that ended share one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from asr_scaling.core.record import RECORD_FILE, RunRecord, Status
from asr_scaling.launchers.work import Work
from asr_scaling.sweep import launch as launching
from asr_scaling.sweep.launch import launch
from asr_scaling.sweep.sweep_progress import SweepProgress
from asr_scaling.sweep.sweep_run import SweepRun


class Processes:
    """A cluster that writes down what each of its processes was given.

    measured: names of works that are measured; records of the others hold.
    interrupts: name of the work in which the user presses Ctrl-C.
    """

    def __init__(self, measured: Sequence[str] = (), interrupts: str = "") -> None:
        self.measured, self.interrupts = measured, interrupts
        self.found: list[list[str]] = []

    def run(self, works: Sequence[Work]) -> Iterator[tuple[Work, str | None]]:
        self.found.append([])
        for work in works:
            self.found[-1].append(work.name)
            if work.name == self.interrupts:
                raise KeyboardInterrupt
            if work.name in self.measured:
                written(work, started_at=2.0)
            yield work, None


def written(work: Work, started_at: float = 1.0, status: Status = "ok") -> None:
    record = RunRecord(work.name, "ok", dict(work.options), {}, started_at=started_at)
    replace(record, status=status).write(work.folder)


def work(folder: Path, k: int, resumed: bool = True) -> Work:
    options = {"sweep": {"processes": 5, "round": k}}
    place = folder / str(k)
    place.mkdir()
    return Work(str(k), place, folder, options, lambda: None, resumed, folder)


def carried_out(
    works: Sequence[Work], cluster: Processes, monkeypatch: pytest.MonkeyPatch
) -> list[list[str]]:
    """What each process was given."""
    module = SimpleNamespace(Joblib=lambda **_: cluster)
    monkeypatch.setattr(launching, "import_module", lambda _: module)
    launch(SweepRun(), "joblib", {}, works)
    return cluster.found


@pytest.fixture
def works(tmp_path: Path) -> list[Work]:
    """Five rounds, of which the first four have a record."""
    made = [work(tmp_path, k) for k in range(5)]
    for each in made[:4]:
        written(each)
    return made


def test_records_that_hold_take_one_process_in_all(
    works: list[Work], monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster = Processes(measured=["4"])
    assert carried_out(works, cluster, monkeypatch) == [["0", "1", "2", "3"], ["4"]]
    assert [RunRecord.read(w.folder / RECORD_FILE).started_at for w in works] == [1, 1, 1, 1, 2]


def test_behind_one_that_is_measured_again_there_is_a_new_process(
    works: list[Work], monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster = Processes(measured=["0", "2", "4"])
    assert carried_out(works, cluster, monkeypatch) == [["0"], ["1", "2"], ["3"], ["4"]]


def test_what_did_not_end_has_a_process_of_its_own(
    works: list[Work], monkeypatch: pytest.MonkeyPatch
) -> None:
    written(works[1], status="interrupted")
    cluster = Processes(measured=["1", "4"])
    assert carried_out(works, cluster, monkeypatch) == [["0"], ["1"], ["2", "3"], ["4"]]


def test_a_sweep_that_is_new_has_a_process_for_each(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    new = [work(tmp_path, k, resumed=False) for k in range(3)]
    for each in new:
        written(each)
    cluster = Processes(measured=["0", "1", "2"])
    assert carried_out(new, cluster, monkeypatch) == [["0"], ["1"], ["2"]]


def test_ctrl_c_keeps_every_record(works: list[Work], monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr(SweepProgress, "say", lambda _, line: said.append(line))
    cluster = Processes(interrupts="1")
    with pytest.raises(KeyboardInterrupt):
        carried_out(works, cluster, monkeypatch)
    assert cluster.found == [["0", "1"]]
    kept = [RunRecord.read(w.folder / RECORD_FILE) for w in works[:4]]
    assert [(record.status, record.started_at) for record in kept] == 4 * [("ok", 1.0)]
    assert not (works[4].folder / RECORD_FILE).exists()
    assert said == [
        "1: cancelled by the user before it ended; its earlier record is kept, unchecked."
    ]
