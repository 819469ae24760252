"""Measure how speech-recognition models scale. ``run(Job(...))`` needs neither Hydra nor MLflow."""

from asr_scaling.core.ports import SystemSpec
from asr_scaling.core.record import RunRecord
from asr_scaling.measure.job import Job, run
from asr_scaling.measure.pipeline import Pipeline
from asr_scaling.sweep.transcriber import Transcriber, load_system

__all__ = ["Job", "Pipeline", "RunRecord", "SystemSpec", "Transcriber", "load_system", "run"]
