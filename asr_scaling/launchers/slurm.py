"""Points as the tasks of a Slurm job array, through submitit."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from asr_scaling.core.option_checks import imported
from asr_scaling.errors import ConfigError
from asr_scaling.launchers.work import Work, first_line

_FOLDER = ".slurm"
"""Folder of a sweep for its jobs' scripts, logs and pickles."""
_GRACE_S = 30.0
"""Seconds in which cancelled points can write their records."""


@dataclass(frozen=True)
class Slurm:
    """Runs points as jobs of Slurm.

    minutes: time limit of a point; then Slurm's KillWait (30 s by default) remains for its record.
    exclusive: whether each point has a node to itself, with all its cores.
    at_once: points that may run at the same time.
    partition: of Slurm; None for its default.
    account: of Slurm; None for its default.
    cpus_per_task: cores of a point that shares a node.
    gpus_per_node: GPUs of a point; None for none.
    mem: memory of a point, as sbatch takes it; None for all of an exclusive node.
    poll_s: seconds between questions to Slurm about the jobs.
    setup: shell lines to run before Python starts.
    options: more options of sbatch, such as ``{nodelist: node7}``.
    """

    minutes: int = 60
    exclusive: bool = True
    at_once: int = 256
    partition: str | None = None
    account: str | None = None
    cpus_per_task: int | None = None
    gpus_per_node: int | None = None
    mem: str | None = None
    poll_s: float = 10.0
    setup: tuple[str, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.minutes < 1 or self.at_once < 1 or self.poll_s <= 0:
            raise ConfigError(
                "hydra.launcher.minutes and hydra.launcher.at_once must be at least 1, "
                "hydra.launcher.poll_s above 0."
            )
        if not self.exclusive and self.cpus_per_task is None:
            raise ConfigError(
                "hydra.launcher.exclusive=false shares nodes: set hydra.launcher.cpus_per_task too."
            )

    def run(self, works: Sequence[Work]) -> Generator[tuple[Work, str | None], None, None]:
        """Submit the points that no killed client of this sweep has submitted; wait for all."""
        folder = works[0].sweep / _FOLDER
        executor = self._executor(folder)
        jobs = _earlier(folder, works)
        if new := [work for work in works if work.folder not in jobs]:
            try:
                submitted = executor.map_array(_carry_out, new)
            except (RuntimeError, OSError, subprocess.CalledProcessError) as error:
                reason = " ".join(str(error).split())
                raise ConfigError(
                    f"Slurm refused the jobs ({reason}): see hydra.launcher's options."
                ) from error
            jobs |= {work.folder: job for work, job in zip(new, submitted, strict=True)}
        left, asked = [(work, jobs[work.folder]) for work in works], time.monotonic()
        try:
            while left:
                ended = [(work, job) for work, job in left if _done(job)]
                for work, job in ended:
                    left.remove((work, job))
                    yield work, _reason(job)
                if ended:
                    continue
                time.sleep(min(self.poll_s, 1.0))
                if time.monotonic() - asked >= self.poll_s:
                    asked = _ask(left[0][1])
        finally:
            _cancel([job for _, job in left])

    def _executor(self, folder: Path) -> Any:
        submitit = imported("submitit", "slurm")
        _check_commands()
        executor = submitit.SlurmExecutor(folder=folder / "%j", max_num_timeout=0)
        parameters = {
            "partition": self.partition,
            "account": self.account,
            "cpus_per_task": self.cpus_per_task,
            "gpus_per_node": self.gpus_per_node,
            "mem": self.mem or ("0" if self.exclusive else None),  # 0: all of a node's
            "exclusive": self.exclusive or None,
        }
        executor.update_parameters(
            job_name="asr_scaling",
            time=self.minutes,
            array_parallelism=self.at_once,
            # without the trap the shell ends first, and Slurm kills the point with it
            setup=["trap : TERM", *self.setup],
            use_srun=False,  # srun would bind the point to the one core that one task asks for
            # a requeued job would measure twice
            additional_parameters={"no-requeue": True, **self.options},
            **{name: value for name, value in parameters.items() if value is not None},
        )
        return executor


def _check_commands() -> None:
    """Raises ConfigError when a command of Slurm is missing or does not work."""
    if shutil.which("sbatch") is None:
        raise ConfigError(
            "hydra/launcher=slurm needs sbatch: start the sweep where Slurm's commands are, or on "
            "a machine of your own with hydra/launcher=joblib."
        )
    accounting = ["sacct", "-n", "-X", "-j", "1"]
    if subprocess.run(accounting, capture_output=True, check=False).returncode:
        raise ConfigError(
            "hydra/launcher=slurm needs Slurm's accounting (sacct), or killed jobs are never told "
            "from running ones: have AccountingStorageType=accounting_storage/slurmdbd set up."
        )


def _carry_out(work: Work) -> str | None:
    """Measure a point in its job.

    Slurm's warning (SIGUSR2) ends the point as SIGTERM does; submitit would requeue the job.
    """
    signal.signal(signal.SIGUSR2, lambda *_: os.kill(os.getpid(), signal.SIGTERM))
    return work.carry_out()


def _earlier(folder: Path, works: Sequence[Work]) -> dict[Path, Any]:
    """Folder of a point → its job, if an earlier client submitted it and it has not ended.

    The client left a file in ``folder`` for each job. A job without its file, because the client
    was killed before writing it, ends without measuring anything.
    """
    from submitit import SlurmJob

    places, jobs = {work.folder for work in works}, []
    for path in folder.glob("*/*_submitted.pkl"):
        job: Any = SlurmJob(folder=folder / "%j", job_id=path.parent.name)
        if not _done(job) and (place := job.submission().args[0].folder) in places:
            jobs.append((place, job))
    if jobs:
        _ask(jobs[0][1])
    return {place: job for place, job in jobs if not _done(job) and job.state != "UNKNOWN"}


def _done(job: Any) -> bool:
    return bool(job.paths.result_pickle.exists() or job.watcher.is_done(job.job_id, mode="cache"))


def _ask(job: Any) -> float:
    """Ask Slurm about all jobs, through any one of them; returns the time, in s."""
    job.watcher.update_if_long_enough("force")
    return time.monotonic()


def _reason(job: Any) -> str | None:
    """What went wrong with a job that has ended; None where the record says how it ended."""
    if job.paths.result_pickle.exists():
        try:
            reason: str | None = job.result()
        except Exception as error:  # of submitit or of the point
            return f"Slurm job {job.job_id}: {first_line(error)}"
        return reason and f"Slurm job {job.job_id}: {reason}"
    info = job.watcher.get_info(job.job_id, mode="cache")
    node = info.get("NodeList") or "None assigned"
    state = info.get("State", "UNKNOWN") + ("" if node.startswith("None") else f" on {node}")
    return f"Slurm job {job.job_id} ended {state}; its log is {job.paths.stderr}"


def _cancel(jobs: Sequence[Any]) -> None:
    """Cancel queued jobs, and give running ones time to record that they were interrupted."""
    if not jobs:
        return
    subprocess.run(["scancel", *(job.job_id for job in jobs)], capture_output=True, check=False)
    until = time.monotonic() + _GRACE_S
    while time.monotonic() < until and not all(map(_done, jobs)):
        time.sleep(1)
        _ask(jobs[0])
