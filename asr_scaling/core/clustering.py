"""Voices become speakers: agglomerative clustering of embeddings by their angles."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

MOST = 1500
"""Embeddings that are compared with each other at once: memory grows with their square."""


def cluster(embeddings: NDArray[np.float32], threshold: float) -> NDArray[np.int64]:
    """The number of the speaker of each embedding, from 0 in the order of their first windows.

    Average linkage by cosine distance; clusters up to ``threshold`` apart become one. Of more than
    ``MOST`` embeddings, each part of so many is clustered, then the mean of each cluster.
    embeddings: shape ``[windows, values]``, vectors of length 1; one of zeros is like no other.
    """
    count = len(embeddings)
    if count <= MOST:
        return _numbered(_linked(embeddings, threshold))
    labels, means = np.empty(count, dtype=np.int64), list[NDArray[np.float32]]()
    for start in range(0, count, MOST):
        part = embeddings[start : start + MOST]
        own = _numbered(_linked(part, threshold))
        labels[start : start + MOST] = own + len(means)
        means += [part[own == number].mean(axis=0) for number in range(own.max() + 1)]
    if len(means) == count:  # no two of a part are one: comparing the parts would not end
        return labels
    return _numbered(cluster(np.stack(means), threshold)[labels])


def _linked(embeddings: NDArray[np.float32], threshold: float) -> NDArray[np.int64]:
    from scipy.cluster.hierarchy import fcluster, linkage
    from scipy.spatial.distance import pdist

    if len(embeddings) < 2:
        return np.zeros(len(embeddings), dtype=np.int64)
    apart = np.nan_to_num(pdist(embeddings.astype(np.float64), "cosine"), nan=1.0)
    tree = linkage(apart, "average")
    found: NDArray[np.int64] = fcluster(tree, threshold, "distance").astype(np.int64)
    return found


def _numbered(labels: NDArray[np.int64]) -> NDArray[np.int64]:
    """The same clusters, numbered from 0 in the order in which they come."""
    order = {label: number for number, label in enumerate(dict.fromkeys(labels.tolist()))}
    return np.array([order[label] for label in labels.tolist()], dtype=np.int64)
