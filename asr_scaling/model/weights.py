"""Where the weights of a model come from: a folder, the hub, a package, or chance.

Importing this imports neither torch nor transformers.
"""

from __future__ import annotations

import os
import re
import ssl
import urllib.error
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

from asr_scaling.core.model_spec import ModelSpec
from asr_scaling.errors import WeightsError
from asr_scaling.model import weight_packages
from asr_scaling.model.folder_check import fault
from asr_scaling.model.vocabulary_check import Fault
from asr_scaling.util.files import user_path
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
        return _from_path(spec, user_path(spec.path))
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
    if hub_forbidden():
        return False
    if (state := os.environ.get(HUB_VARIABLE)) in ("up", "down"):
        return state == "up"
    up = _answers(_endpoint(), PROBE_S)
    os.environ[HUB_VARIABLE] = "up" if up else "down"
    return up


def hub_forbidden() -> bool:
    """True when the user wants no hub to be asked."""
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
    if wrong := fault(folder, spec):
        raise WeightsError(f"model.path '{folder}' {wrong.what}; {wrong.mend}.")
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
        return _not_cached(spec)
    folder = Path(config).parent
    wrong = fault(folder, spec)
    if wrong is None:
        return _pretrained(spec, "hub cache", folder)
    _refuse_other(spec, wrong)
    return f"the hub's cache {wrong.what}"


def _not_cached(spec: ModelSpec) -> str:
    """Why the hub's cache has no such model, or not this revision of it."""
    from huggingface_hub import constants
    from huggingface_hub.file_download import repo_folder_name

    name = repo_folder_name(repo_id=spec.hub_id, repo_type="model")
    refs = Path(constants.HF_HUB_CACHE, name, "refs")
    others = sorted(str(path.relative_to(refs)) for path in refs.rglob("*") if path.is_file())
    if not others or spec.revision in others:
        return "the hub's cache does not hold it"
    return f"the hub's cache has it at {', '.join(others)} and not at revision '{spec.revision}'"


def _refuse_other(spec: ModelSpec, wrong: Fault) -> None:
    """Raises WeightsError where the hub's name stands for another model than the one chosen."""
    if wrong.other:
        raise WeightsError(f"'{spec.hub_id}' on the hub {wrong.what}; {wrong.mend}.")


def _from_hub(spec: ModelSpec) -> Weights | str:
    """Weights downloaded from the hub, or why they could not be."""
    if not hub_reachable():
        forbidden = "HF_HUB_OFFLINE forbids the hub"
        return forbidden if hub_forbidden() else f"{_endpoint()} can't be reached"
    from huggingface_hub import snapshot_download

    wrong: Fault | None = None
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
            if (wrong := fault(folder, spec)) is None:
                return _pretrained(spec, "hub", folder)
            _refuse_other(spec, wrong)
    except WeightsError:
        raise
    except Exception as error:  # of its client, of that one's HTTP library, or of the disk
        return _refusal(error, spec)
    return f"the hub's folder {wrong.what if wrong else 'is empty'}"


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
