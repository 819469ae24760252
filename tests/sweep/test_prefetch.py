"""What is fetched and made once before the jobs of a cluster, and what is left to them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from asr_scaling.engine.fake import Fake
from asr_scaling.errors import DataError
from asr_scaling.serving.direct import Direct
from asr_scaling.serving.endpoint import Endpoint
from asr_scaling.sweep import prefetch as module
from asr_scaling.sweep.plan import PlannedPoint
from asr_scaling.sweep.prefetch import prepare


class Site:
    """Composes options from overrides, builds what they describe,
    and writes down what is asked of it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.composed: list[tuple[str, ...]] = []
        self.loaded: list[tuple[Any, int]] = []
        self.resolved: list[str] = []
        self.said: list[str] = []
        monkeypatch.setattr(module, "resolve", lambda spec: self.resolved.append(spec.name))

    def compose(self, overrides: Sequence[str]) -> Mapping[str, Any]:
        self.composed.append(tuple(overrides))
        given = {
            key.lstrip("+"): value for key, _, value in (each.partition("=") for each in overrides)
        }
        if "no.such" in given:
            raise ValueError("Hydra's")
        return {
            "dataset": {"length_s": given.get("dataset.length_s", "5")},
            "pipeline": {"utterances": int(given.get("pipeline.utterances", 16))},
            "model": {
                "name": given.get("model", "tiny"),
                "weights": given.get("model.weights", "auto"),
            },
            "engine": {"engine": given.get("engine", "transformers")},
            "serving": {"serving": given.get("serving", "direct")},
        }

    def build(self, node: Mapping[str, Any]) -> Any:
        if "engine" in node:
            return Fake() if node["engine"] == "fake" else SimpleNamespace()
        if "serving" in node:
            elsewhere = node["serving"] == "endpoint"
            return Endpoint("http://127.0.0.1:8000") if elsewhere else Direct()
        if "weights" in node:
            return SimpleNamespace(**node)

        def load(limit: int) -> None:
            self.loaded.append((node["length_s"], limit))
            if node["length_s"] == "0":
                raise DataError("no such speech")

        return SimpleNamespace(load=load)

    def prepare(self, *points: str) -> None:
        planned = [PlannedPoint.of(point.split()) for point in points]
        prepare(planned, self.compose, self.build, self.said.append)


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Site:
    return Site(monkeypatch)


def test_each_dataset_and_model_once_whatever_else_the_points_differ_in(site: Site):
    lengths, models, batches = ("5", "30"), ("tiny", "base"), ("1", "8", "16")
    site.prepare(
        *(
            f"model={m} dataset.length_s={s} batch.size={b} +optimisation.int8={{}} device=cuda "
            "+sweep.round=0"
            for m in models
            for s in lengths
            for b in batches
        )
    )
    assert site.loaded == [("5", 16), ("30", 16)]
    assert site.resolved == ["tiny", "base"]
    assert len(site.composed) == 4
    assert site.said == ["preparing 2 dataset(s) and 2 model(s) for the jobs …"]


def test_another_number_of_utterances_is_other_speech(site: Site):
    site.prepare("pipeline.utterances=4", "pipeline.utterances=8")
    assert site.loaded == [("5", 4), ("5", 8)]


def test_what_can_not_be_had_is_left_to_its_points(site: Site):
    site.prepare("dataset.length_s=0", "no.such=1", "dataset.length_s=5")
    assert site.loaded == [("0", 16), ("5", 16)]


def test_weights_that_nobody_reads_are_not_fetched(site: Site):
    site.prepare("model=both engine=fake", "model=both engine=onnxruntime")
    assert site.resolved == ["both"]
    site.resolved.clear()
    site.prepare(
        "engine=fake", "model=base model.weights=random", "model=small engine=faster_whisper"
    )
    assert site.resolved == ["small"]


def test_weights_that_a_server_elsewhere_has_are_not_fetched(site: Site):
    site.prepare("model=base serving=endpoint", "model=small serving=direct")
    assert site.resolved == ["small"]


def test_without_points_nothing_is_said(site: Site):
    site.prepare()
    assert (site.said, site.loaded) == ([], [])
