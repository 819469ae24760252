"""Where the weights of FunASR's recognisers come from: a folder, ModelScope, or chance."""

from __future__ import annotations

import importlib
import os
import urllib.error
from functools import cache
from pathlib import Path

from asr_scaling.core.model_spec import ModelSpec
from asr_scaling.errors import WeightsError
from asr_scaling.machine.threads import threads
from asr_scaling.model.funasr_folders import (
    FunAsrWeights,
    folder_fault,
    folder_weights,
    random_weights,
)
from asr_scaling.model.funasr_layouts import Layout, layout_of
from asr_scaling.model.funasr_package import contained
from asr_scaling.model.weights import PROBE_S, Weights, hub_forbidden
from asr_scaling.util.files import user_path
from asr_scaling.util.http import ask_url

VARIABLE = "ASR_SCALING_MODELSCOPE"
"""Environment variable that tells a sweep's other processes that ModelScope is "up" or "down"."""
_URL = "https://www.modelscope.cn"


def recogniser_weights(spec: ModelSpec, seed: int) -> FunAsrWeights:
    """The weights of ``spec``: ``spec.path``, else ModelScope's cache on this disk, or ModelScope.

    For "auto", random weights are the last resort.
    ``seed``: of random weights.
    Raises WeightsError when ``spec.path`` can't be used, and when "pretrained" ones are nowhere.
    """
    layout = layout_of(spec)
    if spec.weights == "random":
        reason = "Random weights were asked for with model.weights=random."
        return random_weights(layout, seed, reason)
    if spec.path is not None:
        return folder_weights(user_path(spec.path), layout, "model.path")
    tried: list[str] = []
    for local in (True, False):
        found = _from_modelscope(spec, layout, local)
        if isinstance(found, FunAsrWeights):
            return found
        tried.append(found)
    reason = f"No pretrained weights of '{spec.hub_id}' were found: {', '.join(tried)}"
    if spec.weights == "auto":
        return random_weights(layout, seed, f"{reason}.")
    raise WeightsError(
        f"{reason}; set model.path to a folder that FunASR can load, or use model.weights=random."
    )


def _from_modelscope(spec: ModelSpec, layout: Layout, local: bool) -> FunAsrWeights | str:
    """Weights from ModelScope, or why there are none.

    ``local``: only from its cache on this disk.
    """
    if not local and not modelscope_reachable():
        forbidden = "HF_HUB_OFFLINE forbids every hub"
        return forbidden if hub_forbidden() else f"{_URL} can't be reached"
    try:
        with contained(threads()):
            client = importlib.import_module("modelscope.hub.snapshot_download")
            path = client.snapshot_download(
                spec.hub_id, revision=spec.revision, local_files_only=local
            )
    except Exception as error:  # of its client, of that one's HTTP library, or of the disk
        if local:
            return "ModelScope's cache does not hold it"
        return f"the download from {_URL} failed ({type(error).__name__})"
    folder = Path(path)
    if wrong := folder_fault(folder, layout):
        return f"ModelScope's folder {wrong.partition(';')[0]}"
    place = "ModelScope's cache" if local else "ModelScope"
    return FunAsrWeights(folder, Weights("pretrained", f"{place} {spec.hub_id}", None))


@cache
def modelscope_reachable() -> bool:
    """True when ModelScope may be asked and answers.

    That is checked once per process and left in ``VARIABLE``. What forbids the other hub
    (``HF_HUB_OFFLINE``) forbids this one.
    """
    if hub_forbidden():
        return False
    if (state := os.environ.get(VARIABLE)) in ("up", "down"):
        return state == "up"
    up = _answers()
    os.environ[VARIABLE] = "up" if up else "down"
    return up


def _answers() -> bool:
    try:
        ask_url(_URL, PROBE_S, "HEAD")
    except urllib.error.HTTPError as error:
        return error.code < 500
    except Exception:
        return False
    return True
