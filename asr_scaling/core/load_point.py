"""What one load showed: requests that arrived at one rate, and what became of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from asr_scaling.core.cautions import Caution
from asr_scaling.core.metric import Metric, metrics_from
from asr_scaling.core.typed_json import build, shown

Arrivals = Literal["poisson", "constant", "trace", "closed"]
"""By which law requests arrive; "closed": each client sends when it has its last answer."""
Verdict = Literal["held", "broken", "overloaded", "undecided", "withheld", "unasked"]
"""Of a load: whether it kept the bound.

"overloaded": the backlog grew all the time, so that no percentile of it is one of the service.
"undecided": too few requests or no figure to say so.
"withheld": the generator did not keep its schedule, so that nothing is said of the service.
"unasked": no bound was asked for.
"""


@dataclass(frozen=True)
class LoadPoint:
    """One load on one service.

    arrivals: by which law requests arrived.
    offered_per_s: requests a second of the schedule; None where clients wait for answers.
    clients: clients of closed arrivals; None of others.
    seconds: from the first request's due time to the last one's.
    requests: all that were due.
    counted: those of them after the start that was cut.
    bound: as it was asked for, as "p99<2s"; empty without one.
    verdict: whether it was kept.
    why: one sentence to the verdict; empty where there is nothing to say.
    metrics: of the counted requests.
    unavailable: metric name → one sentence why it has no value.
    cautions: what a reader must know before trusting these figures.
    """

    arrivals: Arrivals
    offered_per_s: float | None
    seconds: float
    requests: int
    counted: int
    clients: int | None = None
    bound: str = ""
    verdict: Verdict = "unasked"
    why: str = ""
    metrics: tuple[Metric, ...] = ()
    unavailable: Mapping[str, str] = field(default_factory=dict)
    cautions: tuple[Caution, ...] = ()

    @property
    def values(self) -> dict[str, float]:
        """Metric name → value."""
        return {metric.name: metric.value for metric in self.metrics}

    def metric(self, name: str) -> Metric | None:
        """The metric of that name; None where it has no value."""
        return next((metric for metric in self.metrics if metric.name == name), None)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values; ``load_points`` reads a list of them."""
        rows = {metric.name: metric.to_json() for metric in self.metrics}
        return asdict(self) | {"metrics": rows}


def load_points(rows: Any) -> tuple[LoadPoint, ...]:
    """The loads from a list of ``to_json``'s values.

    Raises TypeError, KeyError or ConfigError when it is no list or a load is damaged.
    """
    if not isinstance(rows, list):
        raise TypeError(f"'loads' is {shown(rows)}")
    return tuple(build(LoadPoint, {**row, "metrics": metrics_from(row["metrics"])}) for row in rows)
