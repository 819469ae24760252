"""The sweep that this process takes part in: its store, display, certificate and end."""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from asr_scaling.core.ports import RunStore, Sink
from asr_scaling.core.record import RECORD_FILE, RunRecord
from asr_scaling.core.search_stage import search_stage
from asr_scaling.errors import AsrScalingError, ConfigError, TrackingError
from asr_scaling.measure.model_cache import ModelCache
from asr_scaling.records.read import Damaged, readable_records
from asr_scaling.records.sweep_end import close_sweep, end_abandoned
from asr_scaling.records.sweep_lock import SweepLock
from asr_scaling.records.sweep_manifest import SWEEP_FILE, SweepManifest
from asr_scaling.selftest import certificate as selftest
from asr_scaling.sweep.places import ELSEWHERE, check_free
from asr_scaling.sweep.plan import PlannedPoint
from asr_scaling.sweep.point_names import Swept
from asr_scaling.sweep.precision import Planner
from asr_scaling.sweep.rounds import merge_rounds
from asr_scaling.sweep.sweep_progress import SweepProgress
from asr_scaling.tracking import as_tracked, untracked
from asr_scaling.util.cache import alone, write_atomic

SWEEPS = Path("multirun")
"""Where sweeps are, unless the options say otherwise."""
ENDED = ("ok", "out_of_memory")
"""Final statuses: a sweep that is resumed skips points that ended so."""
_SEARCHING = ("search", "semifinal", "ceiling", "alone", "together")
"""Stages of a search in which a candidate may fail; the last two are of earlier versions."""
_NODE = "certificate-"
"""Begins the name of the certificate of a machine other than the one the sweep was started on."""


