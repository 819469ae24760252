"""Hypotheses that loop: which they are, and how much of the errors and of the time is theirs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from asr_scaling.core.call_summary import RTFX_WITHOUT, rtfx_without
from asr_scaling.core.cautions import Caution, caution
from asr_scaling.core.looping import loops
from asr_scaling.core.metric import Metric
from asr_scaling.core.ports import Session
from asr_scaling.core.record import Findings
from asr_scaling.core.word_loss import WORD_EDITS
from asr_scaling.profiler._figures import Figures, findings_of

SHARE = "quality/looping_share"
WER = "quality/wer_without_looping"
METRICS = (SHARE, WER, RTFX_WITHOUT)
_MOST_NAMED = 5


def with_looping(session: Session, scored: Findings) -> Findings:
    """``scored`` with the figures of hypotheses that loop, which are marked in the transcripts.

    ``scored``: of the quality measurement, with a transcript of every utterance.
    """
    rows = [_marked(row, session) for row in scored.transcripts]
    looping = frozenset(str(row["id"]) for row in rows if row.get("looping"))
    figures: Figures = {
        SHARE: Metric(SHARE, len(looping) / len(rows), len(rows)),
        WER: _wer([row for row in rows if not row.get("looping")]),
        RTFX_WITHOUT: rtfx_without(session.samples, looping),
    }
    found = findings_of(figures)
    return replace(
        scored,
        metrics=(*scored.metrics, *found.metrics),
        unavailable={**scored.unavailable, **found.unavailable},
        cautions=(*scored.cautions, *_cautions(session, rows, looping)),
        transcripts=tuple(rows),
    )


def _marked(row: Mapping[str, Any], session: Session) -> Mapping[str, Any]:
    """The transcript with how it was decoded, and whether it loops."""
    more: dict[str, Any] = {}
    if row["id"] in session.decoded:
        more["temperature"], more["decodings"] = session.decoded[row["id"]]
    if loops(row["hypothesis"], row["reference"]):
        more["looping"] = True
    return {**row, **more}


def _edits(rows: Sequence[Mapping[str, Any]]) -> int:
    return sum(row[name] for row in rows if "words" in row for name in WORD_EDITS)


def _wer(rows: Sequence[Mapping[str, Any]]) -> Metric | str:
    counted = [row for row in rows if "words" in row]
    words = sum(row["words"] for row in counted)
    if not words:
        return "no utterance with a reference has a hypothesis that does not loop"
    return Metric(WER, _edits(counted) / words, len(counted))


def _cautions(
    session: Session, rows: Sequence[Mapping[str, Any]], looping: frozenset[str]
) -> tuple[Caution, ...]:
    if not looping:
        return ()
    edits, theirs = _edits(rows), _edits([row for row in rows if row["id"] in looping])
    error = "no word error is counted"
    if edits:
        error = f"{theirs / edits:.0%} of the word errors are theirs"
    spent = [s.total_s for s in session.samples if not looping.isdisjoint(s.utterances)]
    total_s = sum(sample.total_s for sample in session.samples)
    more = len(looping) - _MOST_NAMED
    ids = ", ".join(sorted(looping)[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
    facts = {"looping": len(looping), "utterances": len(rows), "ids": ids, "error": error}
    time = "no timed call contains them"
    if spent:
        time = f"{sum(spent) / total_s:.0%} of the time of timed calls is of those with them"
    return (caution("LoopingText", system=session.called, time=time, **facts),)
