"""Before the jobs of a cluster begin: what all of them need is fetched or made once, into the cache that they share."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from asr_scaling.model.weights import resolve

_NEITHER = (
    "optimisation",
    "batch",
    "device",
    "profiler",
    "tracking",
    "sweep",
    "optimiser",
    "hydra",
)
"""Groups of options that choose neither speech nor weights: points that differ in them only are composed once."""
Options = Mapping[str, Any]


def prepare(
    points: Iterable[Sequence[str]],
    compose: Callable[[Sequence[str]], Options],
    build: Callable[[dict[str, Any]], Any],
    say: Callable[[str], None],
) -> None:
    """Load every distinct dataset of ``points`` once, and find the weights of every model; nothing is kept in memory.

    ``points``: overrides of each; ``compose``: overrides → options; ``build``: a node of options → its object.
    Fragments, downloads and unpacked weights then lie in the cache (ASR_SCALING_CACHE, HF_HOME) that the jobs read.
    What can't be loaded or composed here is left to the points, whose records say why: nothing is raised. Weights that
    an engine converts are converted by the first job that needs them; the others wait for it (cache.made_once).
    """
    speech, models = _distinct(points, compose)
    if not (speech or models):
        return
    say(f"preparing {len(speech)} dataset(s) and {len(models)} model(s) for the jobs …")
    for node, utterances in speech:
        with suppress(Exception):  # the point's record will have it, in a sentence
            build(node).load(utterances)
    for model, engines in models:
        with suppress(Exception):
            spec = build(model)
            if spec.weights != "random" and any(
                getattr(build(each), "reads_weights", True) for each in engines
            ):
                resolve(spec)


def _distinct(
    points: Iterable[Sequence[str]], compose: Callable[[Sequence[str]], Options]
) -> tuple[
    list[tuple[dict[str, Any], int | None]], list[tuple[dict[str, Any], list[dict[str, Any]]]]
]:
    """Datasets with their number of utterances, and models with the engines that run them: each once."""
    speech: dict[str, tuple[dict[str, Any], int | None]] = {}
    models: dict[str, tuple[dict[str, Any], list[dict[str, Any]]]] = {}
    for overrides in dict.fromkeys(
        tuple(each for each in point if _concerns(each)) for point in points
    ):
        with suppress(Exception):  # Hydra's: the point fails with it
            found = compose(overrides)
            load = (dict(found["dataset"]), found["pipeline"]["utterances"])
            model, engine = dict(found["model"]), dict(found["engine"])
            speech[json.dumps(load, sort_keys=True, default=str)] = load
            models.setdefault(json.dumps(model, sort_keys=True, default=str), (model, []))[
                1
            ].append(engine)
    return list(speech.values()), list(models.values())


def _concerns(override: str) -> bool:
    return (
        override.lstrip("+~").partition("=")[0].partition("@")[0].partition(".")[0] not in _NEITHER
    )
