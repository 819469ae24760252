"""Hydra's sweeper of this project; Hydra looks for sweepers in this namespace and nowhere else."""

from __future__ import annotations

from collections.abc import Sequence

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.override_parser.types import Override
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig


def in_fresh_processes(
    chosen: Launcher, context: HydraContext, task: TaskFunction, config: DictConfig
) -> Launcher:
    """What launches rounds: the ``chosen`` launcher if it is ours, else new processes here."""
    from hydra_plugins.asr_scaling_launchers import SweepLauncher

    if not isinstance(chosen, SweepLauncher):
        chosen = SweepLauncher("joblib")
        chosen.setup(hydra_context=context, task_function=task, config=config)
    return chosen


class RoundsSweeper(BasicSweeper):
    """Hydra's own sweeper, with the points of the sweep's plan in their order."""

    def setup(
        self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig
    ) -> None:
        """Keep what a sweep needs; with sweep.processes it launches into fresh processes."""
        from asr_scaling.sweep.sweep_run import current

        super().setup(hydra_context=hydra_context, task_function=task_function, config=config)
        if current().planner:
            self.launcher = in_fresh_processes(self.launcher, hydra_context, task_function, config)

    def split_arguments(
        self, overrides: list[Override], max_batch_size: int | None
    ) -> list[list[Sequence[str]]]:
        """Batches of jobs; Hydra declares this static and calls it on the sweeper.

        Raises HydraException for a sweep whose values can't be listed."""
        from asr_scaling.errors import ConfigError
        from asr_scaling.sweep.sweep_run import current

        unlisted = [o for o in overrides if o.is_sweep_override() and not o.is_discrete_sweep()]
        BasicSweeper.split_arguments(unlisted, None)  # Hydra's own refusal
        if not (jobs := [list(job.overrides) for job in current().plan]):
            raise ConfigError("A sweep begins in hydra.callbacks.asr_scaling: leave it in.")
        return list(self.split_overrides_to_chunks(jobs, max_batch_size))

    def is_done(self) -> bool:
        """Whether all is measured; with sweep.precision points may need another round."""
        if super().is_done():
            from asr_scaling.sweep.sweep_run import current

            self.overrides += [[list(job.overrides) for job in current().further()]]
        return not self.overrides[-1]
