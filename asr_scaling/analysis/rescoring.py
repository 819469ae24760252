"""WER and CER of a record's own texts by another normaliser; no model runs again.

And how much of the difference between two systems is the normaliser's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from asr_scaling.analysis.comparison.verdict import WER
from asr_scaling.analysis.comparison.word_errors import word_counts
from asr_scaling.core.metric import Metric
from asr_scaling.core.record import Findings, RunRecord
from asr_scaling.core.statistics import Interval
from asr_scaling.core.word_loss import WORD_EDITS, word_loss
from asr_scaling.profiler.quality import normaliser, score

RECORDED = "as recorded"
_FACTS = ("audio_s", "language", "untold")
_TAGS = ("quality/normaliser", "quality/text_form", "quality/headline")
_CAUTIONS = ("EnglishNormaliser", "ScriptWithoutSpaces", "EmptyReferences")
_WITHOUT_LOOPING, _LOOPING = "quality/wer_without_looping", "quality/looping_share"


@dataclass(frozen=True)
class Difference:
    """WER of two systems by one normaliser, on the utterances that both transcribed.

    by: the normaliser's name, or "as recorded".
    a, b: WER of each as a share; None where it has none.
    change: B minus A as a share; None where one is missing.
    interval: of the change, paired by utterance; None where it can't be known.
    normalisers: how much of the recorded difference goes when both are scored by this normaliser,
        as a share of WER: the recorded change minus this one.
    share: the same over the recorded change; None where that is 0 or unknown.
    reason: why there is no change.
    """

    by: str
    a: float | None
    b: float | None
    change: float | None = None
    interval: Interval | None = None
    normalisers: float | None = None
    share: float | None = None
    reason: str = ""


def why_not(record: RunRecord) -> str:
    """Why a record can't be scored again; empty where it can."""
    if record.transcripts:
        return ""
    if record.status != "ok":
        return f"no texts ({record.outcome.rstrip('.')})"
    return f"no texts ({record.unavailable.get(WER, 'quality was not measured').rstrip('.')})"


def lacking(record: RunRecord) -> str:
    """What to know where texts of only a part of the speech are in the record; else empty."""
    spoken = record.dataset.get("utterances")
    texts = len(record.transcripts)
    if not isinstance(spoken, int) or texts >= spoken:
        return ""
    return f"texts of {texts} of {spoken} utterances are in the record"


def rescored(record: RunRecord, name: str) -> RunRecord:
    """``record`` with WER, CER and what belongs to them by the normaliser ``name``.

    All else is as it was measured. The fingerprint is gone, because no sweep measured this, and tag
    ``quality/rescored`` says what WER was before, and by which normaliser.
    """
    rows = [row for row in record.transcripts if "reference" in row and "hypothesis" in row]
    pairs = [(row["id"], row["reference"], row["hypothesis"]) for row in rows]
    facts = {row["id"]: {key: row[key] for key in _FACTS if key in row} for row in rows}
    rules, label = normaliser(name)
    found = score(pairs, rules, {"quality/normaliser": label}, facts)
    before = record.values.get(WER)
    was = "unavailable" if before is None else f"{before:.6g}"
    tags = {key: value for key, value in record.tags.items() if key not in _TAGS}
    said = f"WER was {was} by {record.tags.get('quality/normaliser', 'an unknown normaliser')}"
    own = tuple(m for m in record.metrics if _stays(m.name))
    missing = {key: why for key, why in record.unavailable.items() if _stays(key)}
    kept = tuple(c for c in record.cautions if c.kind not in _CAUTIONS)
    return replace(
        record,
        metrics=(*own, *found.metrics, *_without_looping(record, found)),
        unavailable={**missing, **found.unavailable},
        cautions=(*kept, *found.cautions),
        tags={**tags, **found.tags, "quality/rescored": said},
        transcripts=tuple(
            {**_marks(old), **new} for old, new in zip(rows, found.transcripts, strict=True)
        ),
        identity="",
    )


def _stays(metric: str) -> bool:
    """Whether scoring again leaves a metric as it is."""
    return metric == _LOOPING or not metric.startswith("quality/")


def _marks(row: Mapping[str, Any]) -> dict[str, Any]:
    """What a row holds besides what ``score`` writes, as how it was decoded."""
    return {key: row[key] for key in ("looping", "temperature", "decodings") if key in row}


def _without_looping(record: RunRecord, found: Findings) -> list[Metric]:
    """WER of the hypotheses that don't loop, in a record where these are marked."""
    looping = {row["id"] for row in record.transcripts if row.get("looping")}
    scored = [row for row in found.transcripts if "words" in row and row["id"] not in looping]
    words = sum(row["words"] for row in scored)
    if not words or WER in found.unavailable or _LOOPING not in record.values:
        return []
    return [Metric(_WITHOUT_LOOPING, sum(map(_edits, scored)) / words, len(scored))]


def _edits(row: Mapping[str, Any]) -> int:
    return sum(int(row[name]) for name in WORD_EDITS)


def differences(
    a: RunRecord, b: RunRecord, by: Mapping[str, tuple[RunRecord, RunRecord]]
) -> list[Difference]:
    """B against A as recorded, then by each normaliser.

    by: name of a normaliser → both records, scored by it.
    """
    recorded = _difference(RECORDED, a, b, recorded=None)
    return [recorded, *(_difference(name, *pair, recorded.change) for name, pair in by.items())]


def _difference(by: str, a: RunRecord, b: RunRecord, recorded: float | None) -> Difference:
    values = (a.values.get(WER), b.values.get(WER))
    ours, theirs = word_counts(a), word_counts(b)
    common = [key for key in ours if key in theirs]
    if None in values or not common:
        return Difference(by, *values, reason="no WER in one" if None in values else "other speech")
    # two normalisers count other words in one reference, and then nothing is paired
    alike = all(ours[key][1] == theirs[key][1] for key in common)
    loss = word_loss(ours, theirs) if alike else None
    paired = None if loss is None else loss.interval
    before, after = (
        sum(side[key][0] for key in common) / sum(side[key][1] for key in common)
        for side in (ours, theirs)
    )
    change = after - before if loss is None else loss.change
    gone = None if recorded is None else recorded - change
    share = gone / recorded + 0.0 if gone is not None and recorded else None
    return Difference(by, *values, change, paired, gone, share)
