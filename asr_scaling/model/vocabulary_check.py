"""Whether the texts that come of a folder's weights are those of the model that was chosen.

Its generation settings and its tokenizer are compared with the model's vocabulary. Importing this
imports neither torch nor transformers.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from asr_scaling.core.model_spec import ModelSpec

LAYOUT = "a folder in the hub's layout (config.json, model.safetensors, tokenizer files)"
_TOKENIZERS = ("tokenizer.json", "vocab.json", "tokenizer.model")
_SEARCHES = ("num_beams", "repetition_penalty", "no_repeat_ngram_size", "length_penalty")
"""Generation settings that change texts, and that only some engines would follow."""
_NEUTRAL = (None, 0, 1, 1.0)
FROM_ABOVE = (
    "a Trainer writes {what} into the folder above its checkpoints: copy {files} from there, "
    "or from the model that was fine-tuned"
)


@dataclass(frozen=True)
class Fault:
    """Why a folder can't be loaded as a model.

    what: a predicate, as "has no tokenizer".
    mend: what to do about it.
    other: True when it is whole, and holds something else than the model that was chosen.
    """

    what: str
    mend: str = f"point it at {LAYOUT} or remove it"
    other: bool = False


def generation_fault(folder: Path, config: Mapping[str, Any], spec: ModelSpec) -> Fault | None:
    """Generation settings that are missing, of another vocabulary, or of a search of their own."""
    if spec.family != "whisper":
        return None
    file = "generation_config.json"
    own = read_json(folder / file)
    mend = FROM_ABOVE.format(what="generation settings", files=file)
    if not isinstance(own, dict):
        lost = "which tokens are suppressed and which ids languages have"
        return Fault(f"has no {file} that can be read, so that {lost} is not known", mend)
    keys = ["decoder_start_token_id", "eos_token_id", "no_timestamps_token_id"]
    keys += ["lang_to_id", "task_to_id"] if spec.multilingual else []
    if absent := [key for key in keys if own.get(key) is None]:
        return Fault(f"has a {file} without {', '.join(absent)}, as older ones are", mend)
    for key in keys[:2]:
        wanted = spec.architecture.get(key, own[key])
        if own[key] != wanted or config.get(key, wanted) not in (None, wanted):
            found = own[key] if own[key] != wanted else config[key]
            what = f"decodes with {key} {found}, where {spec.name} has {wanted}"
            return Fault(what, mend, other=True)
    if searches := [key for key in _SEARCHES if own.get(key) not in _NEUTRAL]:
        said = ", ".join(f"{key}={own[key]}" for key in searches)
        mend = f"take that out of {file}, and choose how to decode by options of the command line"
        return Fault(f"has a {file} with a search of its own ({said})", mend, other=True)
    return None


def tokenizer_fault(folder: Path, config: Mapping[str, Any], spec: ModelSpec) -> Fault | None:
    """A tokenizer that is missing or of another vocabulary."""
    bpe = spec.family == "whisper" and not (folder / "merges.txt").is_file()
    present = [name for name in _TOKENIZERS if (folder / name).is_file()]
    if not present or (bpe and present == ["vocab.json"]):
        above = next(
            (folder.parent / n for n in _TOKENIZERS if (folder.parent / n).is_file()), None
        )
        files = "tokenizer.json and tokenizer_config.json (or vocab.json and merges.txt)"
        mend = FROM_ABOVE.format(what="the tokenizer", files=files)
        found = f" ('{above}' is there)" if above else ""
        return Fault("has no tokenizer", mend + found)
    tokens = _tokens(folder)
    if tokens is None:
        return (
            None if present == ["tokenizer.model"] else Fault("has a tokenizer that can't be read")
        )
    wrong = (
        _specials(folder, tokens) if spec.family == "whisper" else _letters(folder, tokens, config)
    )
    mend = "copy the tokenizer's files from the model that was fine-tuned"
    return (
        Fault(f"has the tokenizer of another model ({wrong})", mend, other=True) if wrong else None
    )


def _specials(folder: Path, tokens: Mapping[str, int]) -> str:
    """What is wrong with the ids of Whisper's tokens; empty where nothing is."""
    settings = read_json(folder / "generation_config.json") or {}
    wanted = {
        "<|endoftext|>": settings["eos_token_id"],
        "<|startoftranscript|>": settings["decoder_start_token_id"],
        "<|notimestamps|>": settings["no_timestamps_token_id"],
        **(settings.get("lang_to_id") or {}),
    }
    for name, number in wanted.items():
        if tokens.get(name) != number:
            return f"{name} is {tokens.get(name, 'missing')}, not {number}"
    texts = sum(number < settings["eos_token_id"] for number in set(tokens.values()))
    if texts != settings["eos_token_id"]:
        return f"{texts} tokens of text, not {settings['eos_token_id']}"
    return ""


def _letters(folder: Path, tokens: Mapping[str, int], config: Mapping[str, Any]) -> str:
    """What is wrong with the vocabulary of a model that is no Whisper; empty where nothing is."""
    size = int(config.get("vocab_size") or 0)
    silent = {config.get(key) for key in ("pad_token_id", "blank_token_id")}
    known = silent | set(tokens.values())
    pad = read_json(folder / "tokenizer_config.json") or {}
    blank = config.get("pad_token_id")
    if (own := tokens.get(str(pad.get("pad_token")))) not in (None, blank) and blank is not None:
        return f"its {pad['pad_token']} is {own}, and the weights' {blank}"
    if lacking := [number for number in range(size) if number not in known]:
        return f"{len(lacking)} of the weights' {size} tokens have no text"
    beyond = [name for name, number in tokens.items() if number >= size and name[:1] not in "<[▁"]
    return f"{len(beyond)} of its tokens are none of the weights' {size}" if size and beyond else ""


def _tokens(folder: Path) -> dict[str, int] | None:
    """Text → id of all tokens; None where they can't be read."""
    tokens: dict[str, Any] = {}
    whole = read_json(folder / "tokenizer.json")
    if isinstance(whole, dict):
        vocabulary = (whole.get("model") or {}).get("vocab") or {}
        if isinstance(vocabulary, list):  # of a unigram model
            vocabulary = {str(entry[0]): number for number, entry in enumerate(vocabulary)}
        tokens |= vocabulary
        tokens |= {entry["content"]: entry["id"] for entry in whole.get("added_tokens") or ()}
    elif isinstance(vocabulary := read_json(folder / "vocab.json"), dict):
        tokens |= vocabulary | (read_json(folder / "added_tokens.json") or {})
        added = (read_json(folder / "tokenizer_config.json") or {}).get(
            "added_tokens_decoder"
        ) or {}
        tokens |= {entry["content"]: int(number) for number, entry in added.items()}
    numbers = all(isinstance(number, int) for number in tokens.values())
    return tokens if tokens and numbers else None


def read_json(path: Path) -> Any:
    """What the file holds; None where it can't be read."""
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
