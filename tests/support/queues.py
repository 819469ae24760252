"""Made-up loads on servers of known capacity: one worker, exponential times (M/M/1).

Its requests take an exponential time of mean 1 / (served - offered) from arrival to answer, so that
every percentile, and the rate at which p99 meets a bound, can be computed by hand.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from asr_scaling.core.energy_methods import MEASURED
from asr_scaling.core.load_point import LoadPoint, Verdict
from asr_scaling.core.metric import Metric
from asr_scaling.core.record import RunRecord
from asr_scaling.core.statistics import Interval
from support.studies import TINY, Law, record

LATE = "The generator was 12 ms late at p99, where 2 ms is allowed."
_TARGETS = {
    "direct": "asr_scaling.serving.direct.Direct",
    "batched": "asr_scaling.serving.batched.Batched",
    "replicas": "asr_scaling.serving.replicas.Replicas",
}


@dataclass(frozen=True)
class Server:
    """M/M/1. per_s: requests that it can answer; idle_w, busy_w: of the machine;
    audio_s: of a request; spread: half width of every interval, as a share."""

    per_s: float
    idle_w: float = 20.0
    busy_w: float = 80.0
    audio_s: float = 5.0
    bound_s: float = 2.0
    wer: float = 0.05
    spread: float = 0.05
    batch: float = 1.0
    cores: float = 1.0
    """Share of all cores that a call uses."""

    @property
    def bound(self) -> str:
        return f"p99<{self.bound_s:g}s"

    @property
    def capacity(self) -> float:
        """The rate at which p99 is the bound: ln(100) / (per_s - rate) = bound_s."""
        return self.per_s - math.log(100) / self.bound_s

    def percentile(self, rate: float, p: float) -> float:
        """Seconds from arrival to answer; of an overloaded one those after five minutes."""
        if rate >= self.per_s:
            return 300.0 * (rate / self.per_s - 1) + 5.0
        return -math.log(1 - p / 100) / (self.per_s - rate)

    def verdict(self, rate: float) -> Verdict:
        if rate >= self.per_s:
            return "overloaded"
        return "held" if self.percentile(rate, 99) < self.bound_s else "broken"

    def load(self, rate: float, counted: int = 500, **changes: Any) -> LoadPoint:
        served = min(rate, self.per_s)
        busy = served / self.per_s
        rtfx, watts = served * self.audio_s, self.idle_w + (self.busy_w - self.idle_w) * busy
        wait = max(0.0, math.log(100 * busy) / (self.per_s - rate)) if busy < 1 else 5.0
        values = {
            "offered_per_s": rate,
            "served_per_s": served,
            "rtfx": rtfx,
            "latency_p50_s": self.percentile(rate, 50),
            "latency_p95_s": self.percentile(rate, 95),
            "latency_p99_s": self.percentile(rate, 99),
            "queue_wait_p50_s": max(0.0, self.percentile(rate, 50) - 1 / self.per_s),
            "queue_wait_p99_s": wait,
            "batch_mean": self.batch,
            "failed_share": 0.0,
            "wer": self.wer,
            "wer_unloaded": self.wer,
            "changed_share": 0.01,
            "cpu_share": self.cores * busy,
            "power_w": watts,
            "energy_per_audio_hour_j": 3600 * watts / rtfx,
            "generator_late_p99_s": 0.0005,
        }
        found = LoadPoint(
            arrivals="poisson",
            offered_per_s=rate,
            seconds=counted / rate,
            requests=counted + 20,
            counted=counted,
            bound=self.bound,
            verdict=self.verdict(rate),
            metrics=tuple(self.metric(f"load/{name}", v) for name, v in values.items()),
        )
        return replace(found, **changes)

    def withheld(self, rate: float) -> LoadPoint:
        """A load whose generator did not keep its schedule."""
        late = Metric("load/generator_late_p99_s", 0.012)
        kept = {"verdict": "withheld", "why": LATE, "metrics": (late,)}
        reasons = {"load/latency_p99_s": LATE, "load/latency_p50_s": LATE}
        return self.load(rate, unavailable=reasons, **kept)

    def closed(self, clients: int) -> LoadPoint:
        """What clients that wait for their answers see."""
        rate = self.per_s * clients / (clients + 1)
        facts = {"arrivals": "closed", "offered_per_s": None, "clients": clients}
        return self.load(rate, verdict="unasked", bound="", **facts)

    def metric(self, name: str, value: float) -> Metric:
        half = self.spread * abs(value)
        return Metric(name, value, 500, Interval(value - half, value + half))

    def found(self, half: float | None = None) -> tuple[Metric, ...]:
        """What a search for the capacity finds. half: of its interval, a share."""
        half = self.spread if half is None else half
        rate = self.capacity
        ends = Interval(rate * (1 - half), rate * (1 + half))
        audio = Interval(ends.low * self.audio_s, ends.high * self.audio_s)
        return (
            Metric("capacity/rate_per_s", rate, 6, ends),
            Metric("capacity/rtfx", rate * self.audio_s, 6, audio),
            Metric("capacity/loads", 6.0),
        )


def searched(
    server: Server,
    rates: Sequence[float] = (0.5, 1.0, 2.0, 4.0),
    half: float | None = None,
    **parts: Any,
) -> RunRecord:
    """A point of scenario=capacity: a load for each rate, and the capacity found."""
    loads = tuple(server.load(rate) for rate in rates)
    scenario = {"_target_": "asr_scaling.scenario.capacity.Capacity", "bound": server.bound}
    return served(loads, scenario, metrics=server.found(half), **parts)


def asked(server: Server, rate: float, **parts: Any) -> RunRecord:
    """A point of scenario=requests at one rate."""
    scenario = {"_target_": "asr_scaling.scenario.requests.Requests", "rate": rate}
    return served((server.load(rate),), scenario, **parts)


def served(
    loads: Sequence[LoadPoint],
    scenario: dict[str, Any],
    *,
    law: Law = TINY,
    serving: str = "direct",
    options: dict[str, Any] | None = None,
    method: str = MEASURED,
    metrics: Sequence[Metric] = (),
    unavailable: dict[str, str] | None = None,
    swept: dict[str, str] | None = None,
) -> RunRecord:
    """A point with loads. options: of the serving; method: how joules were obtained."""
    found = record(law, None, 1, calls=16)
    config = {
        **found.config,
        "serving": {"_target_": _TARGETS[serving], **(options or {})},
        "scenario": scenario,
        **({"hydra": {"swept": swept}} if swept else {}),
    }
    return replace(
        found,
        config=config,
        loads=tuple(loads),
        metrics=(*found.metrics, *metrics),
        unavailable={**found.unavailable, **(unavailable or {})},
        tags={**found.tags, "energy/method": method},
    )
