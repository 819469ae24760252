"""Does a difference in WER show what it is said to? Systems of known loss, simulated many times.

    python benchmarks/word_loss.py                # two minutes on one core
    python benchmarks/word_loss.py --studies 200

Utterances have 5 to 30 words. Words that only one of the two gets wrong come one by one, in clumps
of 1.3 words on average (as in the records of docs/results), in clumps of 2, mostly in the few hard
utterances, or, for B, a third of them in texts that loop for twenty words. A is as often better as
worse, but for the true loss.

The first table is of one reading, over all numbers of utterances; the second of reading on until
it is decided, as a search does it: twice as much speech each time. "Missed" is how often the
interval of 95 % did not hold the truth.
"""

from __future__ import annotations

import argparse
import itertools
from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from asr_scaling.core.word_loss import WordLoss, word_loss

BOUND = 0.005
"""Half a point."""
RATES = (0.0, 0.002, 0.01, 0.05)
"""Share of the words that only one of the two gets wrong, whatever the loss."""
LOSSES = (0.0, 0.003, BOUND, 0.01)
"""Of B; the bound itself stands for all that is just beyond it."""
UTTERANCES = (10, 40, 100, 300)
READING_ON = (16, 32, 64, 128, 256, 512)
"""Utterances after each reading."""
_Ints = NDArray[np.int64]
Draw = Callable[[np.random.Generator, NDArray[np.float64]], _Ints]
"""Expected words that differ in each utterance → how many do."""


def single(rng: np.random.Generator, expected: NDArray[np.float64]) -> _Ints:
    return rng.poisson(expected)


def in_clumps(mean: float) -> Draw:
    """Clumps of geometric size."""

    def draw(rng: np.random.Generator, expected: NDArray[np.float64]) -> _Ints:
        clumps = rng.poisson(expected / mean)
        more = rng.negative_binomial(np.maximum(clumps, 1), 1 / mean)
        return clumps + np.where(clumps > 0, more, 0)

    return draw


def hard(rng: np.random.Generator, expected: NDArray[np.float64]) -> _Ints:
    """How hard an utterance is follows a gamma distribution of shape 0.3."""
    return rng.poisson(expected * rng.gamma(0.3, 1 / 0.3, expected.shape))


def loops(rng: np.random.Generator, expected: NDArray[np.float64]) -> _Ints:
    return rng.poisson(expected * 2 / 3) + 20 * rng.poisson(expected / 60)


KINDS: dict[str, Draw] = {
    "one by one": single,
    "clumps of 1.3": in_clumps(1.3),
    "clumps of 2": in_clumps(2.0),
    "hard utterances": hard,
    "some loop": loops,
}


def differences(
    rng: np.random.Generator, kind: str, rate: float, loss: float, shape: tuple[int, int]
) -> tuple[_Ints, _Ints]:
    """Errors that B has more in each utterance, and its words; ``shape``: studies, utterances."""
    words = rng.integers(5, 31, shape)
    expected = words.astype(np.float64)
    worse = KINDS[kind](rng, (rate / 2 + loss) * expected)
    better = KINDS["one by one" if kind == "some loop" else kind](rng, rate / 2 * expected)
    return worse - better, words


def judged(changes: Sequence[int], words: Sequence[int]) -> WordLoss:
    """B against a system without errors, or the other way round where B has less."""
    rows = enumerate(zip(changes, words, strict=True))
    a, b = {}, {}
    for i, (change, n) in rows:
        a[str(i)], b[str(i)] = (max(0, -change), n), (max(0, change), n)
    found = word_loss(a, b)
    if found is None:
        raise RuntimeError("no words were drawn")
    return found


def one_reading(studies: int) -> Table:
    table = Table("differing words", "true loss, points", "missed: true above, below %",
                  "within %", "beyond %", "undecided %", title="One reading")  # fmt: skip
    for kind, loss in itertools.product(KINDS, LOSSES):
        found, above, below = Counter[str](), 0, 0
        for rate, n in itertools.product(RATES, UTTERANCES):
            rng = np.random.default_rng([list(KINDS).index(kind), int(1e4 * (loss + rate)), n])
            drawn = differences(rng, kind, rate, loss, (studies, n))
            for changes, words in zip(*(x.tolist() for x in drawn), strict=True):
                one = judged(changes, words)
                found[one.outcome(BOUND - 1e-9)] += 1
                above += loss > one.interval.high
                below += loss < one.interval.low
        missed = f"{100 * above / found.total():.1f}, {100 * below / found.total():.1f}"
        table.add_row(kind, f"{100 * loss:.1f}", missed, *shares(found))
    return table


def reading_on(studies: int) -> Table:
    table = Table("differing words", "true loss, points", "within %", "beyond %", "undecided %",
                  "mean words", title="Reading on until decided, 16 to 512 utterances")  # fmt: skip
    for kind, loss in itertools.product(KINDS, (*LOSSES, 0.02)):
        found, read = Counter[str](), 0
        for rate in RATES:
            rng = np.random.default_rng([9, list(KINDS).index(kind), int(1e4 * (loss + rate))])
            drawn = differences(rng, kind, rate, loss, (studies, READING_ON[-1]))
            for changes, words in zip(*(x.tolist() for x in drawn), strict=True):
                for n in READING_ON:
                    one = judged(changes[:n], words[:n])
                    outcome = one.outcome(BOUND - 1e-9)
                    if outcome != "undecided":
                        break
                found[outcome] += 1
                read += one.words
        mean = f"{read / found.total():,.0f}"
        table.add_row(kind, f"{100 * loss:.1f}", *shares(found), mean)
    return table


def shares(found: Counter[str]) -> list[str]:
    names = ("within", "beyond", "undecided")
    return [f"{100 * found[name] / found.total():.1f}" for name in names]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--studies", type=int, default=1000, help="of each kind")
    studies = parser.parse_args().studies
    console = Console(width=110)
    console.print(one_reading(studies))
    console.print(reading_on(studies))


if __name__ == "__main__":
    main()
