"""The change of WER: word errors of both systems on the utterances that both were scored on."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from asr_scaling.analysis.comparison.change import WER, MetricChange, answered, rounded_up
from asr_scaling.analysis.comparison.unpaired import missing
from asr_scaling.analysis.comparison.word_loss_text import counted_as_wrong, would_decide
from asr_scaling.core.record import RunRecord
from asr_scaling.core.word_loss import WordLoss, row_counts, word_loss
from asr_scaling.core.workload import with_copies


def word_counts(*records: RunRecord) -> dict[str, tuple[int, int]]:
    """Id of an utterance, or of a part of a long one → its word errors and its reference's words.

    records: of one system; merged ones, or rounds that may have read different utterances.

    An utterance that was transcribed several times counts once, as the first time. One that was not
    scored is left out.
    """
    counts: dict[str, tuple[int, int]] = {}
    seen = set[Any]()
    for record in records:
        for row in record.transcripts:
            if "words" in row and row["id"] not in seen:
                seen.add(row["id"])
                counts |= row_counts(row)
    return counts


def wer_change(a: RunRecord, b: RunRecord) -> MetricChange:
    """Paired by utterance; its interval is of the difference (core/word_loss.py)."""
    change = MetricChange(WER, a.values.get(WER), b.values.get(WER), qualifier=_qualifier(a, b))
    if reason := missing(a, b, WER):
        return replace(change, reason=reason)
    ours, theirs = word_counts(a), word_counts(b)
    try:
        loss = word_loss(ours, theirs)
    except ValueError as error:
        return replace(change, reason=str(error))
    if loss is None:
        return replace(change, reason="no utterance was scored in both")
    before = sum(min(ours[key]) for key in ours if key in theirs) / loss.words
    relative = loss.change / before if before else (None if loss.change else 0.0)
    limited = counted_as_wrong(loss.wholly_wrong)
    qualifier = ", ".join(filter(None, (change.qualifier, limited)))
    return _judged(replace(change, relative=relative, qualifier=qualifier), loss)


def _judged(change: MetricChange, loss: WordLoss) -> MetricChange:
    """The change with its interval and what it shows."""

    def advice(reach: float) -> str:
        needed = loss.words_for(reach)
        return "no number of words would" if needed is None else would_decide(loss, needed)

    half = rounded_up(100 * loss.interval.half(loss.change))
    because = f"{loss.words:,} words leave ± {half} points"
    answer, verdict = answered(WER, loss.change, loss.interval, because, advice)
    return replace(
        change,
        absolute=loss.change,
        interval=loss.interval,
        verdict=verdict,
        answer=answer,
        advice=advice,
        words=loss,
    )


def _qualifier(a: RunRecord, b: RunRecord) -> str:
    """What must stand with the change: synthetic speech, made copies, errors of characters."""
    synthetic = any(record.dataset.get("synthetic") for record in (a, b))
    by_characters = any(r.tags.get("quality/headline") == "cer" for r in (a, b))
    copies = next((r.dataset for r in (a, b) if r.dataset.get("copies")), None)
    said = (
        "synthetic speech" if synthetic else "",
        with_copies(copies["utterances"], copies["copies"]) if copies else "",
        "of characters" if by_characters else "",
    )
    return ", ".join(filter(None, said))
