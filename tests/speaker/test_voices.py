"""Embeddings of one voice are near each other, and clusters are speakers."""

from __future__ import annotations

from importlib import metadata
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from asr_scaling.core import clustering
from asr_scaling.core.clustering import cluster
from asr_scaling.core.workload import SAMPLE_RATE_HZ
from asr_scaling.dataset.demo import Demo
from asr_scaling.errors import WeightsError
from asr_scaling.speaker import resemblyzer
from asr_scaling.speaker.resemblyzer import Resemblyzer


def installed() -> bool:
    try:
        metadata.distribution("Resemblyzer")
    except metadata.PackageNotFoundError:
        return False
    return True


needs_weights = pytest.mark.skipif(
    not installed(), reason=f"the weights are not there: {resemblyzer.INSTALL}"
)


@needs_weights
class TestResemblyzer:
    def encoder(self) -> Any:
        Resemblyzer().check()
        return Resemblyzer().load("cpu")

    def test_voices_of_the_demo_are_told_apart(self):
        by_speaker: dict[str, list[Any]] = {}
        for utterance in Demo(condition="clean").load(None).utterances:
            assert utterance.speaker is not None
            by_speaker.setdefault(utterance.speaker, []).append(utterance.audio)
        voices = {name: audio[:4] for name, audio in by_speaker.items() if len(audio) >= 4}
        assert len(voices) >= 3
        encoder = self.encoder()
        found = encoder.embeddings([a[:25_600] for audio in voices.values() for a in audio])
        assert np.linalg.norm(found, axis=1) == pytest.approx(np.ones(len(found)), abs=1e-5)
        alike = found @ found.T
        same = np.kron(np.eye(len(voices)), np.ones((4, 4))).astype(bool)
        np.fill_diagonal(same, False)
        apart = ~np.kron(np.eye(len(voices)), np.ones((4, 4))).astype(bool)
        assert alike[same].mean() > alike[apart].mean() + 0.1

    def test_windows_may_be_given_together_or_alone(self):
        audio = Demo().load(1).utterances[0].audio
        windows = [audio[i * 8000 : i * 8000 + 25_600] for i in range(3)]
        encoder = self.encoder()
        alone = np.concatenate([encoder.embeddings([window]) for window in windows])
        assert encoder.embeddings(windows) == pytest.approx(alone, abs=1e-5)

    def test_the_network_is_the_packages(self):
        """1.42 million parameters, as its paper's table and the package's weights say."""
        facts = self.encoder().facts
        assert facts.parameters == 1_423_616
        assert facts.weights == "pretrained"

    def test_silence_has_an_embedding_too(self):
        found = self.encoder().embeddings([np.zeros(SAMPLE_RATE_HZ, dtype=np.float32)])
        assert np.isfinite(found).all()


def test_without_its_weights_it_says_how_to_get_them(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(resemblyzer, "_PACKAGE", "no-such-package")
    with pytest.raises(WeightsError, match="pip install --no-deps Resemblyzer"):
        Resemblyzer().check()


def blobs(sizes: list[int], spread: float, seed: int = 0) -> tuple[Any, list[int]]:
    """Vectors around orthogonal directions, mixed, with the number of their direction."""
    random = np.random.default_rng(seed)
    labels = random.permutation([k for k, size in enumerate(sizes) for _ in range(size)])
    centres = np.eye(16)[: len(sizes)]
    found = centres[labels] + random.normal(0, spread, (len(labels), 16))
    return (found / np.linalg.norm(found, axis=1, keepdims=True)).astype("f4"), labels.tolist()


def agrees(found: list[int], truth: list[int]) -> bool:
    return len(set(zip(found, truth, strict=True))) == len(set(found)) == len(set(truth))


@pytest.mark.parametrize("sizes", [[5], [4, 9], [20, 3, 12, 7]])
def test_clusters_are_found_and_numbered_as_they_come(sizes: list[int]):
    embeddings, truth = blobs(sizes, 0.1)
    found = cluster(embeddings, 0.5).tolist()
    assert agrees(found, truth)
    firsts = [found.index(number) for number in range(len(sizes))]
    assert firsts == sorted(firsts)


def test_many_are_clustered_part_by_part_with_the_same_answer(monkeypatch: pytest.MonkeyPatch):
    embeddings, truth = blobs([90, 50, 60], 0.1)
    monkeypatch.setattr(clustering, "MOST", 40)
    assert agrees(cluster(embeddings, 0.5).tolist(), truth)


def test_many_of_which_no_two_are_alike_are_as_many_speakers(monkeypatch: pytest.MonkeyPatch):
    """Comparing parts again and again would never end where no part becomes smaller."""
    monkeypatch.setattr(clustering, "MOST", 5)
    embeddings = np.eye(12, dtype=np.float32)
    assert cluster(embeddings, 0.3).tolist() == list(range(12))


@given(
    arrays.arrays(
        np.float32,
        st.tuples(st.integers(1, 30), st.just(4)),
        elements=st.floats(0.125, 1, width=32),
    )
)
def test_every_embedding_has_a_speaker(vectors: Any):
    found = cluster(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), 0.3)
    assert len(found) == len(vectors)
    assert set(found.tolist()) == set(range(max(found.tolist()) + 1))
