"""Records of a point, a sweep or an experiment, read back from MLflow.

All functions raise MLflow's own errors.
"""

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
"""Tag of a sweep's run that has one file of all its points."""
_THREADS = 8
_POINT = "tags.asr_scaling.kind = 'point'"


def key(run: Any) -> RunKey:
    """What tells the run of a point, as a search gave it, from the others of its sweep."""
    return str(run.data.tags.get(PLACE, "")), run.info.start_time, run.info.end_time


def sources(client: Any, name: str) -> tuple[str, list[Any]]:
    """The id of the experiment, and the runs to read in the order they began.

    name: of an experiment, whose sweeps and lone points are read, or the id of one run.
    """
    experiment = client.get_experiment_by_name(name)
    if experiment is None:
        run = client.get_run(name)
        return str(run.info.experiment_id), [run]
    own = str(experiment.experiment_id)
    filters = ("tags.asr_scaling.kind = 'sweep'", f"{_POINT} and tags.{LONE} = 'true'")
    runs = [run for wanted in filters for run in search(client, own, wanted)]
    return own, sorted(runs, key=lambda run: run.info.start_time)


def children(
    client: Any, experiment: str, parent: str, also: str = "", **options: Any
) -> Iterator[Any]:
    """The runs below a sweep's run, in the order they began. ``also``: a further filter."""
    below = f"tags.mlflow.parentRunId = '{parent}'{also}"
    return search(client, experiment, below, order_by=["attributes.start_time ASC"], **options)


def deleted_of(client: Any, experiment: str, parent: str) -> set[str]:
    """Ids of the deleted runs below a sweep's run."""
    from mlflow.entities import ViewType

    gone = children(client, experiment, parent, run_view_type=ViewType.DELETED_ONLY)
    return {str(run.info.run_id) for run in gone}


def points_of(client: Any, experiment: str, run: Any) -> list[str]:
    """Ids of the runs of a sweep's points in the order they began, or of ``run``, a point itself.

    A point that was cut has no record and is left out.
    """
    own = str(run.info.run_id)
    if run.data.tags.get("asr_scaling.kind") == "sweep":
        points = children(client, experiment, own, f" and {_POINT}")
        return [str(point.info.run_id) for point in points]
    return [own] if any(file.path == RECORD_FILE for file in client.list_artifacts(own)) else []


def record_of(client: Any, run_id: str) -> RunRecord:
    """The record of a point's run. Raises DataError when it can't be read."""
    with TemporaryDirectory() as scratch:
        return RunRecord.read(Path(client.download_artifacts(run_id, RECORD_FILE, scratch)))


def in_order(fetch: Callable[[str], Any], runs: Sequence[str]) -> Iterator[tuple[str, Any]]:
    """Each run with what ``fetch`` returns for it; several are fetched at a time, never all."""
    remaining = iter(runs)
    with ThreadPoolExecutor(_THREADS) as pool:
        while chunk := list(islice(remaining, 4 * _THREADS)):
            yield from zip(chunk, pool.map(fetch, chunk), strict=True)
