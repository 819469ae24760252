"""Hydra's launchers of this project: points in other processes (asr_scaling/launchers/)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from hydra.core.singleton import Singleton
from hydra.core.utils import JobReturn, JobStatus, run_job, setup_globals
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, open_dict


def measure(context: HydraContext, task: TaskFunction, config: DictConfig, singletons: Any) -> None:
    """Measure one point in a new process. Raises what the point raised.

    singletons: state of Hydra in the process that launches.
    """
    setup_globals()
    Singleton.set_state(singletons)
    _ = run_job(task, config, "hydra.sweep.dir", "hydra.sweep.subdir", context).return_value


class SweepLauncher(Launcher):
    """Launches every point on ``cluster`` (joblib, ray, slurm); waits until each has a record."""

    def __init__(self, cluster: str, **options: Any) -> None:
        self.cluster, self.options = cluster, options

    def setup(
        self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig
    ) -> None:
        """Keep what every launch needs."""
        self.context, self.task = hydra_context, task_function
        self.config = config

    def launch(
        self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int
    ) -> Sequence[JobReturn]:
        """Measure the points; how each ended is in its record, so none raises here."""
        from asr_scaling.sweep.callback import work
        from asr_scaling.sweep.launch import launch
        from asr_scaling.sweep.sweep_run import current

        setup_globals()
        state, works = Singleton.get_state(), []
        for number, overrides in enumerate(job_overrides, initial_job_idx):
            config = self.context.config_loader.load_sweep_config(self.config, list(overrides))
            with open_dict(config):
                config.hydra.job.num = number
                config.hydra.job.id = f"{config.hydra.job.name}_{number}"
                config.hydra.sweep.dir = str(Path(config.hydra.sweep.dir).absolute())
            works.append(work(config, partial(measure, self.context, self.task, config, state)))
        launch(current(), self.cluster, self.options, works)
        return [JobReturn(list(texts), status=JobStatus.COMPLETED) for texts in job_overrides]
