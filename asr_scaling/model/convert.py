"""Weights in the format of another engine: converted and checked once, kept in the cache."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asr_scaling.core.model_spec import ModelSpec
from asr_scaling.core.workload import SAMPLE_RATE_HZ
from asr_scaling.errors import AsrScalingError, EngineError
from asr_scaling.model import transformers_objects
from asr_scaling.model.weights import Weights, resolve
from asr_scaling.util.cache import cache_dir, made_once, seal, sealed

_CHECKS = 1
"""Raise it when weights are refused that were converted before."""
Make = Callable[[Path, Path], Mapping[str, Any]]
"""``(folder in the hub's layout, empty folder to fill) → facts about the conversion``.

The facts include its check against transformers.

Raises EngineError when the check fails. Random weights come without a tokenizer."""


@dataclass(frozen=True)
class Converted:
    """Converted weights.

    ``folder``: what ``make`` wrote.
    ``weights``: where they are from.
    ``facts``: what ``make`` returned.
    """

    folder: Path
    weights: Weights
    facts: Mapping[str, Any]


def converted(
    spec: ModelSpec,
    kind: str,
    make: Make,
    seed: int = 42,
    *,
    random_files: bool = True,
    **options: Any,
) -> Converted:
    """The weights of ``spec`` in the format ``kind`` ("ctranslate2"), from the cache or made now.

    ``make``: makes them.
    ``seed``: of random weights.
    ``random_files``: False when ``make`` needs no files of random weights in its folder.
    ``options``: whatever else shapes the result, such as the version of the converter.
    Raises WeightsError as ``resolve`` does, EngineError when the weights can't be converted.
    """
    weights = resolve(spec)
    identity = [_CHECKS, kind, options, spec.model_type, spec.multilingual]
    identity += [
        transformers_objects.plain(spec.architecture),
        transformers_objects.plain(spec.features),
    ]
    identity.append(seed if weights.folder is None else _files(weights.folder))
    digest = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()
    folder = cache_dir("converted") / f"{spec.name}-{kind}-{digest[:16]}"

    def fill(new: Path) -> None:
        with TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as scratch:
            source = weights.folder or Path(scratch)
            if weights.folder is None and random_files:
                _write_random(spec, seed, source)
            facts = make(source, new)
            seal(new, {"kind": kind, "source": weights.source, **facts})

    manifest = _made_once(spec, kind, folder, fill)
    facts = {k: v for k, v in manifest.items() if k not in ("files", "kind", "source")}
    return Converted(folder, weights, facts)


def _made_once(
    spec: ModelSpec, kind: str, folder: Path, fill: Callable[[Path], None]
) -> Mapping[str, Any]:
    """The manifest of ``folder``, which ``fill`` makes where there is none.

    Raises EngineError when the weights can't be converted, or the folder can't be read.
    """
    try:
        manifest = made_once(folder, lambda: sealed(folder), fill)
    except AsrScalingError:
        raise
    except Exception as error:  # a converter is a library of its own, with errors of its own
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise EngineError(
            f"The weights of '{spec.name}' can't be converted for {kind} ({reason})."
        ) from error
    if manifest is None:
        raise EngineError(
            f"The converted weights in {folder} can't be read: "
            "set ASR_SCALING_CACHE to another folder."
        )
    return manifest


def _files(folder: Path) -> list[tuple[str, int, int]]:
    """What the folder holds, by name, size in bytes and time of change."""
    entries = ((path.name, path.stat()) for path in sorted(folder.iterdir()) if path.is_file())
    return [(name, stat.st_size, stat.st_mtime_ns) for name, stat in entries]


def _write_random(spec: ModelSpec, seed: int, folder: Path) -> None:
    """Random weights and feature extractor of ``spec``, in the hub's layout."""
    network: Any = transformers_objects.random_model(spec, seed)
    network.save_pretrained(folder)
    transformers_objects.feature_extractor(spec).save_pretrained(folder)


def example_audio(seconds: float = 4.0) -> NDArray[np.float32]:
    """Noise in bursts, the same every time, float32 ``[samples]`` at 16 kHz; for checks."""
    times_s = np.arange(round(seconds * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
    loudness = np.sin(2 * np.pi * 3 * times_s) ** 2
    noise = np.random.default_rng(0).normal(0, 0.1, times_s.size)
    return (noise * loudness).astype(np.float32)  # type: ignore[no-any-return]


def difference(computed: NDArray[np.float32], wanted: NDArray[np.float32]) -> float:
    """Root mean square difference of logits, in standard deviations of the ``wanted`` ones."""
    return float(np.sqrt(np.mean((computed - wanted) ** 2)) / wanted.std())


def check_difference(spec: ModelSpec, engine: str, distance: float, tolerance: float) -> None:
    """Raises EngineError when logits are further from transformers' than ``tolerance``, or NaN."""
    if not distance <= tolerance:
        raise EngineError(
            f"'{spec.name}' converted for engine={engine} gives logits that differ from "
            f"transformers' by {distance:.2g} of their standard deviation, where {tolerance:g} is "
            "allowed: use another engine.dtype or engine."
        )
