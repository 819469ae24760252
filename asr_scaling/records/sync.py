"""Records on disk that a store lacks are brought to it, and sweeps that nobody ended are ended."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from asr_scaling.core.ports import RunStore
from asr_scaling.core.record import RECORD_FILE, RunRecord
from asr_scaling.errors import ConfigError, DataError, TrackingError
from asr_scaling.measure.keep import keep
from asr_scaling.records.merge import placed_points
from asr_scaling.records.sweep_end import close_sweep, last_status
from asr_scaling.records.sweep_lock import SweepLock
from asr_scaling.records.sweep_manifest import RUNNING, SWEEP_FILE, SweepManifest, mark_ended
from asr_scaling.tracking import as_tracked, store_at, store_of, untracked


@dataclass(frozen=True)
class SyncedSweep:
    """What was done for one sweep.

    line: what to say of it to the user.
    there: number of records that the store had.
    brought: number of records that were brought, or that are missing when nothing is changed.
    left_alone: the sweep may still run, or has no store.
    """

    line: str
    there: int = 0
    brought: int = 0
    left_alone: bool = False


_left = partial(SyncedSweep, left_alone=True)


@dataclass
class Sync:
    """Brings sweeps to their stores.

    uri: address of a store, if another than each sweep's own.
    gone: name of a machine whose sweeps don't run any more.
    dry_run: count what is missing and change nothing.
    """

    uri: str | None = None
    gone: str | None = None
    dry_run: bool = False
    _away: set[str] = field(default_factory=set, init=False)

    def bring(self, folder: Path) -> SyncedSweep:
        """Bring the sweep in ``folder``.

        Raises TrackingError when the store fails; it is not asked again for other sweeps. Raises
        DataError for a damaged sweep.json.
        """
        manifest = SweepManifest.read(folder)
        assert manifest is not None
        store = store_of(manifest.tracking, self.uri) or (store_at(self.uri) if self.uri else None)
        if store is None:
            return _left("not tracked in MLflow; --tracking-uri names a store to bring it to")
        if store.uri in self._away:
            raise TrackingError("not asked again, its store does not answer.")
        lock = SweepLock.take(folder)
        if lock is None:
            return _left("is being worked on by another process: left alone")
        try:
            if not self._has_ended(manifest, lock):
                host = manifest.host
                return _left(f"may still run on {host}: left alone; --gone {host} says it doesn't")
            return _bring(folder, manifest, store, self.dry_run)
        except TrackingError:
            self._away.add(store.uri)
            raise
        finally:
            lock.release()

    def _has_ended(self, manifest: SweepManifest, lock: SweepLock) -> bool:
        client_gone = (lock.sure and manifest.here) or manifest.host == self.gone
        return manifest.status != RUNNING or client_gone


def sweeps_below(folders: Sequence[str]) -> Iterator[Path]:
    """Folders of sweeps. Raises ConfigError where there is none."""
    for name in folders:
        manifests = sorted(Path(name).rglob(SWEEP_FILE))
        if not manifests:
            raise ConfigError(
                f"There is no {SWEEP_FILE} below '{name}': name the folder of a sweep, or one "
                "above."
            )
        yield from (path.parent for path in manifests)


def _bring(folder: Path, manifest: SweepManifest, store: RunStore, dry_run: bool) -> SyncedSweep:
    records, damaged = _records(folder)
    unreadable = f", {damaged} can't be read" if damaged else ""
    stored = store.stored(manifest.parent or manifest.sweep_id, manifest.sweep_id)
    runs = stored.runs if stored else {}
    missing = sum(store.key(record, place) not in runs for place, record in records)
    there, of_all = len(records) - missing, f"{missing} of {len(records)} records"
    if dry_run:
        return SyncedSweep(f"{of_all} missing{unreadable}", there, missing)
    complete = stored is not None and stored.complete
    if missing or not complete or any(untracked(record) for _, record in records):
        status = last_status(manifest)
        mark_ended(folder, status, closed=False)
        name = f"{folder.parent.name} {folder.name}"
        options = {**manifest.options, "sweep_id": manifest.sweep_id}
        parent = store.open(name, options, manifest.parent or manifest.sweep_id)
        for place, record in records:
            _keep(record, place, store, parent, runs.get(store.key(record, place)))
        store.end(parent, manifest.sweep_id, status)  # runs of points that left no record here
        close_sweep(store, folder, parent, status)
    elif not manifest.closed:
        mark_ended(folder, last_status(manifest), closed=True)
    line = f"{of_all} brought" if missing else f"all {len(records)} records were there"
    return SyncedSweep(f"{line}{unreadable}", there, missing)


def _keep(
    record: RunRecord, folder: Path, store: RunStore, parent: str, run_id: str | None
) -> None:
    """Bring a record, unless the run ``run_id`` has it; on disk its caution "NotTracked" goes.

    Raises TrackingError when the store fails; then the caution stays.
    """
    store.remember(record, folder, parent, run_id)
    if run_id is None or untracked(record):
        folder.mkdir(parents=True, exist_ok=True)  # of rounds that a cut sweep didn't merge
        kept = keep(as_tracked(record), folder, store, parent)
        if untracked(kept):
            raise TrackingError(kept.cautions[-1].message)


def _records(folder: Path) -> tuple[list[tuple[Path, RunRecord]], int]:
    """The records of points with their folders, rounds merged, and how many can't be read."""
    files, damaged = [], 0
    for path in sorted(folder.rglob(RECORD_FILE)):
        try:
            files.append((path, RunRecord.read(path)))
        except DataError:
            damaged += 1
    return placed_points(files), damaged
