"""One point against another in words: paired comparisons of their whole records, said as verdicts and sentences."""

from __future__ import annotations

from asr_scaling.compare.verdict import (
    CANT_TELL,
    ENERGY,
    LATENCY,
    MEMORY,
    NO_DIFFERENCE,
    RTFX,
    WER,
    Comparison,
    Row,
    compare,
)
from asr_scaling.errors import AsrScalingError
from asr_scaling.report.cells import plain
from asr_scaling.report.points import Point

NOUNS = {LATENCY: "latency", RTFX: "RTFx", ENERGY: "energy per second of audio", WER: "WER", MEMORY: "memory"}
"""What the metrics of a comparison are called in sentences."""


def label(point: Point) -> str:
    """System, device and batch: what a recommendation names."""
    return f"{point.system} · {point.device} · batch {point.batch}"


def compared(winner: Point, rival: Point) -> Comparison | str:
    """``winner`` against ``rival``, paired by speech, so that "faster" is said of the winner; else why they can't be.

    Loads both records whole.
    """
    try:
        return compare(rival.load(), winner.load())
    except AsrScalingError as error:
        return str(error)


def row_of(found: Comparison | str, metric: str) -> Row:
    """The comparison's row; where there is no comparison, a row with the reason."""
    return Row(metric, reason=found) if isinstance(found, str) else found.row(metric)


def differs(row: Row) -> bool:
    """Whether a difference was shown."""
    return bool(row.verdict) and not tie(row) and not too_few(row)


def tie(row: Row) -> bool:
    """Whether there was enough to show a difference, and none was shown."""
    return row.verdict == NO_DIFFERENCE


def too_few(row: Row) -> bool:
    """Whether there was too little to show any difference."""
    return row.verdict.startswith(CANT_TELL)


def verdict(row: Row) -> str:
    """ "RTFx: faster", "WER: no significant difference", "WER: too few utterances to tell"."""
    return f"{NOUNS[row.metric]}: {_judged(row)}"


def _judged(row: Row) -> str:
    if row.reason:
        return "not compared"
    if too_few(row):
        return f"{row.verdict.removeprefix(CANT_TELL).lstrip(': ')} to tell"
    return "no significant difference" if tie(row) else row.verdict or "single readings, not judged"


def sentence(row: Row) -> str:
    """How much the winner leads, with the interval of the paired change: "RTFx +78.0 % (+75.1 to +81.0 %): faster"."""
    noun = NOUNS[row.metric]
    if row.reason:
        return f"{noun} can't be compared: {row.reason.rstrip('.')}."
    value, unit = (row.absolute, "points") if row.metric == WER else (row.relative, "%")
    if value is None:
        return f"{noun} can't be compared: not measured in both."
    ends = ""
    if row.interval:
        ends = f" (95 % interval {_signed(row.interval.low)} to {_signed(row.interval.high)} {unit})"
    qualifier = f" [{row.qualifier}]" if row.qualifier else ""
    within = ""
    if tie(row) and row.interval and not row.interval.low <= 0 <= row.interval.high:
        within = ", for it is within the noise floor"
    return f"{noun} {_signed(value)} {unit}{ends}{qualifier}: {_judged(row)}{within}."


def _signed(share: float) -> str:
    text = plain(100 * share)
    return f"+{text}" if share > 0 else text
