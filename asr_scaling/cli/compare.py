"""``python -m asr_scaling compare A B``: what differs between two measurements, and by how much."""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from asr_scaling.analysis.comparison.advice import SWEEP
from asr_scaling.analysis.comparison.comparability import KINDS
from asr_scaling.analysis.comparison.gate import Gate, GateResult
from asr_scaling.analysis.comparison.verdict import Comparison, compare
from asr_scaling.cli import compare_run
from asr_scaling.cli.arguments import Parser, add_store, run_verb, say_left_out
from asr_scaling.core.record import RunRecord
from asr_scaling.errors import ConfigError, DataError
from asr_scaling.records.record_sources import records_of

_ABOUT = """\
How B differs from A in latency, throughput, energy, WER and memory: paired on the same utterances,
each change with its 95 % interval and a verdict. A and B are a record.json, the folder of a point
or of a sweep, a file of tracking=jsonl, or mlflow:<run id or experiment name>. Points of sweeps are
matched by name; one point on each side is compared whatever it is called.

With --run, A and B are measured first, in turn and in fresh processes:

    python -m asr_scaling compare --run main HEAD --processes 3 --fail-if 'latency/p50_s>5%'
    python -m asr_scaling compare --run A.yaml B.yaml dataset=folder dataset.path=my/speech

Each is a configuration (the YAML of that name, measured by this installation) or a revision of the
checkout in this folder (its code measures the default point). KEY=VALUE changes both."""
_EXITS = """\
A change of latency/p50_s or throughput/rtfx is the paired change of what both timed; without % it
is that share of A's value. Its interval holds what differs between calls and between processes: one
process a side leaves a wide one (sweep.processes=3). A gate has three answers: failed when the
whole interval of the change is beyond the limit, passed when none of it is, and can't tell, with
what would decide. Metrics without an interval (memory/...) are judged by their values.
Exit status: 0 when all passed; 1 when a gate failed; else 2 when one can't tell or something can't
be compared: a figure is missing, too few calls were timed, or a point of A failed, can't be read or
is missing in B."""


@dataclass(frozen=True)
class Matched:
    """Points of two measurements.

    pairs: a point of A and the one of B to compare it with.
    only_a, only_b: names of the points without a partner.
    """

    pairs: Sequence[tuple[RunRecord, RunRecord]]
    only_a: Sequence[str] = ()
    only_b: Sequence[str] = ()


def main(arguments: Sequence[str] | None = None) -> int:
    """Compare, print, and return the exit status."""
    return run_verb(parser(), _compare, arguments, refused=2)


def _compare(options: argparse.Namespace) -> int:
    gates = [Gate.parse(text) for text in options.fail_if]
    allow = _allowed(options.allow)
    compare_run.check(options)
    run = compare_run.measured(options) if options.run else None
    if run is not None and run.status is not None:
        sys.stderr.writelines(f"error: {sentence}\n" for sentence in run.failures)
        return run.status
    return _judge(options, gates, allow, run)


def _judge(
    options: argparse.Namespace,
    gates: Sequence[Gate],
    allow: Sequence[str],
    run: compare_run.Measured | None,
) -> int:
    """Compare the records, print, and return the exit status."""
    damaged_a, damaged_b = list[DataError](), list[DataError]()
    of_a, of_b = (run.a, run.b) if run else (options.a, options.b)
    a = [record for record, _ in records_of(of_a, options.tracking_uri, damaged=damaged_a)]
    b = [record for record, _ in records_of(of_b, options.tracking_uri, damaged=damaged_b)]
    damaged = [*damaged_a, *damaged_b]
    say_left_out(damaged)
    matched = match(a, b, whole=not damaged)
    comparisons, failures = _compared(matched.pairs, allow, gates, run)
    outcomes = [gate.judge(comparison) for comparison in comparisons for gate in gates]
    unjudged = [outcome.sentence for outcome in outcomes if outcome.failed is None]
    if gates or not comparisons:
        unjudged += failures
    if gates:
        unjudged += _ungated(matched, damaged_a)
    status = 1 if any(outcome.failed for outcome in outcomes) else 2 if unjudged else 0
    if options.json:
        result = {
            "a": options.a,
            "b": options.b,
            "comparisons": [comparison.to_json() for comparison in comparisons],
            "not_compared": failures,
            "left_out": [str(error) for error in damaged],
            "only_in_a": matched.only_a,
            "only_in_b": matched.only_b,
            "gates": [gate.to_json() for gate in outcomes],
            "exit_status": status,
            **({"measured": run.to_json()} if run else {}),
        }
        sys.stdout.write(json.dumps(result, indent=1, ensure_ascii=False, allow_nan=False) + "\n")
    else:
        _print(comparisons, failures, matched, outcomes, run)
    sys.stderr.writelines(f"error: {sentence}\n" for sentence in unjudged)
    return status


