"""Where the weights of a model come from: a folder, the hub, a package, or chance.

Importing this imports neither torch nor transformers.
"""

from __future__ import annotations

import json
import os
import re
import ssl
import struct
import urllib.error
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

from asr_scaling.core.model_spec import ModelSpec
from asr_scaling.errors import WeightsError
from asr_scaling.model import weight_packages
from asr_scaling.util.http import ask_url

HUB_VARIABLE = "ASR_SCALING_HUB"
"""Environment variable that tells a sweep's other processes that the hub is "up" or "down"."""
PROBE_S = 3.0
"""Longest time, in seconds, to wait for the hub's answer, DNS included."""

_TOKEN = "a token is needed (set HF_TOKEN or run  hf auth login)"
_SMALL = ["*.json", "*.txt", "*.model"]
_SAFETENSORS = ["model.safetensors", "model-*-of-*.safetensors"]
_BIN = ["pytorch_model.bin", "pytorch_model-*-of-*.bin"]
"""Read by transformers with weights_only, never unpickled."""
_NAMES = ("model.safetensors", "pytorch_model.bin")
_LOADED = tuple(name + suffix for name in _NAMES for suffix in ("", ".index.json"))
"""In the order in which transformers looks for them."""
_TOKENIZERS = ("tokenizer.json", "vocab.json", "tokenizer.model")


@dataclass(frozen=True)
class Weights:
    """Weights that an engine can load.

    ``kind``: "pretrained" or "random".
    ``source``: where they come from, for the record ("hub openai/whisper-base", "package … 0.1.0").
    ``folder``: a folder in the hub's layout, None for random weights.
    ``reason``: why they are random, a sentence; empty for pretrained ones.
    ``revision``: the commit on the hub, None when there is none.
    """

    kind: Literal["pretrained", "random"]
    source: str
    folder: Path | None
    reason: str = ""
    revision: str | None = None

    @property
    def origin(self) -> str:
        """Where they come from; of random weights, why there are no others."""
        return self.reason or self.source


def resolve(spec: ModelSpec) -> Weights:
    """The weights of ``spec``: ``spec.path``, else the hub's cache, the hub, or a package.

    For "auto", random weights are the last resort. A hub that can't be reached costs ``PROBE_S`` at
    most, once per process.
    Raises WeightsError when ``spec.path`` can't be used, and when "pretrained" ones are nowhere.
    """
    if spec.weights == "random":
        reason = "Random weights were asked for with model.weights=random."
        return Weights("random", "random", None, reason)
    if spec.path is not None:
        return _from_path(spec, Path(spec.path).expanduser())
    tried: list[str] = []
    for place in (_from_cache, _from_hub, _from_packages):
        weights = place(spec)
        if isinstance(weights, Weights):
            return weights
        tried.append(weights)
    reason = f"No pretrained weights of '{spec.hub_id}' were found: {', '.join(tried)}"
    if spec.weights == "auto":
        return Weights("random", "random", None, f"{reason}.")
    carried = spec.hub_id in weight_packages.CARRIERS and weight_packages.find(spec.hub_id) is None
    mend = f"install '{weight_packages.EXTRA}', " if carried else ""
    raise WeightsError(
        f"{reason}; {mend}set model.path to a folder in the hub's layout, "
        "or use model.weights=random."
    )


@cache
def hub_reachable() -> bool:
    """True when the model hub may be asked and answers.

    That is checked once per process and left in ``HUB_VARIABLE``. ``HF_HUB_OFFLINE`` and
    ``TRANSFORMERS_OFFLINE`` forbid even the question. ``HF_ENDPOINT`` and the usual proxy variables
    are honoured.
    """
    if _forbidden():
        return False
    if (state := os.environ.get(HUB_VARIABLE)) in ("up", "down"):
        return state == "up"
    up = _answers(_endpoint(), PROBE_S)
    os.environ[HUB_VARIABLE] = "up" if up else "down"
    return up


def _forbidden() -> bool:
    names = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE")
    return any(os.environ.get(name, "").upper() in ("1", "ON", "YES", "TRUE") for name in names)


def _endpoint() -> str:
    return os.environ.get("HF_ENDPOINT") or "https://huggingface.co"


def _answers(url: str, timeout_s: float) -> bool:
    """Whether anything at ``url`` answers in time."""
    try:
        ask_url(url, timeout_s, "HEAD")
    except urllib.error.HTTPError as error:
        return error.code < 500
    except urllib.error.URLError as error:  # the hub's client brings certificates of its own
        return isinstance(error.reason, ssl.SSLCertVerificationError)
    except Exception:
        return False
    return True


def _from_path(spec: ModelSpec, folder: Path) -> Weights:
    if fault := _fault(folder, spec):
        raise WeightsError(
            f"model.path '{folder}' {fault}; point it at a folder in the hub's layout "
            "(config.json, model.safetensors, tokenizer files) or remove it."
        )
    return Weights("pretrained", f"path {folder}", folder, revision=_commit(folder))


