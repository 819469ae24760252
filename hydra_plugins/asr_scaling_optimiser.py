"""Hydra's sweepers of searches, in asr_scaling/sweep/: each point depends on those before."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig


class OptimiserSweeper(BasicSweeper):
    """The sweeper of experiment=optimise."""

    module = "search_bench"

    def setup(
        self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig
    ) -> None:
        """Keep what a search needs; its finals are launched into fresh processes."""
        from hydra_plugins.asr_scaling_sweeper import in_fresh_processes

        super().setup(hydra_context=hydra_context, task_function=task_function, config=config)
        self.fresh = in_fresh_processes(self.launcher, hydra_context, task_function, config)

    def sweep(self, arguments: list[str]) -> Any:
        """Search with the command line's overrides. Raises ConfigError when one is a sweep."""
        from asr_scaling.errors import ConfigError

        loader, number = self.hydra_context.config_loader, 0
        given = OverridesParser.create(config_loader=loader).parse_overrides(arguments)
        for override in given:
            if override.is_sweep_override():
                raise ConfigError(
                    f"The optimiser takes one value of {override.get_key_element()}: "
                    "it sweeps by itself."
                )

        def compose(overrides: Sequence[str]) -> DictConfig:
            return loader.load_sweep_config(self.config, list(overrides))

        def launch(overrides: Sequence[str], fresh: bool) -> None:
            nonlocal number
            launcher = self.fresh if fresh else self.launcher
            (job,) = launcher.launch([list(overrides)], initial_job_idx=number)
            number += 1
            _ = job.return_value  # raises what the job raised

        search = import_module(f"asr_scaling.sweep.{self.module}")
        return search.run(Path(self.config.hydra.sweep.dir), given, compose, launch)


class ServingSweeper(OptimiserSweeper):
    """The sweeper of experiment=capacity."""

    module = "serving_search"
