"""Which voices are one: embeddings joined while they are alike."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_LEAST = 1e-12
"""Length below which a vector is taken for none."""


def cluster(embeddings: NDArray[np.float32], threshold: float) -> NDArray[np.int64]:
    """The number of the group of each embedding, shape ``[n]``, from 0 in the order of appearance.

    ``embeddings``: shape ``[n, values]``, of any length but zero.
    ``threshold``: two groups are joined while the mean cosine distance between their members is at
    most this; 0 joins only what points the same way, 2 joins everything.
    """
    from scipy.cluster.hierarchy import fcluster, linkage
    from scipy.spatial.distance import squareform

    if len(embeddings) < 2:
        return np.zeros(len(embeddings), dtype=np.int64)
    vectors = np.asarray(embeddings, dtype=np.float64)
    vectors = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), _LEAST)
    distances = np.clip(1 - vectors @ vectors.T, 0, 2)
    np.fill_diagonal(distances, 0)
    tree = linkage(squareform(distances, checks=False), method="average")
    return _by_appearance(fcluster(tree, threshold, criterion="distance"))


def _by_appearance(labels: NDArray[np.int64]) -> NDArray[np.int64]:
    """``labels`` renamed so that the first is 0, the next other one 1, and so on."""
    numbers: dict[int, int] = {}
    return np.array([numbers.setdefault(int(label), len(numbers)) for label in labels], np.int64)
