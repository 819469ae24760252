"""``python -m asr_scaling.selftest [--json PATH]``: exit 0 when nothing failed, 1 otherwise."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from asr_scaling.cli.arguments import Parser
from asr_scaling.cli.selftest_table import print_checks
from asr_scaling.errors import ConfigError
from asr_scaling.selftest import Check, answers, clock, machine, tried
from asr_scaling.selftest.certificate import certificate, keep, to_bytes
from asr_scaling.util.cache import write_atomic

CHECKS: Mapping[str, Callable[[], Check]] = {
    "timer": clock.timer,
    "known sleeps": clock.known_sleeps,
    "sum of stages": clock.stages,
    "A/A noise": clock.noise,
    "other processes": machine.neighbours,
    "energy": machine.energy,
    "known FLOPs": answers.flops,
    "known answer": answers.known_answer,
}


def main(
    arguments: Sequence[str] | None = None, checks: Mapping[str, Callable[[], Check]] = CHECKS
) -> int:
    """Run the checks, print the table, keep the certificate; the exit code."""
    parser = Parser("asr_scaling.selftest", __doc__ or "")
    parser.add_argument(
        "--json", type=Path, metavar="PATH", help="also write the certificate there"
    )
    try:
        chosen = parser.parse_args(arguments)
    except ConfigError as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    start, found = time.perf_counter(), list[Check]()
    for name, check in checks.items():
        sys.stderr.write(f"{name} …\n")
        found.append(tried(name, check))
    done = certificate(found, time.perf_counter() - start)
    try:
        keep(done)
        if chosen.json is not None:
            write_atomic(chosen.json, to_bytes(done))
    except OSError as error:
        sys.stderr.write(
            f"error: The certificate can't be written ({error}): set ASR_SCALING_CACHE or --json.\n"
        )
        return 1
    counts = [
        f"{sum(c.status == status for c in found)} {status}"
        for status in ("pass", "warn", "fail", "skip")
    ]
    print_checks(found, f"{', '.join(counts)}, in {done['seconds']:.0f} s")
    return 1 if done["status"] == "fail" else 0