def _ungated(matched: Matched, damaged: Sequence[DataError]) -> list[str]:
    """A sentence for each point of A that no gate can judge, of which ``damaged`` can't be read."""
    missing = "'{}' is missing in B, so no gate can judge it."
    unread = "What can't be read of A may be a point that no gate has judged."
    return [*map(missing.format, matched.only_a), *([unread] if damaged else [])]


def match(a: Sequence[RunRecord], b: Sequence[RunRecord], whole: bool = True) -> Matched:
    """Match the points by name; one point on each side is a pair whatever it is called.

    whole: whether every record could be read; one that is left is then paired by its name only.

    Raises ConfigError when a name is ambiguous or no name is on both sides.
    """
    if len(a) == len(b) == 1 and whole:
        return Matched([(a[0], b[0])])
    names_a, names_b = (Counter(record.name for record in side) for side in (a, b))
    for side, names in (("A", names_a), ("B", names_b)):
        for name in names_a & names_b:
            if names[name] > 1:
                raise ConfigError(
                    f"{side} has {names[name]} points named '{name}': "
                    "name one sweep, or one record."
                )
    partners = {record.name: record for record in b}
    pairs = [(record, partners[record.name]) for record in a if record.name in partners]
    if not pairs:
        raise ConfigError(
            f"No point of A has its name in B (A: {', '.join(names_a)}; B: {', '.join(names_b)}): "
            "name one record on each side to compare two points of different names."
        )
    only_a = [name for name in names_a if name not in names_b]
    return Matched(pairs, only_a, [name for name in names_b if name not in names_a])


def _compared(
    pairs: Sequence[tuple[RunRecord, RunRecord]],
    allow: Sequence[str],
    gates: Sequence[Gate],
    run: compare_run.Measured | None,
) -> tuple[list[Comparison], list[str]]:
    """The comparisons, and a sentence for each pair of which a point failed.

    Raises ConfigError when the points of a pair differ in what is not allowed to differ.
    """
    comparisons, failures = list[Comparison](), list[str]()
    metrics, ask = [gate.metric for gate in gates], compare_run.MORE if run else SWEEP
    for a, b in pairs:
        reasons = [f"{side} {r.outcome}" for side, r in (("A", a), ("B", b)) if r.status != "ok"]
        if reasons:
            failures.append(f"'{a.name}' can't be compared: {' and '.join(reasons)}.")
        else:
            comparisons.append(compare(a, b, allow, metrics, ask))
    return comparisons, failures


def _print(
    comparisons: Sequence[Comparison],
    failures: Sequence[str],
    matched: Matched,
    outcomes: Sequence[GateResult],
    run: compare_run.Measured | None,
) -> None:
    from asr_scaling.cli.comparison_table import show

    alone = (("A", matched.only_a), ("B", matched.only_b))
    lines = [f"Only in {side}: {', '.join(names)}" for side, names in alone if names]
    judged = [outcome.sentence for outcome in outcomes if outcome.failed is not None]
    show(comparisons, [*lines, *failures, *judged, *(run.lines() if run else ())])


def _allowed(text: str) -> list[str]:
    """The kinds of difference that ``--allow`` names. Raises ConfigError for an unknown one."""
    kinds = [kind.strip() for kind in text.split(",") if kind.strip()]
    unknown = [kind for kind in kinds if kind not in KINDS]
    if unknown:
        raise ConfigError(
            f"--allow {','.join(unknown)} is not known: choose of {', '.join(KINDS)}."
        )
    return kinds


def parser() -> Parser:
    """The options of ``compare``."""
    parser = Parser("compare", _ABOUT, _EXITS)
    parser.add_path("a", metavar="A", help="the measurement to start from")
    parser.add_path("b", metavar="B", help="the one that is compared with it")
    parser.add_argument(
        "--allow",
        default="",
        metavar=",".join(KINDS),
        help="compare although these differ, and say so",
    )
    parser.add_argument(
        "--fail-if",
        action="append",
        default=[],
        metavar="GATE",
        help="METRIC>NUMBER[%%] or METRIC<NUMBER[%%], as 'latency/p50_s>5%%': "
        "fail when all of the change's interval is beyond it; repeatable",
    )
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    compare_run.add_options(parser)
    add_store(parser)
    return parser
