"""Before a cluster's jobs begin, what all of them need is put into the cache that they share."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from asr_scaling.core.ports import capabilities
from asr_scaling.model.weights import resolve
from asr_scaling.sweep.plan import PlannedPoint

_MEASURED_BY = ("profiler", "tracking", "sweep", "optimiser", "hydra", "scenario")
_OTHER = ("optimisation", "batch", "device", *_MEASURED_BY)
"""Groups of options that choose neither speech nor weights: none asks for another composition."""
Options = Mapping[str, Any]
Compose = Callable[[Sequence[str]], Options]
"""From overrides to options."""


def prepare(
    points: Iterable[PlannedPoint],
    compose: Compose,
    build: Callable[[dict[str, Any]], Any],
    say: Callable[[str], None],
) -> None:
    """Load every distinct dataset once and find every model's weights; nothing is kept in memory.

    build: from a node of the options to its object.
    Fragments, downloads and unpacked weights are in the cache then (ASR_SCALING_CACHE, HF_HOME).
    Weights that an engine converts are converted by the first job that needs them.
    Raises nothing: the record of a point says why its dataset or model can't be loaded.
    """
    speech, models = _distinct(points, compose)
    if not (speech or models):
        return
    say(f"preparing {len(speech)} dataset(s) and {len(models)} model(s) for the jobs …")
    for dataset, utterances in speech:
        with suppress(Exception):  # the point fails with it
            build(dataset).load(utterances)
    for model, engines in models:
        with suppress(Exception):
            spec = build(model)
            needed = any(_reads_weights(engine, serving, build) for engine, serving in engines)
            if spec.weights != "random" and needed:
                resolve(spec)


_Speech = tuple[dict[str, Any], int | None]
"""Options of a dataset, and how many of its utterances are loaded (None: all)."""
_Engine = tuple[dict[str, Any], dict[str, Any]]
"""Options of an engine and of how requests become calls of it, or of a server elsewhere."""
_Model = tuple[dict[str, Any], list[_Engine]]
"""Options of a model and of the engines that run it."""


def _reads_weights(
    engine: dict[str, Any], serving: dict[str, Any], build: Callable[[dict[str, Any]], Any]
) -> bool:
    return capabilities(build(serving).answering(build(engine))).reads_weights


def _distinct(
    points: Iterable[PlannedPoint], compose: Compose
) -> tuple[list[_Speech], list[_Model]]:
    """Every dataset and every model of the points, once."""
    speech: dict[str, _Speech] = {}
    models: dict[str, _Model] = {}
    for overrides in dict.fromkeys(point.without(_OTHER) for point in points):
        with suppress(Exception):  # Hydra's: the point fails with it
            options = compose(overrides)
            load = (dict(options["dataset"]), options["pipeline"]["utterances"])
            model, engine = dict(options["model"]), dict(options["engine"])
            speech[json.dumps(load, sort_keys=True, default=str)] = load
            same = models.setdefault(json.dumps(model, sort_keys=True, default=str), (model, []))
            same[1].append((engine, dict(options["serving"])))
    return list(speech.values()), list(models.values())
