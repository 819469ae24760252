"""Folders that FunASR loads a network from: ``config.yaml``, its vocabulary and ``model.pt``."""

from __future__ import annotations

import hashlib
import importlib
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import yaml

from asr_scaling.errors import EngineError, WeightsError
from asr_scaling.machine.threads import threads
from asr_scaling.model.funasr_layouts import Layout
from asr_scaling.model.funasr_package import contained, package
from asr_scaling.model.weights import Weights
from asr_scaling.util.cache import cache_dir, made_once, seal, sealed

_MADE = 1
"""Raise it when a folder with random weights changes, so that older ones are left alone."""
_LETTERS = (*range(0x4E00, 0xA000), *range(0x3400, 0x4DC0))
"""Code points of Chinese characters, which random weights say."""
_NO_TEXT = 3
"""The first tokens, blank, start and end, are dropped from texts; so is the last one, unknown."""
_ALWAYS = 100.0
"""Added to a logit, it is the largest, whatever random weights give."""
_UNSIZED = ("dropout", "threshold", "_time", "dither", "window", "weight", "layer_type", "_file")
"""Parts of the names of options that change no size."""


@dataclass(frozen=True)
class FunAsrWeights:
    """Weights that FunASR can load.

    ``folder``: where they are, random ones too.
    ``origin``: where they are from.
    """

    folder: Path
    origin: Weights

    @property
    def random(self) -> bool:
        """Whether they are random."""
        return self.origin.kind == "random"

    @property
    def bytes(self) -> int:
        """Size of the file of weights."""
        return (self.folder / "model.pt").stat().st_size


def random_weights(layout: Layout, seed: int, reason: str) -> FunAsrWeights:
    """A folder of ``layout`` with random weights, from the cache or made now by FunASR itself.

    ``reason``: why they are random, a sentence.
    Raises MissingExtraError without FunASR, EngineError when the folder can't be read.
    """
    identity = [_MADE, package().__version__, asdict(layout), seed]
    digest = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()
    folder = cache_dir("funasr") / f"{layout.name}-{digest[:16]}"
    write = partial(write_random, layout, seed)
    if made_once(folder, lambda: sealed(folder), write) is None:
        raise EngineError(
            f"The random weights in {folder} can't be read: set ASR_SCALING_CACHE to another "
            "folder."
        )
    return FunAsrWeights(folder, Weights("random", "random", None, reason))


def write_random(layout: Layout, seed: int, folder: Path) -> None:
    """Fills ``folder``: the sizes of ``layout``, and what FunASR's classes begin a training with.

    What decides the cost is set: a recogniser finds ``tokens_per_s``, each of them text, and
    punctuation ends a sentence at each word, so that a text is read in parts of the least size.
    """
    import torch

    config = {"model": layout.network, **layout.config}
    text = yaml.safe_dump(config, allow_unicode=True, sort_keys=False)
    (folder / "config.yaml").write_text(text, encoding="utf-8")
    _write_vocabulary(layout, folder)
    file = folder / "model.pt"
    torch.save({}, file)  # FunASR builds no network without one, and takes what is missing as it is
    build = package().AutoModel.build_model
    options = {"disable_update": True, "trust_remote_code": False, "ncpu": threads()}
    with contained(threads()):
        network, _ = build(model=str(folder), device="cpu", seed=seed, **options)
    with torch.no_grad():
        _pace(network, layout)
    torch.save(network.state_dict(), file)
    seal(folder, {"weights": "random", "seed": seed})


def _write_vocabulary(layout: Layout, folder: Path) -> None:
    """Chinese characters, and words where there are not enough of them."""
    tokenizer, count = layout.config.get("tokenizer"), layout.vocabulary
    if tokenizer is None:
        return
    own = ["<blank>", "<s>", "</s>"] if tokenizer == "CharTokenizer" else ["<unk>", "<s>", "</s>"]
    last = ["<unk>"] if tokenizer == "CharTokenizer" else []
    rest = count - len(own) - len(last)
    letters = [chr(point) for point in _LETTERS[:rest]]
    words = [f"word{number}" for number in range(rest - len(letters))]
    tokens = [*own, *letters, *words, *last]
    if tokenizer == "CharTokenizer":
        text = json.dumps(tokens, ensure_ascii=False)
        (folder / "tokens.json").write_text(text, encoding="utf-8")
    else:
        (folder / "bpe.model").write_bytes(_sentencepiece(tokens))


