"""The rule of every answer: the fastest whose WER is shown to lose no more than is allowed."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

from asr_scaling.core.word_loss import WordLoss

MAX_WER_LOSS = 0.005
"""Share of words that speed may cost where nothing else is asked: half a point of WER."""
LIKELY = 0.7
"""Chance of being within from which what its words leave undecided is the answer, for want of a
better one: only what losses are counted from would be left."""
_T = TypeVar("_T")


@dataclass(frozen=True)
class Undecided(Generic[_T]):
    """What is faster than the winner, and whose loss is neither shown within nor beyond."""

    one: _T
    loss: WordLoss | None
    """Against the reference; None where the two have no words in common."""


@dataclass(frozen=True)
class Within(Generic[_T]):
    """What the rule finds."""

    winner: _T | None
    """The first that is shown within; None where none is."""
    undecided: tuple[Undecided[_T], ...]
    """Ahead of the winner, fastest first."""
    beyond: tuple[_T, ...]
    """Ahead of the winner, fastest first: shown to lose more than is allowed."""
    behind: tuple[_T, ...]
    """Behind the winner, fastest first, not judged."""
    likely: bool = False
    """Whether the winner is undecided itself, with a chance of ``LIKELY`` or more."""


def fastest_within(
    ranked: Iterable[_T],
    loss: Callable[[_T], WordLoss | None],
    max_loss: float,
    is_reference: Callable[[_T], bool],
    far_beyond: Callable[[_T], bool] = lambda _: False,
) -> Within[_T]:
    """The first of ``ranked`` that is shown to lose at most ``max_loss`` against its reference.

    Where that would be the reference itself or none, the first that is likely to, and says so.

    ranked: fastest first.
    loss: against the reference; asked of none behind the winner.
    max_loss: a share of words, as 0.005.
    is_reference: of those that losses are counted from, which need no proof.
    far_beyond: of those whose loss need not be asked for, it is so great.
    """
    rest = iter(ranked)
    undecided, beyond = list[Undecided[_T]](), list[_T]()
    winner: _T | None = None
    for one in rest:
        if is_reference(one):
            winner = one
            break
        lost = None if far_beyond(one) else loss(one)
        outcome = "undecided" if lost is None else lost.outcome(max_loss)
        if outcome == "within":
            return Within(one, tuple(undecided), tuple(beyond), tuple(rest))
        if outcome == "beyond" or far_beyond(one):
            beyond.append(one)
        else:
            undecided.append(Undecided(one, lost))
    behind = tuple(rest)
    for number, each in enumerate(undecided):
        if each.loss is not None and each.loss.chance(max_loss) >= LIKELY:
            slower = tuple(later.one for later in undecided[number + 1 :])
            slower = (*slower, *(() if winner is None else (winner,)), *behind)
            return Within(each.one, tuple(undecided[:number]), tuple(beyond), slower, likely=True)
    return Within(winner, tuple(undecided), tuple(beyond), behind)
