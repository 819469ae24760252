"""Speculative decoding: a small model drafts tokens that the model under test checks."""

from __future__ import annotations

from typing import Any

from asr_scaling.core.model_spec import ModelSpec, load_spec
from asr_scaling.errors import EngineError


def draft_spec(name: str, model: ModelSpec) -> ModelSpec:
    """The spec of the draft model ``name`` for ``model``.

    Raises EngineError when the two can't work together.
    """
    draft = load_spec(name)
    if draft.family != model.family or model.window_s is None:
        raise EngineError(
            f"'{name}' can't draft for '{model.name}': both have to be Whisper models."
        )
    if draft.parameters >= model.parameters:
        raise EngineError(
            f"'{name}' is no smaller than '{model.name}', so that it gains nothing: "
            "choose a smaller one."
        )
    for what, size in (("vocabulary", "vocab_size"), ("number of mel bands", "num_mel_bins")):
        values = [spec.architecture.get(size) for spec in (draft, model)]
        if values[0] != values[1]:
            raise EngineError(
                f"'{name}' ({values[0]}) and '{model.name}' ({values[1]}) differ in their {what}: "
                "choose a draft of the same kind, English-only or multilingual, and generation."
            )
    if "random" in (draft.weights, model.weights):
        raise EngineError(
            "Random weights agree on no token, so that engine.draft measures nothing: leave it out."
        )
    return draft


def load_draft(spec: ModelSpec, dtype: Any, attention: str, device: str) -> Any:
    """The draft's network on ``device``.

    Raises EngineError when only random weights are there.
    """
    from asr_scaling.model import transformers_objects
    from asr_scaling.model.weights import resolve

    weights = resolve(spec)
    if weights.folder is None:
        raise EngineError(
            f"No pretrained weights of the draft '{spec.name}' were found: leave out engine.draft."
        )
    return transformers_objects.pretrained_model(spec, weights.folder, dtype, attention).to(device)
