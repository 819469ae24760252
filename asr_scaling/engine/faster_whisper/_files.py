"""Whisper in CTranslate2's format, converted by CTranslate2 itself.

Its logits are compared with those of transformers.
"""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import ctranslate2
import numpy as np

from asr_scaling.core.model_spec import ModelSpec
from asr_scaling.model.convert import Converted, check_difference, converted, difference
from asr_scaling.model.transformers_objects import pretrained
from asr_scaling.model.whisper import (
    CHECKED,
    end_of_text,
    example_features,
    language_ids,
    prompt_ids,
    special_tokens,
    transformers_logits,
)

CONVERSION = 2
"""Raise it when a converted folder changes, so that older ones in a cache are left alone."""
TOLERANCE = {"float32": 1e-3, "float16": 2e-2, "bfloat16": 1e-1, "int8": 0.35}
"""dtype → how far logits may be from transformers', in standard deviations of these."""


def ctranslate2_files(model: ModelSpec, dtype: str, seed: int) -> Converted:
    """``model.bin`` with weights in ``dtype``, and the tokenizer and features beside it."""
    make = partial(_convert, model, dtype)
    options = {"dtype": dtype, "version": ctranslate2.__version__, "conversion": CONVERSION}
    return converted(model, "ctranslate2", make, seed, **options)


def _convert(model: ModelSpec, dtype: str, origin: Path, new: Path) -> dict[str, Any]:
    from ctranslate2.converters import TransformersConverter
    from transformers import AutoFeatureExtractor, AutoTokenizer
    from transformers.utils import logging

    logging.disable_progress_bar()
    if not any((origin / name).exists() for name in ("tokenizer.json", "vocab.json")):  # random
        _write_placeholder(model, origin)
    TransformersConverter(str(origin)).convert(str(new), quantization=dtype, force=True)
    pretrained(AutoTokenizer, origin, model).backend_tokenizer.save(str(new / "tokenizer.json"))
    pretrained(AutoFeatureExtractor, origin, model).save_pretrained(new)
    return _checked(model, dtype, origin, new)


def _write_placeholder(model: ModelSpec, folder: Path) -> None:
    """Writes a tokenizer for random weights: special tokens are Whisper's, others are their ids.

    CTranslate2 takes a model for multilingual when a token is empty, as the last text token of a
    multilingual Whisper is, and its languages from the generation configuration.
    """
    from tokenizers import AddedToken, Tokenizer, models

    names, first = special_tokens(model), end_of_text(model)
    vocabulary = {str(i): i for i in range(first - 1)}
    vocabulary["" if model.multilingual else str(first - 1)] = first - 1
    vocabulary |= {name: first + i for i, name in enumerate(names)}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token=names[0]))
    special = [AddedToken(name, normalized=False, special=True) for name in names]
    tokenizer.add_special_tokens(special)
    tokenizer.save(str(folder / "tokenizer.json"))
    config = {"tokenizer_class": "PreTrainedTokenizerFast"}
    config |= {"eos_token": names[0], "unk_token": names[0]}
    (folder / "tokenizer_config.json").write_text(json.dumps(config), encoding="utf-8")
    if spoken := language_ids(model):
        path = folder / "generation_config.json"
        own = json.loads(path.read_text(encoding="utf-8")) | {"lang_to_id": spoken}
        own.pop("_from_model_config", None)  # transformers would make it anew, without languages
        path.write_text(json.dumps(own), encoding="utf-8")


def _checked(model: ModelSpec, dtype: str, origin: Path, new: Path) -> dict[str, Any]:
    """Facts about the files in ``new``.

    Raises EngineError when their logits are not those of the weights in ``origin``.
    """
    network = ctranslate2.models.Whisper(
        str(new), compute_type="int8_float32" if dtype == "int8" else "float32"
    )
    features = example_features(origin)
    prompt, end = list(prompt_ids(model)), end_of_text(model)
    encoded = network.encode(ctranslate2.StorageView.from_array(features))
    (result,) = network.generate(
        encoded,
        [prompt],
        beam_size=1,
        max_length=2 * CHECKED,
        suppress_blank=False,
        suppress_tokens=[end],
        return_logits_vocab=True,
    )
    logits = np.stack([np.asarray(row) for row in result.logits[0][:CHECKED]])
    tokens = [*prompt, *result.sequences_ids[0]][: len(prompt) + CHECKED - 1]
    wanted, parameters = transformers_logits(origin, features, tokens)
    wanted = wanted[-CHECKED:]
    # The end of text is suppressed, or every example would be over at once.
    compared = np.arange(logits.shape[1]) != end
    distance = difference(logits[:, compared], wanted[:, compared])
    check_difference(model, "faster_whisper", distance, TOLERANCE[dtype])
    size = (new / "model.bin").stat().st_size
    check = {"logits_difference": distance, "logits_tolerance": TOLERANCE[dtype]}
    return {"bytes": size, "parameters": parameters, **check}
