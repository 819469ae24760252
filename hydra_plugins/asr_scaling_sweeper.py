"""Hydra's sweeper of this project; Hydra looks for sweepers in this namespace and nowhere else."""

from __future__ import annotations

from collections.abc import Sequence

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.override_parser.types import Override


class RoundsSweeper(BasicSweeper):
    """Hydra's own sweeper, with the points of the sweep's plan in their order."""

    def split_arguments(
        self, overrides: list[Override], max_batch_size: int | None
    ) -> list[list[Sequence[str]]]:
        """Batches of jobs; Hydra declares this static and calls it on the sweeper.

        Raises HydraException for a sweep whose values can't be listed.
        """
        from asr_scaling.errors import ConfigError
        from asr_scaling.sweep.sweep_run import current

        unlisted = [o for o in overrides if o.is_sweep_override() and not o.is_discrete_sweep()]
        BasicSweeper.split_arguments(unlisted, None)  # Hydra's own refusal
        jobs = [list(job.overrides) for job in current().plan]
        if not jobs:
            raise ConfigError("A sweep begins in hydra.callbacks.asr_scaling: leave it in.")
        return list(self.split_overrides_to_chunks(jobs, max_batch_size))
