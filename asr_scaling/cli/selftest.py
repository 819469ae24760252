"""``python -m asr_scaling selftest``: is this machine fit to measure?"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

from asr_scaling.cli.arguments import Parser, run_verb
from asr_scaling.core.option_checks import writable
from asr_scaling.report.console import cell, console, print_line, table
from asr_scaling.selftest import between_processes, clock, known_answers, machine
from asr_scaling.selftest.certificate import (
    certificate,
    checks_of,
    fresh,
    keep,
    passing,
    renewed,
    to_bytes,
)
from asr_scaling.selftest.checks import Check, tried
from asr_scaling.util.cache import write_atomic

_ABOUT = """\
Puts known inputs through the real pipeline and prints, a row a check, what came out and what to do
about it. The result is kept for a day and stored with every sweep of this machine."""
_EXITS = "Exit status: 0; 1 when a check failed, or the result can't be written."
CHECKS: Mapping[str, Callable[[], Check]] = {
    "timer": clock.timer,
    "known sleeps": clock.known_sleeps,
    "sum of stages": clock.stages,
    "A/A noise": clock.noise,
    "other processes": machine.neighbours,
    "energy": machine.energy,
    "known FLOPs": known_answers.flops,
    "known answer": known_answers.known_answer,
    between_processes.NAME: between_processes.between_processes,
}
_COLOURS = {"pass": "green", "warn": "yellow", "fail": "red", "skip": "dim"}


def main(
    arguments: Sequence[str] | None = None, checks: Mapping[str, Callable[[], Check]] = CHECKS
) -> int:
    """Run the checks, print the table, keep the certificate, and return the exit status."""
    return run_verb(parser(), partial(_selftest, checks), arguments)


def _selftest(checks: Mapping[str, Callable[[], Check]], options: argparse.Namespace) -> int:
    start = time.perf_counter()
    kept = fresh() if options.again else None
    results: list[Check] = []
    for name in [name for name in checks if kept is None or name in passing(kept)]:
        sys.stderr.write(f"{name} …\n")
        results.append(tried(name, checks[name]))
    seconds = time.perf_counter() - start
    done = certificate(results, seconds) if kept is None else renewed(kept, results)
    rows = checks_of(done)
    counts = Counter(check.status for check in rows)
    totals = ", ".join(f"{counts[status]} {status}" for status in ("pass", "warn", "fail", "skip"))
    _print(rows, f"{totals}, in {seconds:.0f} s")
    if options.json is not None:
        with writable(options.json, "name another file with --json"):
            write_atomic(Path(options.json), to_bytes(done))
    with writable("The certificate", "set ASR_SCALING_CACHE to a folder of yours"):
        keep(done)
    for check in results:
        between_processes.note(check)
    return 1 if done["status"] == "fail" else 0


def _print(checks: Sequence[Check], last: str) -> None:
    """Print a row a check (name, status, figure and advice), then the line ``last``."""
    rows = table(edge=True)
    rows.add_column("check", no_wrap=True)
    rows.add_column("result", no_wrap=True)
    rows.add_column("figure")
    rows.add_column("advice")
    for check in checks:
        status = f"[{_COLOURS[check.status]}]{check.status}[/]"
        rows.add_row(cell(check.name), status, cell(check.figure), cell(check.advice))
    out = console(width=132)
    out.print(rows)
    print_line(out, last)


def parser() -> Parser:
    """The options of ``selftest``."""
    parser = Parser("selftest", _ABOUT, _EXITS)
    parser.add_path("--json", metavar="PATH", help="also write the certificate there")
    parser.add_argument(
        "--again",
        action="store_true",
        help="of today's certificate, only what did not pass and may pass now; the rest stands",
    )
    return parser
