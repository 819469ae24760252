"""``python -m asr_scaling sync``: brings to MLflow the records on disk that it lacks."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from asr_scaling.cli.arguments import Parser, add_store, run_verb
from asr_scaling.core.option_checks import writable
from asr_scaling.errors import AsrScalingError
from asr_scaling.records.sync import Sync, SyncedSweep, sweeps_below
from asr_scaling.sweep.sweep_run import SWEEPS

_ABOUT = """\
Brings to MLflow every record below the folders that it lacks, under its sweep's run, with its
artifacts, report and trace. Sweeps whose client was killed are ended there. What MLflow has is left
as it is, so doing this twice changes nothing. A sweep that is still running, or whose client ran on
another machine and did not end, is left alone."""
_EXITS = "Exit status: 0; 1 when something could not be brought, as when the server is away."


def main(arguments: Sequence[str] | None = None) -> int:
    """Bring what is missing, a line a sweep, and return the exit status."""
    return run_verb(parser(), _sync, arguments)


def _sync(options: argparse.Namespace) -> int:
    sync = Sync(options.tracking_uri, options.gone, options.dry_run)
    folders = list(sweeps_below(options.folders))
    sweeps: list[SyncedSweep] = []
    for folder in folders:
        try:
            with writable(folder, "bring it from a copy that may be written"):
                sweep = sync.bring(folder)
        except AsrScalingError as error:
            sys.stderr.write(f"error: {folder}: {error}\n")
            continue
        sweeps.append(sweep)
        sys.stdout.write(f"{folder}: {sweep.line}\n")
    there, brought = sum(sweep.there for sweep in sweeps), sum(sweep.brought for sweep in sweeps)
    verb = "missing" if options.dry_run else "brought"
    line = f"{len(folders)} sweeps: {there} records were there, {brought} {verb}"
    if left_alone := sum(sweep.left_alone for sweep in sweeps):
        line += f", {left_alone} sweeps left alone"
    sys.stdout.write(f"{line}.\n")
    return 1 if len(sweeps) < len(folders) else 0


def parser() -> Parser:
    """The options of ``sync``."""
    parser = Parser("sync", _ABOUT, _EXITS)
    parser.add_path(
        "folders", metavar="FOLDER", nargs="*", default=[str(SWEEPS)], help=f"default: {SWEEPS}"
    )
    add_store(parser, "the sweep's own")
    parser.add_argument(
        "--gone", metavar="HOST", help="sweeps that this machine left unended don't run any more"
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="say what is missing and change nothing"
    )
    return parser
