"""Records read back from MLflow: of a point, of a sweep, of an experiment."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from asr_scaling.core.ports import RunKey
from asr_scaling.core.record import RECORD_FILE, RunRecord
from asr_scaling.tracking._mlflow_client import search
from asr_scaling.tracking._mlflow_run import PLACE
from asr_scaling.tracking._tags import LONE

HAS_POINTS = "asr_scaling.points"
"""Tag of a sweep's run that has them all in one file."""
_THREADS = 8
_POINT = "tags.asr_scaling.kind = 'point'"


def key(run: Any) -> RunKey:
    """What tells the run of a point or round, as a search gave it, from the others of its sweep."""
    return str(run.data.tags.get(PLACE, "")), run.info.start_time, run.info.end_time


def sources(client: Any, name: str) -> tuple[str, list[Any]]:
    """The experiment, and the runs of sweeps and of points by themselves that ``name`` stands for, as they began.

    ``name``: an experiment's, or the id of the run of a sweep or a point. MLflow's errors.
    """
    found = client.get_experiment_by_name(name)
    if found is None:
        run = client.get_run(name)
        return str(run.info.experiment_id), [run]
    own = str(found.experiment_id)
    kinds = ("tags.asr_scaling.kind = 'sweep'", f"{_POINT} and tags.{LONE} = 'true'")
    runs = [run for wanted in kinds for run in search(client, own, wanted)]
    return own, sorted(runs, key=lambda run: run.info.start_time)


def children(
    client: Any, experiment: str, parent: str, also: str = "", **options: Any
) -> Iterator[Any]:
    """The runs below that of a sweep, as they began."""
    below = f"tags.mlflow.parentRunId = '{parent}'{also}"
    return search(client, experiment, below, order_by=["attributes.start_time ASC"], **options)


def points_of(client: Any, experiment: str, parent: str) -> list[str]:
    """The runs of a sweep's points, as they began."""
    return [str(run.info.run_id) for run in children(client, experiment, parent, f" and {_POINT}")]


def deleted_of(client: Any, experiment: str, parent: str) -> set[str]:
    """Those of them that were deleted."""
    from mlflow.entities import ViewType

    gone = children(client, experiment, parent, run_view_type=ViewType.DELETED_ONLY)
    return {str(run.info.run_id) for run in gone}


def has_record(client: Any, run_id: str) -> bool:
    """Whether the run of a point has its record; one that was cut before has none."""
    return any(found.path == RECORD_FILE for found in client.list_artifacts(run_id))


def record_of(client: Any, run_id: str) -> RunRecord:
    """The record of a point's run. MLflow's errors, DataError when it can't be read."""
    with TemporaryDirectory() as scratch:
        return RunRecord.read(Path(client.download_artifacts(run_id, RECORD_FILE, scratch)))


def in_order(fetch: Callable[[str], Any], runs: Sequence[str]) -> Iterator[tuple[str, Any]]:
    """What ``fetch`` gives for each of ``runs``, several at a time, few of them in memory."""
    left = iter(runs)
    with ThreadPoolExecutor(_THREADS) as pool:
        while some := list(islice(left, 4 * _THREADS)):
            yield from zip(some, pool.map(fetch, some), strict=True)
