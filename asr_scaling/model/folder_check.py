"""Whether a folder of weights holds what a model's YAML says, before anything is loaded from it.

Files are compared with ``ModelSpec``: kind and sizes of the model, feature extractor, generation
settings, special tokens and tokenizer (vocabulary_check.py). Tensors are compared when they are
loaded (transformers_objects.py). Importing this imports neither torch nor transformers.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from asr_scaling.core.model_spec import ModelSpec, load_spec
from asr_scaling.errors import ConfigError
from asr_scaling.model.vocabulary_check import (
    FROM_ABOVE,
    LAYOUT,
    Fault,
    generation_fault,
    read_json,
    tokenizer_fault,
)
from asr_scaling.model.weight_files import missing_weights
from asr_scaling.util.config_dir import conf_dir
from asr_scaling.util.redact import printable

_SIZE = re.compile(
    r".*(vocab_size|d_model|hidden_size|intermediate_size|layers|heads|ffn_dim|num_mel_bins)"
    r"|max_(source|target)_positions|conv_(dim|kernel|stride)|subsampling_\w+|durations"
)
_BLANKS = ("pad_token_id", "blank_token_id")
"""Of them one is the blank of CTC and of transducers."""
"""Options of an architecture that decide shapes of tensors, or how they are used."""
_FEATURES = re.compile(
    "feature_extractor_type|feature_size|sampling_rate|hop_length|n_fft|win_length|chunk_length"
    "|do_normalize|preemphasis"
)
_OPTIMISER = "*.pt"
"""Such a file also lies in a Trainer's checkpoint, beside its weights."""
_OTHER_FORMATS = {
    "model.bin": "a conversion for CTranslate2 (faster-whisper)",
    "*.gguf": "a conversion to GGUF",
    "ggml*.bin": "a conversion for whisper.cpp",
    "*.onnx": "a conversion to ONNX",
    "*.xml": "a conversion for OpenVINO",
    "*.nemo": "a model of NeMo",
    _OPTIMISER: "a checkpoint of PyTorch",
    "*.msgpack": "weights of Flax",
    "*.h5": "weights of TensorFlow",
}


def fault(folder: Path, spec: ModelSpec) -> Fault | None:
    """Why ``folder`` can't be loaded as ``spec``; None where it can."""
    try:
        return _fault(folder, spec)
    except (AttributeError, LookupError, TypeError, ValueError, RecursionError) as error:
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        return Fault(f"has a JSON file whose values are of another kind ({printable(reason)})")


def _fault(folder: Path, spec: ModelSpec) -> Fault | None:
    if not folder.is_dir():
        return _no_folder(folder)
    config = read_json(folder / "config.json")
    if not isinstance(config, dict) or "model_type" not in config:
        return _other_format(folder) or Fault("has no config.json that can be read")
    if config["model_type"] != spec.model_type:
        what = f"holds a '{config['model_type']}' model where '{spec.model_type}' is needed"
        return Fault(what, _choose(config) or Fault("").mend, other=True)
    if "quantization_config" in config:
        mend = "use the weights it was made of, and quantise here, as with optimisation=[int8]"
        return Fault("holds quantised weights", mend, other=True)
    if lacking := missing_weights(folder):
        return _other_format(folder) or Fault(lacking)
    return (
        _sizes(config, spec)
        or _features(folder, spec)
        or generation_fault(folder, config, spec)
        or tokenizer_fault(folder, config, spec)
    )


def _no_folder(path: Path) -> Fault:
    if not path.is_file():
        return Fault("is not a folder")
    said = next((kind for glob, kind in _OTHER_FORMATS.items() if path.match(glob)), "a file")
    return Fault(f"is {said}, not a folder", f"point it at {LAYOUT} that it was made from")


def _other_format(folder: Path) -> Fault | None:
    """What the folder holds instead of weights in the hub's layout."""
    if (folder / "adapter_config.json").is_file():
        mend = "merge it first (peft: model.merge_and_unload(), then save_pretrained)"
        return Fault("holds a LoRA adapter alone, which is no model", mend, other=True)
    if not any(folder.iterdir()):
        return Fault("is an empty folder")
    for glob, kind in _OTHER_FORMATS.items():
        if glob != _OPTIMISER and next(folder.glob(glob), None):
            mend = f"point it at {LAYOUT} that it was made from: engines convert it themselves"
            return Fault(f"holds {kind}", mend, other=True)
    nested = next(folder.glob("*/config.json"), None)
    return Fault("has no config.json", f"perhaps '{nested.parent}' is meant") if nested else None


