"""The change of WER: edits of both systems on the utterances that both were scored on."""

from __future__ import annotations

import math
from typing import Any

from asr_scaling.analysis.comparison.change import WER, Advice, MetricChange, answered
from asr_scaling.analysis.comparison.unpaired import missing
from asr_scaling.analysis.paired_tests import Estimate, rate_change
from asr_scaling.core.record import RunRecord


def wer_change(a: RunRecord, b: RunRecord) -> MetricChange:
    """Paired by utterance; its interval is of the difference, by bootstrap."""
    values = a.values.get(WER), b.values.get(WER)
    synthetic = any(record.dataset.get("synthetic") for record in (a, b))
    by_characters = any(r.tags.get("quality/headline") == "cer" for r in (a, b))
    said = ("synthetic speech" if synthetic else "", "of characters" if by_characters else "")
    qualifier = ", ".join(filter(None, said))
    ours, theirs = (
        {row["id"]: row for row in record.transcripts if "words" in row} for record in (a, b)
    )
    rows = [(ours[key], theirs[key]) for key in ours if key in theirs]
    reason = missing(a, b, WER)
    if not reason and not rows:
        reason = "no utterance was scored in both"
    if not reason and any(x["words"] != y["words"] for x, y in rows):
        reason = "the references differ in their number of words"
    if reason:
        return MetricChange(WER, *values, reason=reason, qualifier=qualifier)
    edits_a, edits_b = (
        [x["substitutions"] + x["deletions"] + x["insertions"] for x in side]
        for side in zip(*rows, strict=True)
    )
    words = [x["words"] for x, _ in rows]
    change = rate_change(edits_a, edits_b, words)
    before = sum(edits_a) / sum(words)
    relative = change.value / before if before else (None if change.value else 0.0)
    because, advice = _because(change, len(words))
    answer, verdict = answered(WER, change.value, change.interval, because, advice)
    judged: dict[str, Any] = {"qualifier": qualifier, "answer": answer, "advice": advice}
    return MetricChange(WER, *values, relative, change.value, change.interval, verdict, **judged)


def _because(change: Estimate, utterances: int) -> tuple[str, Advice | None]:
    """Why it can't be told, and how many utterances like these would narrow the interval."""
    if change.interval is None:
        return "too few utterances", None
    half = change.interval.half(change.value)

    def advice(reach: float) -> str:
        needed = math.ceil(utterances * (half / reach) ** 2)
        return f"about {_to_two_digits(needed):,} like these would decide"

    return f"{utterances} utterances leave ± {100 * half:.2g} points", advice


def _to_two_digits(number: int) -> int:
    """``number`` rounded up to two digits: 1234 is 1300."""
    unit = 10.0 ** max(0, len(str(number)) - 2)
    return int(math.ceil(number / unit) * unit)
