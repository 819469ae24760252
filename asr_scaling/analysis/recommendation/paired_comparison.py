"""One point against another, paired by speech, in verdicts and sentences."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from asr_scaling.analysis.comparison.under_load import figures_change, of_loads
from asr_scaling.analysis.comparison.verdict import (
    CANT_TELL,
    ENERGY,
    LATENCY,
    MEMORY,
    RTFX,
    WER,
    Comparison,
    MetricChange,
    compare,
)
from asr_scaling.analysis.format import DEVICE_MEMORY, plain
from asr_scaling.analysis.points import Point
from asr_scaling.analysis.recommendation.rules import HELD
from asr_scaling.errors import AsrScalingError

_NOUNS = {
    LATENCY: "latency",
    RTFX: "RTFx",
    ENERGY: "energy per second of audio",
    WER: "WER",
    MEMORY: "memory",
    DEVICE_MEMORY: "memory",
    "capacity/rate_per_s": "requests a second",
    "capacity/rtfx": "RTFx at capacity",
    "load/energy_per_audio_hour_j": "energy per hour of audio under load",
    "load/cpu_share": "use of the cores under load",
}
"""What the metrics of a comparison are called in sentences."""


@dataclass(frozen=True)
class PairedComparison:
    """A winner compared with another point, paired by speech."""

    winner: Point
    rival: Point
    outcome: Comparison | str
    """Their comparison, or why there is none."""

    def row(self, metric: str) -> MetricChange:
        """The comparison's row; where there is no comparison, a row with the reason.

        Figures of requests that arrive are of the points, not of their records.
        """
        if of_loads(metric):
            return figures_change(metric, *(p.stated(metric) for p in (self.rival, self.winner)))
        if isinstance(self.outcome, str):
            return MetricChange(metric, reason=self.outcome)
        return self.outcome.row(metric)

    def ranked(self, metric: Callable[[Point], str]) -> MetricChange:
        """The row of what ranks the two, which must be the same ``metric`` of both."""
        ours, theirs = metric(self.winner), metric(self.rival)
        if ours != theirs:
            return MetricChange(
                ours, reason="one figure is of the accelerator's memory, the other of the process's"
            )
        return self.row(ours)


def label(point: Point) -> str:
    """System, device and batch: what a recommendation names.

    Where requests arrive, how they are served decides the batches, and the system's name says it.
    """
    batch = "" if HELD in point.tags else f" · batch {point.batch}"
    return f"{point.system} · {point.device}{batch}"


def compare_points(winner: Point, rival: Point) -> PairedComparison:
    """``winner`` against ``rival``: "faster" is said of the winner. Loads both records whole.

    Two hosts of one kind are compared, and said to be two; machines of two kinds are not.
    """
    try:
        outcome = compare(rival.load(), winner.load(), allow=("host",), also=(DEVICE_MEMORY,))
    except AsrScalingError as error:
        return PairedComparison(winner, rival, str(error))
    if winner.host != rival.host:
        hosts = f"on two hosts of one kind, {winner.host} and {rival.host}"
        rows = [
            replace(row, qualifier=f"{row.qualifier}; {hosts}" if row.qualifier else hosts)
            for row in outcome.rows
        ]
        outcome = replace(outcome, rows=tuple(rows))
    return PairedComparison(winner, rival, outcome)


def differs(row: MetricChange) -> bool:
    """Whether a difference was shown."""
    return row.answer == "differs"


def tie(row: MetricChange) -> bool:
    """Whether there was enough for an interval, and it shows no difference."""
    return row.interval is not None and not differs(row)


def too_few(row: MetricChange) -> bool:
    """Whether there was too little for an interval."""
    return row.answer == CANT_TELL and row.interval is None


def verdict(row: MetricChange) -> str:
    """ "RTFx: faster", "WER: no difference beyond ± 0.8 points", "RTFx: too few calls to tell".

    Where it can't be told from an interval, that alone; ``sentence`` says why.
    """
    judged = CANT_TELL if tie(row) and row.answer == CANT_TELL else _judged(row)
    return f"{noun(row)}: {judged}"


def noun(row: MetricChange) -> str:
    """What its metric is called in sentences."""
    return _NOUNS[row.metric]


def why_unknown(row: MetricChange) -> str:
    """Why it can't be told whether there is a difference; empty where it can."""
    return row.verdict.removeprefix(CANT_TELL).lstrip(": ") if row.answer == CANT_TELL else ""


def _judged(row: MetricChange) -> str:
    if row.reason:
        return "not compared"
    if too_few(row):
        return f"{why_unknown(row)} to tell"
    return row.verdict or "single readings, not judged"


def sentence(row: MetricChange) -> str:
    """How much the winner leads: "RTFx +78.0 % (95 % interval +75.1 to +81.0 %): faster."."""
    name = noun(row)
    if row.reason:
        return f"{name} can't be compared: {row.reason.rstrip('.')}."
    value, unit = (row.absolute, "points") if row.metric == WER else (row.relative, "%")
    if value is None:
        return f"{name} can't be compared: not measured in both."
    ends = ""
    if row.interval:
        low, high = row.interval.low, row.interval.high
        ends = f" (95 % interval {_signed(low)} to {_signed(high)} {unit})"
    qualifier = f" [{row.qualifier}]" if row.qualifier else ""
    return f"{name} {_signed(value)} {unit}{ends}{qualifier}: {_judged(row)}."


def _signed(share: float) -> str:
    text = plain(100 * share)
    return f"+{text}" if share > 0 else text