def _from_cache(spec: ModelSpec) -> Weights | str:
    """Weights in the hub's cache on this disk, or why there are none."""
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    try:
        config = try_to_load_from_cache(spec.hub_id, "config.json", revision=spec.revision)
    except HFValidationError:
        return "its hub_id is not a name the hub can have"
    if not isinstance(config, str):
        return "the hub's cache does not hold it"
    folder = Path(config).parent
    fault = _fault(folder, spec)
    if not fault and not any((folder / name).is_file() for name in _TOKENIZERS):
        fault = "has no tokenizer"
    return f"the hub's cache {fault}" if fault else _pretrained(spec, "hub cache", folder)


def _from_hub(spec: ModelSpec) -> Weights | str:
    """Weights downloaded from the hub, or why they could not be."""
    if not hub_reachable():
        forbidden = "HF_HUB_OFFLINE forbids the hub"
        return forbidden if _forbidden() else f"{_endpoint()} can't be reached"
    from huggingface_hub import snapshot_download

    fault = ""
    try:
        small = _SMALL + (["*.py"] if spec.trust_remote_code else [])
        for patterns in (small + _SAFETENSORS, small + _BIN):
            path = snapshot_download(
                spec.hub_id,
                revision=spec.revision,
                allow_patterns=patterns,
                ignore_patterns=["*/*"],
            )
            folder = Path(path)
            if not (fault := _fault(folder, spec)):
                return _pretrained(spec, "hub", folder)
    except Exception as error:  # of its client, of that one's HTTP library, or of the disk
        return _refusal(error, spec)
    return f"the hub's folder {fault}"


def _refusal(error: Exception, spec: ModelSpec) -> str:
    """What the hub's error means to the user.

    An error that says the hub is unreachable spares the next model the wait.
    """
    from huggingface_hub import errors

    status = getattr(getattr(error, "response", None), "status_code", None)
    if isinstance(error, errors.GatedRepoError):
        return f"the hub guards it, so {_TOKEN} after its terms are accepted on its page"
    if isinstance(error, errors.RevisionNotFoundError):
        return f"the hub has no revision '{spec.revision}' of it"
    if isinstance(error, errors.RepositoryNotFoundError) or status in (401, 403):
        return f"the hub does not show it, so if it is private {_TOKEN}"
    if isinstance(error, errors.LocalEntryNotFoundError):
        os.environ[HUB_VARIABLE] = "down"
        hub_reachable.cache_clear()
    return f"the download from {_endpoint()} failed ({type(error).__name__})"


def _from_packages(spec: ModelSpec) -> Weights | str:
    """Weights that installed packages carry, or why there are none."""
    try:
        carried = weight_packages.package_weights(spec.hub_id, spec)
    except WeightsError as error:
        return f"its package does not help ({str(error).rstrip('.')})"
    if carried is None:
        return "no installed package carries it"
    folder, source = carried
    return Weights("pretrained", source, folder)


def _pretrained(spec: ModelSpec, place: str, folder: Path) -> Weights:
    return Weights("pretrained", f"{place} {spec.hub_id}", folder, revision=_commit(folder))


def _commit(folder: Path) -> str | None:
    """The commit of a snapshot in the hub's cache: the name of its folder."""
    snapshot = folder.parent.name == "snapshots" and re.fullmatch(r"[0-9a-f]{40}", folder.name)
    return folder.name if snapshot else None


def _fault(folder: Path, spec: ModelSpec) -> str:
    """Why ``folder`` can't be loaded as ``spec``, as a predicate ("has no …"); empty if it can."""
    try:
        kind = json.loads((folder / "config.json").read_bytes())["model_type"]
    except (OSError, ValueError, KeyError, TypeError):
        return "has no config.json that can be read" if folder.is_dir() else "is not a folder"
    if kind != spec.model_type:
        return f"holds a '{kind}' model where '{spec.model_type}' is needed"
    for name in _LOADED:
        if (folder / name).exists():
            whole = _complete(folder / name)
            return "" if whole else f"has a {name} that is cut off or lacks a part"
    return "has neither model.safetensors nor pytorch_model.bin"


def _complete(path: Path) -> bool:
    """Whether ``path``, and every part it names if it is an index, is whole."""
    if path.suffix != ".json":
        return _whole(path)
    try:
        shards = set(json.loads(path.read_bytes())["weight_map"].values())
        return bool(shards) and all(_whole(path.with_name(shard)) for shard in shards)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False


def _whole(path: Path) -> bool:
    """True when ``path`` is a file of weights of full length, as far as header and size tell."""
    try:
        size = path.stat().st_size
        if path.suffix != ".safetensors" or size < 8:
            return size >= 8
        with path.open("rb") as file:
            (length,) = struct.unpack("<Q", file.read(8))
            # the limit is that of safetensors
            header = json.loads(file.read(length)) if length < min(size, 100_000_000) else {}
        header.pop("__metadata__", None)
        ends = [entry["data_offsets"][1] for entry in header.values()]
        return bool(size == 8 + length + max(ends, default=-1))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, IndexError):
        return False
