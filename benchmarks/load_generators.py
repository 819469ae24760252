"""Do two generators of load see the same service alike? Ours beside MLCommons LoadGen (Server).

    pip install mlcommons-loadgen
    python benchmarks/load_generators.py model=whisper_tiny_en engine=faster_whisper \
        optimisation=[dynamic_window,int8] --rates 3 5 --requests 600 --bound-s 2 --rounds 2 --peak

One service of the system that the overrides name answers both, in turns: Poisson arrivals at each
rate, the same utterances, so many requests. Both count latency from when a request was due. Printed
for each load: p50 and p99, ours with its 95 % interval, and whether p99 kept the bound; LoadGen's
own word (VALID or INVALID) asks besides whether so few requests can prove it. With --peak both then
look for the highest rate that keeps the bound, from the first rate on: LoadGen in its mode
FindPeakPerformance, and scenario=capacity's search.
"""

from __future__ import annotations

import argparse
import os
import re
import time
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from cascade import composed

from asr_scaling.core.ports import Reply, Served, Service
from asr_scaling.core.workload import Utterance
from asr_scaling.dataset.demo import Demo
from asr_scaling.load.arrivals import in_rounds, poisson
from asr_scaling.load.bound import parsed
from asr_scaling.load.capacity_search import Plan, find_capacity
from asr_scaling.load.drive import Limits, drive
from asr_scaling.load.percentile import latency_percentile
from asr_scaling.load.probed import Probed

UTTERANCES = 16
_DECIMALS = 1
"""Of the rate that LoadGen's search finds."""
_PEAK_S = 600.0
"""Seconds of our search, at most."""
_LASTS = 20.0
"""A load lasts so many times the bound at least, as those of scenario=capacity."""


@dataclass(frozen=True)
class Asked:
    """A load, a second time for the other generator; ``bound_s``: of p99."""

    service: Service
    speech: tuple[Utterance, ...]
    rate: float
    requests: int
    bound_s: float
    seed: int


def ours(load: Asked) -> str:
    """p50 and p99 by this package's generator."""
    schedule = poisson(load.rate, load.requests, load.speech, load.seed)
    driven = drive(load.service, schedule, Limits())
    latency = np.array([request.latency_s for request in driven.requests])
    late = np.array([request.fired_s - request.due_s for request in driven.requests])
    due = np.array([request.due_s for request in driven.requests])
    p99 = latency_percentile(due, latency, 99)
    ends = p99.interval_s
    within = f"{ends.low:.3f} to {ends.high:.3f}"
    return (
        f"p50 {np.median(latency):6.3f}  p99 {p99.value_s:6.3f} s ({within}); "
        f"sent late at p99 by {1e3 * np.percentile(late, 99):.2f} ms"
    )


def loadgen(load: Asked) -> str:
    """p50 and p99 by LoadGen in its Server scenario."""
    summary = _summary(load)
    rows = re.findall(r"(\d+\.\d+) percentile latency \(ns\) *: (\d+)", summary)
    ns = {name: int(value) for name, value in rows}
    (said,) = re.findall(r"Result is : (\w+)", summary)
    return f"p50 {ns['50.00'] / 1e9:6.3f}  p99 {ns['99.00'] / 1e9:6.3f} s; {said}"


def loadgens_peak(load: Asked) -> str:
    """The highest rate that LoadGen finds."""
    summary = _summary(load, peak=True)
    (rate,) = re.findall(r"Scheduled samples per second : (\S+)", summary)
    (said,) = re.findall(r"Result is : (\w+)", summary)
    return f"{float(rate):.2f}/s; {said}"


def our_peak(load: Asked) -> str:
    """The highest rate by the search of scenario=capacity."""
    prober = Prober(load, time.monotonic() + _PEAK_S)
    found = find_capacity(parsed(f"p99<{load.bound_s}s"), prober, Plan(load.rate, seed=load.seed))
    ends = found.interval
    within = f" ({ends.low:.2f} to {ends.high:.2f})" if ends else ""
    rate = "none" if found.rate_per_s is None else f"{found.rate_per_s:.2f}/s"
    return f"{rate}{within}; {len(found.probes)} loads; {found.why}"


