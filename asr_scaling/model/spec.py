"""``load_spec(name)``: a model's YAML as a ModelSpec, for scripts that ask for its weights."""

from asr_scaling.core.model_spec import ModelSpec, load_spec

__all__ = ["ModelSpec", "load_spec"]
