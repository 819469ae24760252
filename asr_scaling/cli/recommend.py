"""``python -m asr_scaling recommend``: the best configuration of this machine under a budget."""

from __future__ import annotations

import argparse
import shlex
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from asr_scaling.analysis.points import to_point
from asr_scaling.analysis.recommendation.answers import Answers, answers, recommendable
from asr_scaling.analysis.recommendation.budget import Budget
from asr_scaling.analysis.recommendation.reproduce import scenario_words
from asr_scaling.analysis.system_names import named
from asr_scaling.cli.arguments import (
    Parser,
    add_bounds,
    add_store,
    bounds,
    positive,
    run_verb,
    say_left_out,
)
from asr_scaling.machine.environment import environment
from asr_scaling.machine.machine_kind import machine_kind
from asr_scaling.records.read import Damaged
from asr_scaling.records.record_sources import records_of
from asr_scaling.sweep.recommended_yaml import (
    check_name,
    run_command,
    serve_command,
    use_in_python,
    write,
)
from asr_scaling.util.redact import printable

_ABOUT = """\
The best configuration of this machine that meets every bound, of all that was measured here, with
its evidence and its runner-up, written as a YAML that  python -m asr_scaling  runs and
asr_scaling.load_system loads. The fastest is the best: with  --max-wer  of those within it, else of
those shown to lose at most  --max-wer-loss  points of WER against the most accurate model's plain
system. A faster one of which that is undecided is named beside it. A configuration of unknown WER,
or one that transcribes only part of the audio, is never recommended. Without  --length, --dataset
or --batch  it is for natural utterances, of the speech of the newest sweep, in calls of any size.
With  --qps  it is the cheapest of those that are shown to hold so many requests a second, as they
arrive, within  --latency-p99 : by energy for an hour of audio where power was measured.
A source is the folder of a sweep or of a point, a record.json, a file of tracking=jsonl (both may
be gzipped), or mlflow:<run id or experiment name>."""
_EXITS = """\
Exit status: 0; 1 when nothing measured here meets the bounds: the nearest miss is named, and
nothing is written; 2 when the question can't be answered."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Choose, print, write, and return the exit status."""
    return run_verb(parser(), _recommend, arguments, refused=2)


def _recommend(options: argparse.Namespace) -> int:
    path = Path(options.out)
    check_name(path)
    budget = Budget(**bounds(options), dataset=options.dataset, batch=options.batch)
    damaged: Damaged = []
    points = [
        to_point(record, again)
        for source in options.sources
        for record, again in records_of(source, options.tracking_uri, light=True, damaged=damaged)
    ]
    say_left_out(damaged)
    here, left_out = recommendable(points)
    found = answers(named(here), budget if here else Budget())
    lines = _lines(found, left_out, bool(here))
    sys.stdout.writelines(f"{printable(line)}\n" for line in lines)
    if found.found.winner is None:
        return 1
    winner = found.found.winner
    write(path, found, winner)
    transcribe = ["python", "-m", "asr_scaling", "transcribe", "speech.wav", "--config", str(path)]
    sys.stdout.write(
        f"Written: {path}\n"
        f"Run it:  {run_command(path)}\n"
        f"Use it:  {use_in_python(path)}\n"
        f"    or:  {shlex.join(transcribe)}\n"
    )
    if options.qps is not None:
        arrive = scenario_words("requests", rate=options.qps)
        sys.stdout.write(
            f"Serve it: {serve_command(path)}\nLoad it: {run_command(path)} {arrive}\n"
        )
    return 0


def _lines(found: Answers, left_out: Counter[str], here: bool) -> list[str]:
    """What is printed of an answer before anything is written."""
    chosen, among = found.found, found.among
    out = [*(f"{count} {what}" for what, count in left_out.items()), *among.left_out]
    first = [
        f"Measured here: {among.measured}."
        + (f" Set aside: {'; '.join(among.aside)}." if among.aside else "")
        + (f" Left out: {'; '.join(out)}." if out else "")
    ]
    if not here:
        of_model = " of a model" if "of engine=fake" in left_out else ""
        kind = machine_kind(environment())
        return [*first, f"No point{of_model} was measured on this machine ({kind})."]
    lines = [*first, *found.lines]
    if chosen.winner is None:
        return [*lines, *chosen.evidence, *found.caveats]
    lines += [f"Rule: {chosen.rule}"]
    lines += [chosen.provisional] if chosen.provisional else []
    lines += [f"Winner against runner-up: {chosen.verdict}.", *chosen.evidence]
    lines += [f"Confirm it:  {chosen.command}"] if chosen.provisional and chosen.command else []
    count = len(among.points)
    return [*lines, *found.caveats, f"Chosen among {count} configurations."]


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number from 1, got '{text}'")
    return int(text)


def parser() -> Parser:
    """The options of ``recommend``."""
    parser = Parser("recommend", _ABOUT, _EXITS)
    parser.add_path(
        "sources", metavar="SOURCE", nargs="*", default=["multirun"], help="default: multirun"
    )
    parser.add_path(
        "-o", "--out", metavar="FILE", default="recommended.yaml", help="default: recommended.yaml"
    )
    group = parser.add_argument_group("bounds")
    add_bounds(
        group,
        qps="requests a second that arrive, as scenario=capacity measures them",
        latency_p99_s="with --qps: 99 %% of requests within S seconds; default: as measured",
        latency_p95_s="95 %% of calls within S seconds (with --qps requests); batch 1 or --batch",
        min_rtfx="at least X seconds of audio a second",
        max_wer="at most this WER, or CER in scripts without spaces",
        max_wer_loss="points of WER that speed may cost; default: 0.5, or a search's own",
        memory_bytes="peak memory, as 500MB, 2GB or 2GiB",
    )
    group.add_argument(
        "--max-joules",
        "--energy",
        dest="energy_j_per_audio_s",
        metavar="J/S",
        type=positive,
        help="joules per second of audio, at most",
    )
    meant = parser.add_argument_group("what it is for")
    add_bounds(meant, length_s="fragments of S seconds")
    meant.add_argument("--dataset", metavar="NAME", help="as records call it")
    meant.add_argument("--batch", metavar="N", type=_count, help="utterances in a call")
    add_store(parser)
    return parser