@dataclass
class Prober:
    """Puts loads on the service until ``end_s`` of the monotonic clock."""

    load: Asked
    end_s: float
    number: int = 0

    def probe(self, rate_per_s: float, requests: int) -> Probed:
        """One load."""
        self.number += 1
        requests = max(requests, round(_LASTS * self.load.bound_s * rate_per_s))
        seed = self.load.seed + self.number
        schedule = poisson(rate_per_s, requests, self.load.speech, seed)
        driven = drive(self.load.service, schedule, Limits(give_up_s=4 * self.load.bound_s))
        due, latency = (
            np.array([getattr(request, name) for request in driven.requests])
            for name in ("due_s", "latency_s")
        )
        return Probed(rate_per_s, due, latency)

    def left_s(self) -> float:
        """Seconds that are left."""
        return self.end_s - time.monotonic()


def _summary(load: Asked, peak: bool = False) -> str:
    """What LoadGen says at its end. peak: of its search for the highest rate."""
    import mlperf_loadgen as lg

    requests = load.requests
    carried = in_rounds(requests, load.speech, load.seed)

    def issue(samples: list[Any]) -> None:
        for sample in samples:

            def replied(reply: Reply, key: int = sample.id) -> None:
                lg.QuerySamplesComplete([lg.QuerySampleResponse(key, 0, 0)])

            load.service.submit(carried[sample.index % requests], replied)

    settings = lg.TestSettings()
    settings.scenario = lg.TestScenario.Server
    settings.mode = lg.TestMode.FindPeakPerformance if peak else lg.TestMode.PerformanceOnly
    settings.server_find_peak_qps_decimals_of_precision = _DECIMALS
    settings.server_target_qps = load.rate
    settings.server_target_latency_ns = int(1e9 * load.bound_s)
    settings.server_target_latency_percentile = 0.99
    settings.min_query_count = settings.max_query_count = requests
    settings.min_duration_ms = 0
    settings.schedule_rng_seed = settings.sample_index_rng_seed = load.seed
    settings.qsl_rng_seed = load.seed
    with TemporaryDirectory() as folder:
        logs = lg.LogSettings()
        logs.log_output.outdir = folder
        logs.log_output.copy_summary_to_stdout = False
        sut = lg.ConstructSUT(issue, lambda: None)
        qsl = lg.ConstructQSL(requests, requests, lambda _: None, lambda _: None)
        lg.StartTestWithLogSettings(sut, qsl, settings, logs)
        lg.DestroyQSL(qsl)
        lg.DestroySUT(sut)
        return Path(folder, "mlperf_log_summary.txt").read_text(encoding="utf-8")


def main() -> None:
    """Both, in turns."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("overrides", nargs="*", default=["engine=fake"])
    parser.add_argument("--rates", type=float, nargs="+", default=[3.0, 5.0])
    parser.add_argument("--requests", type=int, default=600)
    parser.add_argument("--bound-s", type=float, default=2.0)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--peak", action="store_true")
    asked = parser.parse_args()
    spec = composed((*asked.overrides, "~tracking")).composed()
    spec.device.setup()
    system = spec.engine.load(spec.model, spec.device)
    speech = Demo().load(UTTERANCES).utterances
    served = Served(spec.model, spec.engine, spec.device, system)
    service = spec.serving.start(served, speech[:3])
    began = time.monotonic()
    for number in range(asked.rounds):
        for rate in asked.rates:
            seed = 1000 * number + int(100 * rate)
            load = Asked(service, speech, rate, asked.requests, asked.bound_s, seed)
            both = {"this package": ours, "LoadGen": loadgen}
            for name in sorted(both, reverse=bool(number % 2)):
                print(f"{rate:6g}/s  {name:13} {both[name](load)}", flush=True)
    if asked.peak:
        first = Asked(service, speech, asked.rates[0], asked.requests, asked.bound_s, 7)
        for name, search in {"LoadGen": loadgens_peak, "this package": our_peak}.items():
            print(f"highest rate, {name}: {search(first)}", flush=True)
    service.close()
    system.close()
    print(f"{time.monotonic() - began:.0f} s, {os.cpu_count()} cores")


if __name__ == "__main__":
    main()
