"""Measure how speech-recognition models scale. ``run(Job(...))`` needs neither Hydra nor MLflow."""

from asr_scaling.job import Job, run
from asr_scaling.pipeline import Pipeline
from asr_scaling.record import RunRecord
from asr_scaling.transcriber import Transcriber, load_system

__all__ = ["Job", "Pipeline", "RunRecord", "Transcriber", "load_system", "run"]