def _sizes(config: Mapping[str, Any], spec: ModelSpec) -> Fault | None:
    """Sizes in ``config.json`` that are not those of the model that was chosen."""
    differing = _differing(config, spec)
    if not differing:
        return None
    said = [f"{key} {own}, not {wanted}" for key, (own, wanted) in list(differing.items())[:6]]
    also = f" and {len(differing) - 6} more" if len(differing) > 6 else ""
    what = f"holds weights of other sizes than {spec.name} has ({'; '.join(said)}{also})"
    mend = _choose(config)
    if not mend or mend.endswith(f"={spec.name}"):
        set_to = " ".join(
            f"model.architecture.{key}={json.dumps(own, separators=(',', ':'))}"
            for key, (own, _) in differing.items()
        )
        mend = f"no model of conf/model has them: write a YAML of your own, or set {set_to}"
    return Fault(what, mend, other=True)


def _choose(config: Mapping[str, Any]) -> str:
    """Which model of ``conf/model`` has the sizes of ``config.json``; empty where none has."""
    fitting = [
        f"model={other.name}"
        for other in _published()
        if other.model_type == config["model_type"] and not _differing(config, other)
    ]
    return f"these are the sizes of another model: choose {' or '.join(fitting)}" if fitting else ""


@functools.cache
def _published() -> tuple[ModelSpec, ...]:
    """The models of ``conf/model``, without those whose YAML can't be read."""
    specs = []
    for path in sorted((conf_dir() / "model").glob("*.yaml")):
        with suppress(ConfigError):
            specs.append(load_spec(path.stem))
    return tuple(specs)


def _differing(config: Mapping[str, Any], spec: ModelSpec) -> dict[str, tuple[Any, Any]]:
    """Dotted name of a size → what ``config.json`` and what ``spec`` says, where these differ."""
    blanks = _BLANKS if spec.family in ("ctc", "tdt") else ()
    sizes = dict(_leaves(spec.architecture))
    wanted = {key: own for key, own in sizes.items() if _SIZE.fullmatch(key) or key in blanks}
    found = dict(_leaves(config))
    if not wanted.keys() <= found.keys():  # transformers leaves out what is its default
        found = {**_defaults(spec.model_type), **found}
    return {
        key: (found[key], own)
        for key, own in wanted.items()
        if key in found and _plain(found[key]) != _plain(own)
    }


def _defaults(model_type: str) -> dict[str, Any]:
    """Options of transformers' configuration of this type, as ``config.json`` would have them."""
    from transformers import AutoConfig

    try:
        config = AutoConfig.for_model(model_type)
    except ValueError:  # a type that transformers does not know, which a network's code may bring
        return {}
    return dict(_leaves(json.loads(config.to_json_string(use_diff=False))))


def _features(folder: Path, spec: ModelSpec) -> Fault | None:
    """A feature extractor that is missing or set otherwise."""
    own = read_json(folder / "preprocessor_config.json")
    if own is None:
        together = read_json(folder / "processor_config.json")
        own = together.get("feature_extractor") if isinstance(together, dict) else None
    if not isinstance(own, dict):
        files = "preprocessor_config.json"
        mend = FROM_ABOVE.format(what="the feature extractor's settings", files=files)
        return Fault("has no preprocessor_config.json that can be read", mend)
    differing = [
        f"{key} {own[key]}, not {wanted}"
        for key, wanted in spec.features.items()
        if _FEATURES.fullmatch(key)
        and key in own
        and _plain(own[key]) != _plain(wanted)
        and not (spec.trust_remote_code and key == "feature_extractor_type")
    ]
    if not differing:
        return None
    what = f"has a feature extractor that is not {spec.name}'s ({'; '.join(differing)})"
    mend = "copy preprocessor_config.json from the model that was fine-tuned"
    return Fault(what, mend, other=True)


def _leaves(options: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in options.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{before}{key}.")
        else:
            yield f"{before}{key}", value


def _plain(value: Any) -> Any:
    return list(map(_plain, value)) if isinstance(value, (list, tuple)) else value
