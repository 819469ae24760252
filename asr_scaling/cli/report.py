"""``python -m asr_scaling report SOURCE``: a page that answers which model to use."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from asr_scaling.analysis.load_points import points
from asr_scaling.cli.arguments import Parser, add_bounds, add_store, bounds, run_verb, say_left_out
from asr_scaling.records.read import Damaged
from asr_scaling.records.record_sources import MLFLOW
from asr_scaling.tracking import STORE_IF_NONE
from asr_scaling.util.redact import printable

_ABOUT = """\
A report on measured points: which model to use for what, what a minute of audio costs, how time and
energy grow, and what to optimise first. Written as one HTML page that opens from disk, Markdown, a
CSV of all metrics and figures (PNG, SVG), and stored with the sweep's run in MLflow.
A source is the folder of a sweep or of a point, a record.json, a file of tracking=jsonl (both may
be gzipped), or mlflow:<run id or experiment name>. Several sources make one report."""
_EXITS = """\
Exit status: 0; 1 when the report can't be made, or was made and can't be stored in MLflow."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Make the report, print where it is and its first words, and return the exit status."""
    return run_verb(parser(), _report, arguments)


def _report(options: argparse.Namespace) -> int:
    from asr_scaling.analysis.recommendation.scenarios import Budgets
    from asr_scaling.records.record_sources import log_report
    from asr_scaling.report.build import document, first_words, write
    from asr_scaling.search.searched_points import outcome_of
    from asr_scaling.search.serving.outcome import searched_ways

    budgets = Budgets(**bounds(options))
    damaged: Damaged = []
    measured = points(options.sources, options.tracking_uri, damaged)
    say_left_out(damaged)
    searches = outcome_of(options.sources), searched_ways(options.sources)
    report = document(measured, budgets, damaged, *searches)
    folder = _folder(options)
    files = write(report, measured, folder)
    texts = [file for file in files if file.parent == folder]
    figures = len(files) - len(texts)
    sys.stdout.write(f"{printable(first_words(report))}\n\n")
    sys.stdout.writelines(f"{file}\n" for file in texts)
    if figures:
        sys.stdout.write(f"{folder / 'figures'} ({figures} files)\n")
    if not options.no_mlflow:
        sys.stdout.write(log_report(folder, options.sources, options.tracking_uri) + "\n")
    return 0


def _folder(options: argparse.Namespace) -> Path:
    """Where the report is written: in the folder of its one source, else in the current one."""
    if options.output is not None:
        return Path(options.output)
    (source, *others) = options.sources
    beside = not others and not source.startswith(MLFLOW) and Path(source).is_dir()
    return Path(source) / "report" if beside else Path("report")


def parser() -> Parser:
    """The options of ``report``."""
    parser = Parser("report", _ABOUT, _EXITS)
    parser.add_path("sources", metavar="SOURCE", nargs="+", help="what was measured")
    parser.add_path(
        "-o", "--output", metavar="FOLDER", help="default: report in the sweep's folder, else here"
    )
    budgets = parser.add_argument_group("budgets of the recommendations")
    add_bounds(
        budgets,
        latency_p95_s="real time: 95 %% of calls within S seconds",
        min_rtfx="real time: at least X seconds of audio a second",
        max_wer="everywhere: at most this WER, or CER in scripts without spaces",
        max_wer_loss="real time, throughput: points of WER that speed may cost, as in recommend",
        memory_bytes="edge: peak memory, as 500MB, 2GB or 2GiB",
        energy_j_per_audio_s="edge: joules per second of audio",
        length_s="length of utterance that the recommendations are about",
        price_per_hour="of the machine, in any currency: prices are shown",
    )
    add_store(parser, f"the sweep's own or {STORE_IF_NONE}")
    parser.add_argument("--no-mlflow", action="store_true", help="don't store the report in MLflow")
    return parser
