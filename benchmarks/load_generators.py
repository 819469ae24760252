"""Do two generators of load see the same service alike? Ours beside MLCommons LoadGen (Server).

    pip install mlcommons-loadgen
    python benchmarks/load_generators.py model=whisper_tiny_en engine=faster_whisper \
        optimisation=[dynamic_window,int8] --rates 3 5 --requests 600 --bound-s 2 --rounds 2

One service of the system that the overrides name answers both, in turns: Poisson arrivals at each
rate, the same utterances, so many requests. Both count latency from when a request was due. Printed
for each load: p50 and p99, ours with its 95 % interval, and whether p99 kept the bound; LoadGen's
own word (VALID or INVALID) asks besides whether so few requests can prove it.
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
from asr_scaling.load.drive import Limits, drive
from asr_scaling.load.percentile import latency_percentile

UTTERANCES = 16


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
    import mlperf_loadgen as lg

    requests = load.requests
    carried = in_rounds(requests, load.speech, load.seed)

    def issue(samples: list[Any]) -> None:
        for sample in samples:

            def replied(reply: Reply, key: int = sample.id) -> None:
                lg.QuerySamplesComplete([lg.QuerySampleResponse(key, 0, 0)])

            load.service.submit(carried[sample.index % requests], replied)

    settings = lg.TestSettings()
    settings.scenario, settings.mode = lg.TestScenario.Server, lg.TestMode.PerformanceOnly
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
        summary = Path(folder, "mlperf_log_summary.txt").read_text(encoding="utf-8")
    rows = re.findall(r"(\d+\.\d+) percentile latency \(ns\) *: (\d+)", summary)
    ns = {name: int(value) for name, value in rows}
    (said,) = re.findall(r"Result is : (\w+)", summary)
    return f"p50 {ns['50.00'] / 1e9:6.3f}  p99 {ns['99.00'] / 1e9:6.3f} s; {said}"


def main() -> None:
    """Both, in turns."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("overrides", nargs="*", default=["engine=fake"])
    parser.add_argument("--rates", type=float, nargs="+", default=[3.0, 5.0])
    parser.add_argument("--requests", type=int, default=600)
    parser.add_argument("--bound-s", type=float, default=2.0)
    parser.add_argument("--rounds", type=int, default=2)
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
    service.close()
    system.close()
    print(f"{time.monotonic() - began:.0f} s, {os.cpu_count()} cores")


if __name__ == "__main__":
    main()
