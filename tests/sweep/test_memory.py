"""A sweep of any length keeps nothing of the points that it has measured."""

from __future__ import annotations

from hydra.core.utils import JobReturn
from omegaconf import OmegaConf

from asr_scaling.sweep.callback import SweepCallback


def test_the_options_of_a_point_that_ended_are_let_go() -> None:
    config = OmegaConf.create({"batch": {"size": 1}})
    ended = JobReturn(cfg=config, hydra_cfg=config)
    SweepCallback().on_job_end(config, job_return=ended)
    assert ended.cfg is None
    assert ended.hydra_cfg is None
