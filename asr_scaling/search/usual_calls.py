"""How long the calls of trials took, without what befell a single one of them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

_LIMIT = math.log(1.5)
"""A call counts for at most so much longer, in log seconds, than the others lead to expect."""
_SURE_FOOTED = 0.25
"""Share of the trials that is taken to have stumbled over no text."""


def log_totals(trials: Sequence[Mapping[str, float]]) -> list[float]:
    """The logarithm of each trial's seconds in all its calls.

    trials: of each the seconds of the same calls, by their utterances.

    A trial has few calls. One text in a hundred that loops, and is decoded again, would be one of
    six here, and count for all speech. So a call that took longer than the trial's others lead to
    expect, by how long the calls take beside each other in other trials, counts with that limit.
    Where many systems stumble over the same text, the trials of those that don't are the measure.
    """
    calls = sorted(trials[0])
    logs = np.log([[trial[call] for call in calls] for trial in trials])
    beside = logs - np.median(logs, axis=1, keepdims=True)
    usual = np.quantile(beside, _SURE_FOOTED, axis=0, method="higher")
    level = np.median(logs - usual, axis=1, keepdims=True)
    kept = np.minimum(logs, level + usual + _LIMIT)
    return [float(total) for total in np.log(np.exp(kept).sum(axis=1))]
