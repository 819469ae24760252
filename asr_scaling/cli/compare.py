"""The command ``python -m asr_scaling compare A B``: what differs between two measurements, and by how much."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Sequence

from asr_scaling.analysis.comparison.comparability import KINDS
from asr_scaling.analysis.comparison.gate import Gate
from asr_scaling.analysis.comparison.verdict import Comparison, compare
from asr_scaling.cli.arguments import Parser
from asr_scaling.core.record import RunRecord
from asr_scaling.errors import AsrScalingError, ConfigError
from asr_scaling.records.sources import records_of
from asr_scaling.tracking import STORE

_ABOUT = """\
How B differs from A in latency, throughput, energy, WER and memory: paired on the same utterances, each change with
its 95 % interval and a verdict. A and B are a record.json, the folder of a point or of a sweep, a file of
tracking=jsonl, or mlflow:<run id or experiment name>. Points of sweeps are matched by name; one point on each side is
compared whatever it is called."""
_EXITS = """\
A change of latency/p50_s or throughput/rtfx is the paired change of what both timed; without % it is that share of A's
value. Metrics without pairing (latency/p99_s, memory/...) are compared by their values; where both have an interval,
overlapping ones are no difference.
Exit status: 0; 1 when a gate failed; 2 when something can't be compared, or a gate can't be judged: a figure is
missing, too few calls were timed, or a point of A failed or is missing in B."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Compare, print, and return the exit status."""
    try:
        options = parser().parse_args(arguments)
        gates = [Gate.parse(text) for text in options.fail_if]
        allow = _allowed(options.allow)
        a, b = (
            [record for record, _ in records_of(each, options.tracking_uri)]
            for each in (options.a, options.b)
        )
        pairs, alone = matched(a, b)
        found, lost = _compared(pairs, allow, [gate.metric for gate in gates])
    except AsrScalingError as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    outcomes = [gate.judge(comparison) for comparison in found for gate in gates]
    unjudged = [outcome.sentence for outcome in outcomes if outcome.failed is None]
    if gates or not found:
        unjudged += lost
    if gates:
        unjudged += [f"'{name}' is missing in B, so no gate can judge it." for name in alone[0]]
    status = 1 if any(outcome.failed for outcome in outcomes) else 2 if unjudged else 0
    if options.json:
        judged = [{"failed": outcome.failed, "sentence": outcome.sentence} for outcome in outcomes]
        plain = {
            "a": options.a,
            "b": options.b,
            "comparisons": [comparison.to_json() for comparison in found],
        }
        plain |= {
            "not_compared": lost,
            "only_in_a": alone[0],
            "only_in_b": alone[1],
            "gates": judged,
        }
        plain["exit_status"] = status
        sys.stdout.write(json.dumps(plain, indent=1, ensure_ascii=False, allow_nan=False) + "\n")
    else:
        from asr_scaling.cli.comparison_table import show

        lines = [
            f"Only in {side}: {', '.join(names)}"
            for side, names in zip("AB", alone, strict=True)
            if names
        ]
        show(
            found,
            [
                *lines,
                *lost,
                *(outcome.sentence for outcome in outcomes if outcome.failed is not None),
            ],
        )
    sys.stderr.writelines(f"error: {sentence}\n" for sentence in unjudged)
    return status


def matched(
    a: Sequence[RunRecord], b: Sequence[RunRecord]
) -> tuple[list[tuple[RunRecord, RunRecord]], tuple[list[str], list[str]]]:
    """Pairs of one name, and the names that only A and only B have; ConfigError when a name is ambiguous or all differ.

    One point on each side is a pair whatever it is called.
    """
    if len(a) == len(b) == 1:
        return [(a[0], b[0])], ([], [])
    counts = [Counter(record.name for record in side) for side in (a, b)]
    for side, count in zip("AB", counts, strict=True):
        for name in counts[0] & counts[1]:
            if count[name] > 1:
                raise ConfigError(
                    f"{side} has {count[name]} points named '{name}': name one sweep, or one record."
                )
    named = {record.name: record for record in b}
    pairs = [(record, named[record.name]) for record in a if record.name in named]
    if not pairs:
        raise ConfigError(
            f"No point of A has its name in B (A: {', '.join(counts[0])}; B: {', '.join(counts[1])}): name one record "
            "on each side to compare two points of different names."
        )
    return pairs, (
        [name for name in counts[0] if name not in counts[1]],
        [n for n in counts[1] if n not in counts[0]],
    )


def _compared(
    pairs: Sequence[tuple[RunRecord, RunRecord]], allow: Sequence[str], metrics: Sequence[str]
) -> tuple[list[Comparison], list[str]]:
    """Comparisons, and why a point that failed has none. What differs in host or data ends the command instead."""
    found, lost = [], []
    for a, b in pairs:
        failed = [f"{side} {r.outcome}" for side, r in (("A", a), ("B", b)) if r.status != "ok"]
        if failed:
            lost.append(f"'{a.name}' can't be compared: {' and '.join(failed)}.")
        else:
            found.append(compare(a, b, allow, metrics))
    return found, lost


def _allowed(text: str) -> list[str]:
    kinds = [kind.strip() for kind in text.split(",") if kind.strip()]
    unknown = [kind for kind in kinds if kind not in KINDS]
    if unknown:
        raise ConfigError(
            f"--allow {','.join(unknown)} is not known: choose of {', '.join(KINDS)}."
        )
    return kinds


def parser() -> Parser:
    """Its options."""
    parser = Parser("compare", _ABOUT, _EXITS)
    parser.add_argument("a", metavar="A", help="the measurement to start from")
    parser.add_argument("b", metavar="B", help="the one that is compared with it")
    kinds = ",".join(KINDS)
    parser.add_argument(
        "--allow", default="", metavar=kinds, help="compare although these differ, and say so"
    )
    example = "METRIC>NUMBER[%%] or METRIC<NUMBER[%%], as 'latency/p50_s>5%%': fail when B's change is beyond it"
    parser.add_argument(
        "--fail-if", action="append", default=[], metavar="GATE", help=f"{example}; repeatable"
    )
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    parser.add_argument(
        "--tracking-uri", default=STORE, metavar="URI", help=f"MLflow's store; {STORE}"
    )
    return parser
