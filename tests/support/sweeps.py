"""What the tests of launchers share: sweeps of the fake engine, and what they leave."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from pathlib import Path

from asr_scaling.core.record import RECORD_FILE, RunRecord
from support.command import QUICK, Cli, records
from support.warm import Started

SIX = ("-m", *QUICK, "model=whisper_tiny_en,wav2vec2", "batch=1,8,16")
RESUME = "sweep.resume=true"


def identities(folder: Path) -> dict[tuple[str, int], tuple[str, str]]:
    """Model and batch → how the point ended, and the hash of all that shapes it."""
    found = records(folder)
    return {
        (r.config["model"]["name"], r.config["batch"]["size"]): (r.status, r.identity)
        for r in found
    }


def starts(folder: Path) -> dict[str, float]:
    """Folder of each point that is ok → when it began."""
    found = {path.parent.name: RunRecord.read(path) for path in folder.rglob(RECORD_FILE)}
    return {name: record.started_at for name, record in found.items() if record.status == "ok"}


def reasons(folder: Path) -> list[str]:
    """Why points were lost."""
    return [str(record.reason) for record in records(folder) if record.status == "interrupted"]


def until(true: Callable[[], object], seconds: float = 300.0) -> None:
    """Wait for it."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it took too long"
        time.sleep(0.2)


def kill_client(process: Started) -> None:
    """Only the process that launched, as when a laptop goes away."""
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=60)


def underway(folder: Path, env: dict[str, str], *arguments: str) -> Started:
    """Such a sweep, without the seconds of its imports, once a point has begun:
    Hydra has written down its options."""
    process = Started(folder, "asr_scaling", arguments, env)
    until(lambda: any(folder.rglob(".hydra/config.yaml")))
    return process


def one_parent(options: tuple[str, ...], experiment: str, ended: list[str]) -> None:
    """What MLflow has of the experiment:
    one sweep, and below it points that ended in these ways."""
    import mlflow

    (uri,) = (option.partition("=")[2] for option in options if option.startswith("tracking.uri="))
    client = mlflow.MlflowClient(uri)
    runs = client.search_runs([client.get_experiment_by_name(experiment).experiment_id])
    (parent,) = (run for run in runs if run.data.tags["asr_scaling.kind"] == "sweep")
    points = [run for run in runs if run.data.tags["asr_scaling.kind"] == "point"]
    assert {run.data.tags["mlflow.parentRunId"] for run in points} == {parent.info.run_id}
    assert sorted(run.info.status for run in points) == sorted(ended)
    assert parent.info.status == "FINISHED"


def lose_two_and_go_on(
    cli: Cli, folder: Path, stored: tuple[str, ...], name: str, *launcher: str, **env: str
) -> str:
    """Of three points one is killed and one raises: the third is measured, and then those two alone
    are measured again, below the same parent in experiment ``name`` of the store that the options
    ``stored`` name. Why the first was lost.
    """
    (folder / "fault").write_text("kill raise")
    sweep = (
        "-m",
        *stored,
        "batch=1,2,4",
        *launcher,
        "engine.fault=fault",
        f"tracking.experiment={name}",
    )
    done = cli(*sweep, **env)
    assert done.returncode == 1
    assert [record.status for record in records(folder)] == ["interrupted", "failed", "ok"], (
        done.stderr
    )
    (reason,) = reasons(folder)
    one_parent(stored, name, ["KILLED", "FAILED", "FINISHED"])
    before = starts(folder)
    again = cli(*sweep, RESUME, **env)
    assert again.returncode == 0, again.stderr
    assert again.stderr.count("was measured before") == 1
    assert before.items() < starts(folder).items()
    one_parent(stored, name, ["FINISHED"] * 3)
    return reason
