"""The command ``python -m asr_scaling sync``: records on disk that MLflow lacks are brought to it; what nobody ended is
ended."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from asr_scaling.cli.arguments import Parser
from asr_scaling.core.record import RECORD_FILE, RunRecord
from asr_scaling.errors import AsrScalingError, ConfigError, DataError, TrackingError
from asr_scaling.measure.job import keep
from asr_scaling.records.abandoned import last_status
from asr_scaling.records.sweep_lock import Hold
from asr_scaling.records.sweep_manifest import RUNNING, SWEEP_FILE, SweepFile, ended
from asr_scaling.sweep.sweep_run import SWEEPS, closing_files
from asr_scaling.tracking._marker import forget, remember, times, untracked
from asr_scaling.tracking._tags import place
from asr_scaling.tracking.mlflow import Mlflow, Stored

_ABOUT = """\
Brings to MLflow every record below the folders that it lacks, under its sweep's run, with artifacts, report and trace.
Sweeps whose client was killed are ended there. What MLflow has is left as it is, so doing this twice changes nothing.
A sweep that is still running, or whose client ran on another machine and did not end, is left alone."""
_EXITS = "Exit status: 0; 1 when something could not be brought, as when the server is away."


@dataclass(frozen=True)
class Done:
    """``line``: what to say of a sweep. ``there``, ``brought``: records. ``alone``: the sweep was left alone."""

    line: str
    there: int = 0
    brought: int = 0
    alone: bool = False


def main(arguments: Sequence[str] | None = None) -> int:
    """Bring what is missing, a line a sweep, and return the exit status."""
    try:
        return _sync(parser().parse_args(arguments))
    except AsrScalingError as error:
        sys.stderr.write(f"error: {error}\n")
        return 1


def _sync(options: argparse.Namespace) -> int:
    folders = list(_sweeps(options.folders))
    away, done = dict[str, str](), list[Done]()
    for folder in folders:
        try:
            found = _one(folder, options, away)
        except AsrScalingError as error:
            away.setdefault(str(folder), str(error))
            sys.stderr.write(f"error: {folder}: {error}\n")
            continue
        done.append(found)
        sys.stdout.write(f"{folder}: {found.line}\n")
    brought, there = sum(one.brought for one in done), sum(one.there for one in done)
    alone = sum(one.alone for one in done)
    said = f"{len(folders)} sweeps: {there} records were there, {brought} {'missing' if options.dry_run else 'brought'}"
    sys.stdout.write(f"{said}{f', {alone} sweeps left alone' if alone else ''}.\n")
    return 1 if away else 0


def _sweeps(folders: Sequence[str]) -> Iterator[Path]:
    for name in folders:
        found = sorted(path.parent for path in Path(name).rglob(SWEEP_FILE))
        if not found:
            raise ConfigError(
                f"There is no {SWEEP_FILE} below '{name}': name the folder of a sweep, or one above."
            )
        yield from found


def _one(folder: Path, options: argparse.Namespace, away: dict[str, str]) -> Done:
    """``away``: addresses of stores that did not answer, which are not asked again."""
    file = SweepFile.read(folder)
    assert file is not None
    given = file.store
    if given is None and options.tracking_uri is None:
        return Done(
            "not tracked in MLflow; --tracking-uri names a store to bring it to", alone=True
        )
    store = Mlflow(
        **{**(given or {}), **({"uri": options.tracking_uri} if options.tracking_uri else {})}
    )
    if store.uri in away:
        raise TrackingError("not asked again, its store does not answer.")
    hold = Hold.take(folder)
    if hold is None:
        return Done("is being worked on by another process: left alone", alone=True)
    try:
        gone = file.status != RUNNING or (hold.sure and file.here) or file.host == options.gone
        if not gone:
            return Done(
                f"may still run on {file.host}: left alone; --gone {file.host} says it doesn't",
                alone=True,
            )
        return _bring(folder, file, store, options.dry_run)
    except TrackingError as error:
        away[store.uri] = str(error)
        raise
    finally:
        hold.release()


def _bring(folder: Path, file: SweepFile, store: Mlflow, dry_run: bool) -> Done:
    found, damaged = _records(folder)
    bad = f", {damaged} can't be read" if damaged else ""
    known = store.stored(file.parent or file.sweep_id, file.sweep_id)
    have = {run.key: run.run_id for run in known.runs} if known else {}
    missing = [each for each in found if _key(*each) not in have]
    there = len(found) - len(missing)
    if dry_run:
        return Done(f"{len(missing)} of {len(found)} records missing{bad}", there, len(missing))
    status = last_status(file)
    if missing or any(untracked(record) for _, record in found) or not _whole(known):
        ended(folder, status, closed=False)
        name, options = (
            f"{folder.parent.name} {folder.name}",
            {**file.options, "sweep_id": file.sweep_id},
        )
        parent = store.open(name, options, file.parent or file.sweep_id)
        for path, record in found:
            _keep(path.parent, record, store, parent, have.get(_key(path, record)))
        store.end(
            parent, file.sweep_id, status
        )  # and what points left there that left no record here
        store.close(parent, status, closing_files(folder, parent))
    if not file.closed or missing:
        ended(folder, status, closed=True)
    said = (
        f"{len(missing)} of {len(found)} records brought"
        if missing
        else f"all {len(found)} records were there"
    )
    return Done(f"{said}{bad}", there, len(missing))


def _whole(known: Stored | None) -> bool:
    """Whether the store has nothing that is still running, and all points in one file."""
    return (
        known is not None
        and known.points
        and all(s != RUNNING for s in (known.status, *(r.status for r in known.runs)))
    )


def _key(path: Path, record: RunRecord) -> tuple[str, int, int | None]:
    return (place(record, path.parent), *times(record))


def _keep(folder: Path, record: RunRecord, store: Mlflow, parent: str, run_id: str | None) -> None:
    """The record in the store, which has it already where ``run_id`` is given; without its caution that it is missing
    there, on disk too. TrackingError leaves the caution."""
    if run_id is None:
        forget(folder)
    else:
        remember(folder, record, parent, run_id)
    if run_id is None or untracked(record):
        clean = replace(
            record, cautions=tuple(c for c in record.cautions if c.kind != "NotTracked")
        )
        kept = keep(clean, folder, store, parent)
        if untracked(kept):
            raise TrackingError(kept.cautions[-1].message)


def _records(folder: Path) -> tuple[list[tuple[Path, RunRecord]], int]:
    """Every record below the folder, of points and of rounds; and how many can't be read."""
    found, damaged = [], 0
    for path in sorted(folder.rglob(RECORD_FILE)):
        try:
            found.append((path, RunRecord.read(path)))
        except DataError:
            damaged += 1
    return found, damaged


def parser() -> Parser:
    """Its options."""
    parser = Parser("sync", _ABOUT, _EXITS)
    parser.add_argument(
        "folders", metavar="FOLDER", nargs="*", default=[str(SWEEPS)], help=f"default: {SWEEPS}"
    )
    parser.add_argument(
        "--tracking-uri", metavar="URI", help="MLflow's store, if not the sweep's own"
    )
    parser.add_argument(
        "--gone", metavar="HOST", help="sweeps that this machine left unended don't run any more"
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="say what is missing and change nothing"
    )
    return parser
