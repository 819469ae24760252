"""How far copies of an utterance agree with it in what a faster system changes of its word errors.

    python -m asr_scaling -m engine=faster_whisper pipeline.utterances=675 profiler=quality \\
        'optimisation=[dynamic_window],[int8,dynamic_window]'
    python benchmarks/copies.py PLAIN/record.json FASTER/record.json

Prints WER by what was done to the copies, the correlation of changes within an utterance and its
copies (intraclass, by analysis of variance), and what the words show with copies and without.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from asr_scaling.analysis.comparison.word_errors import word_counts
from asr_scaling.core.record import RunRecord
from asr_scaling.core.word_loss import Counts, word_loss
from asr_scaling.core.workload import COPY_MARK, original_id

RESAMPLED = 1000
"""Bootstrap samples of utterances, for the interval of the correlation."""


def correlation(groups: Sequence[Sequence[float]]) -> float:
    """Intraclass correlation of values within groups of one size: Fisher's, by mean squares."""
    values = np.asarray(groups, float)
    size = values.shape[1]
    between = size * values.mean(axis=1).var(ddof=1)
    within = values.var(axis=1, ddof=1).mean()
    total = between + (size - 1) * within
    return float((between - within) / total) if total else float("nan")


def interval(groups: Sequence[Sequence[float]]) -> tuple[float, float]:
    """Of 95 %, by resampling groups."""
    rng, values = np.random.default_rng(42), np.asarray(groups, float)
    drawn = [
        correlation(values[rng.integers(len(values), size=len(values))].tolist())
        for _ in range(RESAMPLED)
    ]
    low, high = np.nanquantile(drawn, [0.025, 0.975])
    return float(low), float(high)


def by_change(counts: Counts) -> dict[str, float]:
    """What was done to copies → their WER in per cent; "" for originals."""
    sums: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for key, (errors, words) in counts.items():
        own = sums[key.partition(COPY_MARK)[2]]
        own[0] += errors
        own[1] += words
    return {name: 100 * errors / words for name, (errors, words) in sums.items()}


def shown(name: str, a: Mapping[str, tuple[int, int]], b: Mapping[str, tuple[int, int]]) -> str:
    """What a comparison of both finds, as a line."""
    loss = word_loss(a, b)
    assert loss is not None
    low, high, upper = (100 * x for x in (loss.interval.low, loss.interval.high, loss.upper))
    return (
        f"{name}: {loss.words} words, {loss.worse} worse and {loss.better} better, "
        f"{100 * loss.change:+.2f} points ({low:+.2f} to {high:+.2f}, at most {upper:+.2f}), "
        f"overdispersion {loss.overdispersion:.2f}"
    )


def main(plain: str, faster: str) -> None:
    """Print what is found of both records."""
    a, b = (word_counts(RunRecord.read(Path(path))) for path in (plain, faster))
    groups = defaultdict(list)
    for key in a:
        groups[original_id(key)].append(b[key][0] - a[key][0])
    changes = list(groups.values())
    print({name: round(wer, 1) for name, wer in by_change(a).items()})
    found, (low, high) = correlation(changes), interval(changes)
    print(f"Correlation within an utterance and its copies: {found:.2f} ({low:.2f} to {high:.2f})")
    originals = [{k: v for k, v in side.items() if COPY_MARK not in k} for side in (a, b)]
    print(shown("originals", *originals))
    print(shown("with copies", a, b))
    apart = [{k.replace(COPY_MARK, "-"): v for k, v in side.items()} for side in (a, b)]
    print(shown("with copies as if independent", *apart))


if __name__ == "__main__":
    main(*sys.argv[1:])