@dataclass
class SweepRun:
    """A sweep, in the process that began it or in one that measures its points.

    folder: of the sweep; None in a process that only measures.
    sink: where records go; None where nothing is tracked, and in a process that only measures.
    parent: the sink's token of the sweep.
    certificate: summary of what the self-test said of this machine.
    plan: what Hydra launches, in order; empty for a single run.
    planner: decides on further rounds; None where each point has one process.
    report: whether the report is written when the sweep ends.
    failed: whether anything went wrong: a point, the store or the report.
    remarks: what the self-test would have the user know.
    models: where a loaded model waits for the next point.
    varied: what the sweep varies, for the names of its points.
    """

    folder: Path | None = None
    sink: Sink | None = None
    parent: str | None = None
    certificate: Mapping[str, Any] | None = None
    display: SweepProgress = field(default_factory=SweepProgress)
    plan: tuple[PlannedPoint, ...] = ()
    planner: Planner | None = None
    report: bool = False
    failed: bool = False
    remarks: Sequence[str] = ()
    models: ModelCache = field(default_factory=ModelCache)
    varied: Swept = field(default_factory=dict)
    _lock: SweepLock | None = None
    _names: dict[str, str] = field(default_factory=dict)

    def begin(self, folder: Path, manifest: SweepManifest, earlier: SweepManifest | None) -> None:
        """Begin the sweep of ``manifest`` in the store, or go on with an ``earlier`` one.

        The folder is locked from here on, and has its file before the store has a run.
        Raises ConfigError when another process works in the folder, TrackingError when the store
        does not answer.
        """
        self._lock = SweepLock.take(folder)
        if self._lock is None:
            raise ConfigError(
                f"The sweep in {folder} is being worked on by another process: wait for it, or "
                f"{ELSEWHERE}."
            )
        if earlier is None:
            check_free(folder)
        if earlier is not None:
            manifest = replace(manifest, sweep_id=earlier.sweep_id, parent=earlier.parent)
        manifest.write(folder)
        if self.sink is not None:
            token = (earlier.parent or earlier.sweep_id) if earlier else None
            try:
                options = {**manifest.options, "sweep_id": manifest.sweep_id}
                self.parent = self.sink.open(f"{folder.parent.name} {folder.name}", options, token)
            except AsrScalingError:
                if earlier is None:
                    (folder / SWEEP_FILE).unlink(missing_ok=True)  # nothing to go on with
                raise
            replace(manifest, parent=self.parent).write(folder)
            with suppress(TrackingError):  # the next sweep tries again
                end_abandoned(SWEEPS, self.sink, manifest.tracking)
        self.folder = folder

    def claim(self, folder: Path, name: str) -> None:
        """Note that the point ``name`` is measured in ``folder``.

        Raises ConfigError when another point of this sweep was, which this one would overwrite.
        """
        place = os.path.realpath(folder)
        if place in self._names:
            raise ConfigError(
                f"Two points would have one folder, {folder} ({self._names[place]}; {name}): have "
                "hydra.sweep.subdir tell them apart, or leave it out."
            )
        self._names[place] = name

    def certify(self, folder: Path, file: str = selftest.FILE) -> None:
        """Have this machine's certificate, at most a day old, and store it with the sweep."""
        signed = selftest.obtain(self.display.say)
        write_atomic(folder / file, selftest.to_bytes(signed))
        self.remarks = selftest.remarks(signed)
        self.certificate = selftest.summary(signed)

    def certify_node(self, folder: Path) -> None:
        """The same on another machine, of whose processes one tests at a time."""
        host = socket.gethostname()
        with alone("selftest", host):
            self.certify(folder, f"{_NODE}{host}.json")

    def measured_before(self, folder: Path, fingerprint: str) -> RunRecord | None:
        """The record that an earlier run of the sweep left of this point, if it still holds."""
        path = folder / RECORD_FILE
        if not path.exists():
            return None
        try:
            record = RunRecord.read(path)
        except AsrScalingError as error:
            self.display.say(f"{folder.name} is measured again: {error}")
            return None
        holds = record.identity == fingerprint and record.status in ENDED
        return as_tracked(record) if holds else None

    def further(self) -> tuple[PlannedPoint, ...]:
        """The jobs of one more round, once those of the plan are done; none where all is known."""
        if self.planner is None or self.folder is None:
            return ()
        jobs = self.planner.further(self.folder, self.planner.done(self.plan))
        self.plan += jobs
        self.display.more([job.weight for job in jobs])
        return jobs

    def goes_on(self) -> bool:
        """Whether the sweep goes on after Ctrl-C.

        It ends after a second one within two seconds, and after its last point.
        """
        if self.display.total - self.display.done <= 1:
            return False
        self.display.say(
            "Interrupted this point; the sweep goes on. Press Ctrl-C again within 2 s to end it."
        )
        try:
            time.sleep(2)
        except KeyboardInterrupt:
            return False
        return True

    def finish(self, status: str) -> None:
        """Show table and answer, write the report, end the store's run. Nothing a second time."""
        self.models.clear()
        folder, self.folder = self.folder, None
        if folder is None:
            return
        self.display.close()
        self._take_in_nodes(folder)
        hints = list[str]()
        title = self._title(folder, hints)
        damaged: Damaged = []
        records = readable_records(folder, damaged)
        tracked = not any(map(untracked, records))
        self.failed |= bool(damaged) or not tracked or any(map(_failed, records))
        hints += [f"Records: {folder}", *(f"Left out: {error}" for error in damaged)]
        hints += [*self._conclude(folder), *self._close_store(folder, status, tracked)]
        if self._lock is not None:
            self._lock.release()
        self.display.results(records, f"{len(records)} {title}", hints, self.remarks)

    def _title(self, folder: Path, hints: list[str]) -> str:
        """How many points there are; those measured in rounds are made whole first.

        What goes wrong with that is added to ``hints``.
        """
        if self.planner is None:
            return f"of {self.display.total} points"
        try:
            merge_rounds(folder, self.sink, self.parent)
        except (AsrScalingError, OSError) as error:
            self.failed = True
            hints.append(str(error))
        self.remarks = (*self.remarks, *self.planner.sentences(folder))
        return self.planner.title(self.plan)

    def _conclude(self, folder: Path) -> list[str]:
        """The answer of the sweep, and where its report is."""
        from asr_scaling.sweep.answer import conclude

        lines, well = conclude(folder, self.report)
        self.failed |= not well
        return lines

    def _take_in_nodes(self, folder: Path) -> None:
        """Add the remarks of the certificates that other machines left in ``folder``."""
        for path in sorted(folder.glob(f"{_NODE}*.json")):
            host = path.stem.removeprefix(_NODE)
            remarks = selftest.remarks(json.loads(path.read_bytes()))
            self.remarks = (*self.remarks, *(f"{host}: {remark}" for remark in remarks))

    def _close_store(self, folder: Path, status: str, tracked: bool) -> list[str]:
        """End the sweep in the store; returns where to look at it, or how to complete it.

        tracked: whether the store has every point.
        """
        if self.sink is None or self.parent is None:
            return []
        try:
            close_sweep(self.sink, folder, self.parent, status)
            hints = [self.sink.hint]
        except (AsrScalingError, OSError) as error:
            self.failed, tracked = True, False
            hints = [str(error)]
        if not tracked and isinstance(self.sink, RunStore):
            hints.append(
                f"What MLflow lacks is brought to it by  python -m asr_scaling sync {folder}"
            )
        elif not tracked:
            hints.append("What the file lacks is written by the same command, sweep.resume=true")
        return hints


_latest = [SweepRun()]
"""The one sweep of this process."""


def current() -> SweepRun:
    """The sweep of this process; a bare one before ``begun`` was told of any.

    Hydra creates the callback, the sweeper and the launcher by itself and calls the task with
    options alone: this is how they find it.
    """
    return _latest[0]


def begun(run: SweepRun) -> None:
    """``run`` is this process's sweep from here on."""
    _latest[0] = run


def _failed(record: RunRecord) -> bool:
    """Whether the sweep failed with this point.

    A candidate of a search that can't run is an answer, and the search's report says so.
    """
    searched = search_stage(record.config) in _SEARCHING
    return record.status == "interrupted" or (record.status != "ok" and not searched)
