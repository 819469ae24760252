"""Models as ONNX files, exported once, with the logits that transformers computes.

Every engine that reads the files checks its own copy, in its own precision, against those logits.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from asr_scaling.core.model_spec import ModelSpec
from asr_scaling.core.workload import SAMPLE_RATE_HZ
from asr_scaling.engine._onnx import networks
from asr_scaling.errors import EngineError
from asr_scaling.model.convert import Converted, check_difference, converted, example_audio
from asr_scaling.model.weights import resolve
from asr_scaling.util.cache import MANIFEST
from asr_scaling.util.quiet import errors_only

EXPORT = 1
"""Raise it when an exported file changes, so that older ones in a cache are left alone."""
CHECK = "check.npz"
"""File of inputs and of the logits that transformers computes from them."""
PREFIX, CHECKED = 2, 6
"""The check decodes so many tokens at once, then one by one until it has so many."""
CTC_TYPES = ("wav2vec2", "hubert")
"""CTC models that are exported; torch's exporter can't follow the code of the Conformers."""
_SECONDS = (4.0, 3.0)

Fill = Callable[[Path, Path], None]
"""``(folder of exported files, empty folder to fill)``."""
Check = Callable[[Path, Mapping[str, Any]], float]
"""``(folder with the engine's files, arrays of the check) → difference`` of the logits."""


def check_length(spec: ModelSpec, longest_s: float, *, random: bool | None = None) -> None:
    """Raises EngineError when real weights would need more than one window of Whisper.

    ``random``: whether the weights are random; None to look them up.
    """
    if spec.window_s is None or longest_s <= spec.window_s:
        return
    if random or (random is None and resolve(spec).folder is None):
        return
    raise EngineError(
        f"This engine decodes one window of {spec.window_s:g} s, and an utterance has "
        f"{longest_s:.1f} s: choose shorter ones with dataset.length_s, or engine=transformers or "
        "faster_whisper, which seek by timestamps."
    )


def exported(spec: ModelSpec, seed: int) -> Converted:
    """The float32 ONNX files of ``spec``, with the check.

    They are encoder.onnx and step.onnx for Whisper, and model.onnx for a CTC model.
    """
    import torch

    make = partial(_export, spec)
    return converted(spec, "onnx", make, seed, export=EXPORT, torch=torch.__version__)


def for_engine(
    spec: ModelSpec,
    engine: str,
    *,
    fill: Fill | None,
    check: Check,
    tolerance: float,
    seed: int,
    **options: Any,
) -> Converted:
    """The files of ``spec`` in the form that ``engine`` reads.

    ``fill``: makes them of the exported files; None when the engine reads those.
    Raises EngineError when the logits differ from transformers' by more than ``tolerance``; this is
    checked once.
    """

    def make(_: Path, new: Path) -> dict[str, Any]:
        origin = exported(spec, seed)
        if fill is not None:
            fill(origin.folder, new)
        folder = new if fill is not None else origin.folder
        with np.load(origin.folder / CHECK, allow_pickle=False) as arrays:
            distance = check(folder, dict(arrays))
        check_difference(spec, engine, distance, tolerance)
        files = (path for path in folder.iterdir() if path.name not in (CHECK, MANIFEST))
        size = sum(path.stat().st_size for path in files)
        return {**origin.facts, "difference": distance, "tolerance": tolerance, "bytes": size}

    files = converted(spec, engine, make, seed, random_files=False, export=EXPORT, **options)
    return files if fill is not None else replace(files, folder=exported(spec, seed).folder)


def _export(spec: ModelSpec, folder: Path, new: Path) -> dict[str, Any]:
    import torch

    from asr_scaling.model import transformers_objects

    with _quiet(), torch.no_grad():
        network = transformers_objects.pretrained_model(spec, folder, torch.float32, "eager")
        parameters = sum(parameter.numel() for parameter in network.parameters())
        if spec.family == "whisper":
            check = _whisper_check(spec, network)
            _write(networks.whisper_encoder(network), new / "encoder.onnx")
            _write(networks.whisper_step(network), new / "step.onnx")
        else:
            check = _ctc_check(spec, folder, network)
            _write(networks.ctc(network, "mask" in check), new / "model.onnx")

    np.savez(new / CHECK, allow_pickle=False, **check)
    return {"parameters": parameters}


def _write(graph: networks.Graph, path: Path) -> None:
    import torch

    dynamic = torch.export.Dim.DYNAMIC
    varying = tuple(dict.fromkeys(graph.axes[name], dynamic) for name in graph.inputs)
    torch.onnx.export(
        graph.module,
        graph.example,
        path,
        input_names=list(graph.inputs),
        output_names=list(graph.outputs),
        dynamic_shapes=(varying,),
        opset_version=20,
        dynamo=True,
        external_data=True,
        verbose=False,
    )


def _whisper_check(spec: ModelSpec, network: Any) -> dict[str, Any]:
    """Features of noise, random tokens, logits ``[CHECKED - PREFIX + 1, batch, vocabulary]``."""
    import torch

    from asr_scaling.model import transformers_objects

    audio = example_audio(spec.window_s or 30.0)
    features = transformers_objects.feature_extractor(spec)(
        [audio, audio[::-1].copy()], sampling_rate=SAMPLE_RATE_HZ
    )
    inputs = torch.tensor(np.asarray(features["input_features"]))
    tokens = torch.randint(
        0, network.config.eos_token_id, (2, CHECKED), generator=torch.Generator().manual_seed(1)
    )
    tokens[:, 0] = network.config.decoder_start_token_id
    logits = network(inputs, decoder_input_ids=tokens, use_cache=False).logits[:, PREFIX - 1 :]
    logits = logits.transpose(0, 1)
    return {"features": inputs.numpy(), "tokens": tokens.numpy(), "logits": logits.numpy()}


def _ctc_check(spec: ModelSpec, folder: Path, network: Any) -> dict[str, Any]:
    """Samples of noise, two rows of unequal length, and logits ``[batch, frames, vocabulary]``."""
    import transformers

    from asr_scaling.model import transformers_objects

    rows = [example_audio(seconds) for seconds in _SECONDS]
    extract = transformers_objects.pretrained(transformers.AutoFeatureExtractor, folder, spec)
    inputs = extract(rows, sampling_rate=SAMPLE_RATE_HZ, padding=True, return_tensors="pt")
    check = {"samples": inputs["input_values"], "logits": network(**inputs).logits}
    if "attention_mask" in inputs:
        check["mask"] = inputs["attention_mask"].long()
    return {name: value.numpy() for name, value in check.items()}


@contextmanager
def _quiet() -> Iterator[None]:
    """Silences warnings of the exporter that no user can act on."""
    import transformers

    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    with warnings.catch_warnings(), errors_only("torch.onnx", "onnx_ir"):
        for category in (FutureWarning, DeprecationWarning):
            warnings.simplefilter("ignore", category)
        yield