def _sentencepiece(tokens: list[str]) -> bytes:
    """A vocabulary of the package sentencepiece, of which the first three tokens are no text."""
    layout = importlib.import_module("sentencepiece.sentencepiece_model_pb2")
    kinds = layout.ModelProto.SentencePiece
    model = layout.ModelProto()
    model.trainer_spec.model_type = layout.TrainerSpec.BPE
    model.trainer_spec.vocab_size = len(tokens)
    model.normalizer_spec.add_dummy_prefix = False
    for number, token in enumerate(tokens):
        kind = (kinds.UNKNOWN, kinds.CONTROL, kinds.CONTROL, kinds.NORMAL)[min(number, 3)]
        model.pieces.add(piece=token, score=-float(number), type=kind)
    return bytes(model.SerializeToString())


def _pace(network: Any, layout: Layout) -> None:
    """Sets how many tokens a second has and that they are text, and where a sentence ends."""
    if layout.tokens_per_s is not None:
        share = layout.tokens_per_s * layout.frame_s  # of a token in each frame
        network.predictor.cif_output.weight.zero_()
        network.predictor.cif_output.bias.fill_(math.log(share / (1 - share)))
        network.decoder.output_layer.bias[[*range(_NO_TEXT), -1]] -= _ALWAYS
    if (ctc := getattr(network, "ctc", None)) is not None:
        ctc.ctc_lo.bias[1:_NO_TEXT] -= _ALWAYS
    if (end := getattr(network, "sentence_end_id", None)) is not None:
        network.decoder.bias[end] += _ALWAYS


def folder_weights(path: Path, layout: Layout, option: str) -> FunAsrWeights:
    """The weights that a user has in ``path``.

    ``option``: which names it, for the error.
    Raises WeightsError when the folder can't be that of ``layout``.
    """
    if wrong := folder_fault(path, layout):
        raise WeightsError(f"{option} '{path}' {wrong}.")
    return FunAsrWeights(path, Weights("pretrained", f"path {path}", None))


def folder_fault(path: Path, layout: Layout) -> str:
    """Why ``path`` can't be loaded as ``layout``, a predicate and a remedy; empty where it can."""
    if not path.is_dir():
        return "is not a folder; give one that FunASR can load, with config.yaml and model.pt"
    config = _read_config(path)
    if config is None:
        return "has no config.yaml that can be read; copy the model's whole folder"
    if config.get("model") != layout.network:
        return (
            f"holds a '{config.get('model')}' where a '{layout.network}' is needed; choose the "
            "folder of the other model"
        )
    if not (path / "model.pt").is_file():
        return "has no model.pt; copy the model's whole folder"
    if differing := _differing(layout.config, config):
        return f"holds weights of other sizes ({'; '.join(differing[:4])}); choose its own model"
    return ""


def _read_config(path: Path) -> Mapping[str, Any] | None:
    try:
        config = yaml.safe_load((path / "config.yaml").read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError):
        return None
    return config if isinstance(config, dict) else None


def _differing(wanted: Mapping[str, Any], found: Mapping[str, Any]) -> list[str]:
    """The sizes in ``found`` that are not those in ``wanted``, as "num_blocks 2, not 50"."""
    said = []
    for part, sizes in wanted.items():
        own = found.get(part)
        if not isinstance(sizes, Mapping) or not isinstance(own, Mapping) or part == "model_conf":
            continue
        said += [
            f"{part}.{key} {own[key]}, not {value}"
            for key, value in sizes.items()
            if key in own and own[key] != value and not any(word in key for word in _UNSIZED)
        ]
    return said


def load_error(weights: FunAsrWeights, error: Exception) -> WeightsError:
    """What FunASR's own error means to the user."""
    lines = (str(error).strip() or type(error).__name__).splitlines()
    return WeightsError(
        f"FunASR can't load the weights in {weights.folder} ({lines[0][:200]}): copy or download "
        "the model's whole folder again."
    )
