"""Embeddings that are alike become one voice."""

from __future__ import annotations

import numpy as np
import pytest

from asr_scaling.core.clustering import cluster


def around(direction: list[float], count: int, seed: int) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(0, 0.05, (count, len(direction)))
    return (np.array(direction) + noise).astype(np.float32)


def test_two_voices_in_the_order_of_their_appearance():
    one, two = around([1, 0, 0], 4, 1), around([0, 1, 0], 3, 2)
    labels = cluster(np.concatenate([two[:1], one, two[1:]]), 0.4)
    assert labels.tolist() == [0, 1, 1, 1, 1, 0, 0]
    assert labels.dtype == np.int64


@pytest.mark.parametrize(("threshold", "voices"), [(0.0, 6), (0.4, 2), (2.0, 1)])
def test_the_threshold_decides_how_many(threshold: float, voices: int):
    both = np.concatenate([around([1, 0], 3, 1), around([-1, 0.2], 3, 2)])
    assert len(set(cluster(both, threshold).tolist())) == voices


def test_length_does_not_matter():
    one = around([1, 0, 0], 3, 3)
    scaled = one * np.array([[1], [100], [0.01]], np.float32)
    assert cluster(scaled, 0.1).tolist() == [0, 0, 0]


def test_the_distance_of_groups_is_the_mean_of_their_members():
    """60 degrees apart is 0.5; the third is 0.5 and 1.5 from the first two, 1 on average."""
    angles = np.radians([0, 60, 120])
    vectors = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    assert cluster(vectors, 0.99).tolist() == [0, 0, 1]
    assert cluster(vectors, 1.01).tolist() == [0, 0, 0]


@pytest.mark.parametrize("count", [0, 1])
def test_too_few_to_compare(count: int):
    assert cluster(np.ones((count, 3), np.float32), 0.4).tolist() == [0] * count


def test_vectors_of_no_length_are_alike_to_none():
    vectors = np.array([[1, 0], [0, 0], [1, 0]], np.float32)
    assert cluster(vectors, 0.5).tolist() == [0, 1, 0]
