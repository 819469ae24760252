"""What a difference in WER shows, in words, for the terminal and for the report."""

from __future__ import annotations

import math

from asr_scaling.analysis.comparison.change import rounded_up
from asr_scaling.core.word_loss import WordLoss

UNKNOWN = "WER unknown"
NO_NUMBER = "it is so near to what is allowed that no number of words can be named that decides"


def loss_sentence(loss: WordLoss | None, max_loss: float) -> str:
    """The change and what it shows of a loss of at most ``max_loss``, a share.

    "WER +0.2 ± 0.4 points: shown within 0.5", or "WER +0.2 ± 1.1 points: undecided; about 2,400
    more words would decide".
    """
    if loss is None:
        return UNKNOWN
    return f"{wer_change(loss)}: {loss_outcome(loss, max_loss)}"


def loss_outcome(loss: WordLoss, max_loss: float) -> str:
    """ "shown within 0.5", "shown beyond 0.5" or "undecided; …", with what would decide."""
    outcome = loss.outcome(max_loss)
    if outcome == "within" and loss.interval.high > max_loss:
        most = 100 * loss.upper
        return f"shown within {100 * max_loss:g} (at most {most:+.2f}: the limit on one side)"
    if outcome != "undecided":
        return f"shown {outcome} {100 * max_loss:g}"
    needed = loss.words_needed(max_loss)
    if needed is None:
        return f"undecided; so near {100 * max_loss:g} that no number of words can be named"
    return f"undecided; {would_decide(loss, needed)}"


def wer_change(loss: WordLoss | None) -> str:
    """ "WER +0.2 ± 1.1 points"; ± is the larger half of the interval, rounded up."""
    return UNKNOWN if loss is None else f"WER {points_of_wer(loss)} points"


def points_of_wer(loss: WordLoss) -> str:
    """ "+0.2 ± 1.1", in points."""
    half = 100 * loss.interval.half(loss.change)
    places = 1 if half >= 1 else 2
    return f"{100 * loss.change:+.{places}f} ± {rounded_up(half)}"


def counted_as_wrong(utterances: int) -> str:
    """What is said of utterances in which the system that is compared with has more errors than
    words; empty where there is none."""
    if not utterances:
        return ""
    some = "one utterance" if utterances == 1 else f"{utterances:,} utterances"
    return f"all words of {some} count as wrong, where the baseline has more errors than words"


def limits(utterances: int) -> tuple[str, ...]:
    """``counted_as_wrong`` as a sentence; nothing where there is none."""
    return (f"In changes of WER {counted_as_wrong(utterances)}.",) if utterances else ()


def would_decide(loss: WordLoss, needed: int) -> str:
    """ "about 2,400 more words would decide": ``needed`` in all, rounded up to two digits."""
    more = max(1, needed - loss.words)
    unit = 10 ** max(0, len(str(more)) - 2)
    return f"about {math.ceil(more / unit) * unit:,} more words would decide"
