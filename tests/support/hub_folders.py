"""Folders in the hub's layout, small enough to be written for every test."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from asr_scaling.core.model_spec import ModelSpec
from support.networks import WHISPER

SPECIAL = [
    "<|endoftext|>",
    "<|startoftranscript|>",
    "<|en|>",
    "<|de|>",
    "<|translate|>",
    "<|transcribe|>",
]
SPECIAL += ["<|startoflm|>", "<|startofprev|>", "<|nocaptions|>", "<|notimestamps|>"]
HUB_ID = "toys/whisper"
ARCHITECTURE = WHISPER | {"vocab_size": 256 + len(SPECIAL) + 1, "decoder_start_token_id": 257}
ARCHITECTURE |= {f"{kind}_token_id": 256 for kind in ("pad", "bos", "eos")}


def toy_spec(**changes: Any) -> ModelSpec:
    """A Whisper of two layers with a vocabulary of 267 tokens."""
    options: dict[str, Any] = {
        "name": "toy",
        "hub_id": HUB_ID,
        "revision": "main",
        "licence": "mit",
        "family": "whisper",
        "model_type": "whisper",
        "parameters": 1,
        "architecture": ARCHITECTURE,
        "multilingual": True,
        "features": {"feature_extractor_type": "WhisperFeatureExtractor", "feature_size": 80},
    }
    return ModelSpec(**(options | changes))


def write_json(path: Path, content: object) -> None:
    path.write_text(json.dumps(content), encoding="utf-8")


def change_json(path: Path, **changes: Any) -> None:
    """Changes keys of a file; None takes one out."""
    own = {**json.loads(path.read_bytes()), **changes}
    write_json(path, {key: value for key, value in own.items() if value is not None})


def describe(folder: Path, spec: ModelSpec, *, tokenizer: bool = True) -> Path:
    """Writes all that lies beside the weights of ``spec``: no network can be run with it."""
    folder.mkdir(parents=True, exist_ok=True)
    sizes = dict(spec.architecture)
    write_json(folder / "config.json", {"model_type": spec.model_type, **sizes})
    write_json(folder / "preprocessor_config.json", dict(spec.features))
    if spec.family == "whisper":
        end = int(sizes.get("eos_token_id", 50_256))
        special = ["<|endoftext|>", "<|startoftranscript|>", "<|en|>", "<|notimestamps|>"]
        ids = {name: end + i for i, name in enumerate(special)}
        write_json(folder / "generation_config.json", _generation(ids, spec.multilingual))
    else:
        end, ids = int(sizes["vocab_size"]) - 1, {"<last>": int(sizes["vocab_size"]) - 1}
    added = [{"content": name, "id": number} for name, number in ids.items()]
    vocabulary = {f"t{number}": number for number in range(end)}
    if tokenizer:
        whole = {"model": {"vocab": vocabulary}, "added_tokens": added}
        write_json(folder / "tokenizer.json", whole)
    return folder


def _generation(ids: dict[str, int], multilingual: bool) -> dict[str, Any]:
    languages = {"lang_to_id": {"<|en|>": ids["<|en|>"]}, "task_to_id": {"transcribe": 1}}
    return {
        "eos_token_id": ids["<|endoftext|>"],
        "decoder_start_token_id": ids["<|startoftranscript|>"],
        "no_timestamps_token_id": ids["<|notimestamps|>"],
        **(languages if multilingual else {}),
    }
