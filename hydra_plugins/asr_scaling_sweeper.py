"""Hydra looks for sweepers in the namespace ``hydra_plugins`` and nowhere else, so this one lives here."""

from __future__ import annotations

from collections.abc import Sequence

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from omegaconf import OmegaConf


class RoundsSweeper(BasicSweeper):
    """Hydra's own sweeper with points of one model side by side, or in shuffled rounds: ``sweep.interleave=true``."""

    def split_arguments(
        self, overrides: list, max_batch_size: int | None
    ) -> list[list[Sequence[str]]]:
        """Batches of jobs. Hydra declares this static and calls it on the sweeper, whose options are needed here."""
        from asr_scaling.sweep.instantiate import options
        from asr_scaling.sweep.interleave import Rounds
        from asr_scaling.sweep.order import neighbours

        jobs = neighbours(BasicSweeper.split_arguments(overrides, None)[0])
        if rounds := Rounds.of(options(self.config)):
            pattern = OmegaConf.to_container(self.config.hydra.sweep, resolve=False)["subdir"]
            jobs = rounds.jobs(jobs, pattern)
        return list(self.split_overrides_to_chunks(jobs, max_batch_size))
