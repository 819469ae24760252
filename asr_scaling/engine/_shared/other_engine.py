"""Which engine runs a model that this one does not."""

from __future__ import annotations

from asr_scaling.core.model_spec import ModelSpec
from asr_scaling.model.funasr_layouts import FAMILIES


def engine_for(model: ModelSpec) -> str:
    """As it is chosen on the command line; FunASR's models run in FunASR alone."""
    return "engine=funasr" if model.family in FAMILIES else "engine=transformers"
