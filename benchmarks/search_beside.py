"""Does anything measured by hand beat what ``experiment=optimise`` named?

    python benchmarks/search_beside.py SWEEP TABLES --rounds 4

SWEEP is the folder of a search, TABLES one of benchmarks/exhaustive.py on the same machine. At each
batch size the search's winner, what it named as undecided, the fastest of the table, and plain
transformers are measured in turns, each in a process of its own in every round, every second round
backwards, on 48 utterances of the bundled speech from all quantiles of length. Left out are entries
of the table whose WER is shown to be beyond what the search allowed, over the words that the table
has.

Printed for each: RTFx over all rounds, and its speed over the winner's, paired by rounds, with the
interval of 95 %.
"""

from __future__ import annotations

import argparse
import math
import statistics
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from exhaustive import LIMIT_S, UTTERANCES, session
from exhaustive_process import Menu, forked, in_turns, timed
from exhaustive_table import BASELINE, Entry, Measured, rtfx
from rich.console import Console
from rich.table import Table

from asr_scaling.analysis.load_points import points
from asr_scaling.core.statistics import mean_interval
from asr_scaling.core.word_loss import word_loss
from asr_scaling.dataset.demo import Demo
from asr_scaling.search.outcome import Answer
from asr_scaling.search.searched_points import outcome_of
from asr_scaling.util.config_dir import conf_dir

FASTEST, ROUNDS = 4, 4


def named(answer: Answer) -> dict[Entry, str]:
    """What the search said of the entries that it named."""
    winner, rivals = answer.winner, (rival.entry for rival in answer.undecided)
    told = {winner: "winner", **dict.fromkeys(rivals, "undecided")}
    return {
        Entry(e.candidate.engine, e.candidate.optimisations, e.batch): what
        for e, what in told.items()
    }


def fastest(known: Measured, batch: int, max_loss: float) -> list[Entry]:
    """The fastest of the table whose WER is not shown to be more than ``max_loss`` points worse."""
    plain = known.words(Entry(BASELINE, (), 1))
    found = []
    there = [e for e in known.rows if e.batch == batch and known.works(e)]
    for entry in sorted(there, key=known.speed, reverse=True):
        loss = word_loss(plain, known.words(entry))
        if loss is None or loss.outcome(max_loss / 100) != "beyond":
            found.append(entry)
    return found[:FASTEST]


def logs(menu: Menu, entries: Sequence[Entry], rounds: int) -> dict[Entry, list[float]]:
    """Log RTFx of every entry in every round."""
    speech = in_turns(Demo().load(None).utterances, UTTERANCES)
    audio_s = {u.id: u.duration_s for u in speech}
    found: dict[Entry, list[float]] = {entry: [] for entry in entries}
    for number in range(rounds):
        for entry in entries[:: -1 if number % 2 else 1]:
            row = forked(partial(timed, menu.system(entry), speech, True), LIMIT_S)
            if row["outcome"] != "ok":
                raise SystemExit(f"{entry.label}: {row['why']}")
            found[entry].append(math.log(rtfx(row, audio_s)))
    return found


def shown(
    measured: dict[Entry, list[float]], told: dict[Entry, str], known: Measured, title: str
) -> Table:
    """A row for each, the fastest first."""
    columns = ("what", "RTFx", "× winner", "table's RTFx", "WER points over plain", "words")
    table = Table("system", *columns, title=title)
    winner = next(iter(told))
    for entry in sorted(measured, key=lambda e: -statistics.fmean(measured[e])):
        own = measured[entry]
        ratios = [a - b for a, b in zip(own, measured[winner], strict=True)]
        loss = word_loss(known.words(Entry(BASELINE, (), 1)), known.words(entry))
        table.add_row(
            entry.label,
            told.get(entry, "plain" if entry.label == BASELINE else "of the table"),
            f"{math.exp(statistics.fmean(own)):.1f}",
            "1" if entry == winner else _interval(ratios),
            f"{known.speed(entry):.1f}" if known.works(entry) else "–",
            f"{100 * loss.change:+.2f}" if loss else "–",
            str(loss.words) if loss else "–",
        )
    return table


def _interval(logs: Sequence[float]) -> str:
    factor, ends = math.exp(statistics.fmean(logs)), mean_interval(logs)
    between = f" ({math.exp(ends.low):.2f}–{math.exp(ends.high):.2f})" if ends else ""
    return f"{factor:.2f}{between}"


def main(arguments: Sequence[str]) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("sweep", type=Path)
    parser.add_argument("tables", type=Path)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    given = parser.parse_args(arguments)
    outcome = outcome_of([str(given.sweep)])
    if outcome is None:
        parser.error(f"{given.sweep} is no search that has ended: name the folder of optimise.json")
    (model,) = {point.model for point in points([str(given.sweep)])}
    known = Measured.read(given.tables / f"{model}.jsonl")
    session()  # imports every engine, so that forked processes start at once
    names = sorted(path.stem for path in (conf_dir() / "optimisation").glob("*.yaml"))
    out = Console(width=150, markup=False)
    for answer in outcome.answers:
        told = named(answer)
        best = fastest(known, answer.batch, outcome.max_wer_loss)
        entries = [*dict.fromkeys((*told, *best, Entry(BASELINE, (), answer.batch)))]
        menu = Menu(model, sorted({entry.engine for entry in entries}), names)
        found = logs(menu, entries, given.rounds)
        title = f"{model} at batch {answer.batch}, {given.rounds} rounds"
        out.print(shown(found, told, known, title))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
