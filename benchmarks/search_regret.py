"""How good is what ``experiment=optimise`` answers? The search, replayed where the truth is known.

    python benchmarks/search_regret.py FOLDER                   # tables of benchmarks/exhaustive.py
    python benchmarks/search_regret.py --replays 100 --minutes 20 --tables 'slow start,pairs'

Each replay runs the search of the package, for batches of 1 and 16, in a world: a table that was
measured on a machine, or a made-up one with a trap (benchmarks/made_up_worlds.py). What is in no
table is refused. Time is simulated: a trial takes what starting, loading, compiling and its calls
took in the table, and shows these times with the differences between processes, the drift and the
noise of the world (benchmarks/replayed_bench.py). Replays are spread evenly over the worlds, and
made-up worlds over ``SEEDS`` seeds; each replay has noise and speech of its own. ``--unknown``
takes the search's expectations away, as on a machine and engines of which nothing is known.

Printed for each budget, over all answers and by world:

- regret: 1 - true speed of the winner / that of the fastest whose WER is truly within max_wer_loss;
  a winner that is truly beyond has the regret of its speed, at least 0;
- beyond: winners whose WER is truly beyond max_wer_loss;
- named: answers in which a way as fast as the fastest truly within, or within 2 % of it, is the
  winner or stands beside it as undecided;
- best named: the regret of the fastest truly within among the winner and those beside it;
- held: stated factors over the baseline whose interval holds the true one;
- finals: the share of the time that went to semifinals and finals.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache
from multiprocessing import get_context
from pathlib import Path

from made_up_worlds import TRAPS, made_up
from replayed_bench import ReplayedBench
from replayed_world import AS_FAST, World, of_table
from rich.console import Console
from rich.table import Table

from asr_scaling.core.statistics import percentile
from asr_scaling.search.bench import Kind
from asr_scaling.search.candidates import Entry, Stage
from asr_scaling.search.optimise import optimise
from asr_scaling.search.options import Options
from asr_scaling.search.outcome import Answer
from asr_scaling.search.priors import Priors

REPLAYS, BUDGETS, SEEDS = 1000, (5.0, 10.0, 20.0), 10


@dataclass(frozen=True)
class Replay:
    """What is replayed.

    ``table``: a file, or the name of a made-up world.
    ``unknown``: whether the search expects nothing.
    """

    table: str
    seed: int
    minutes: float
    unknown: bool = False


@dataclass(frozen=True)
class Judged:
    """An answer beside the truth.

    ``named_regret``: of the fastest truly within among the winner and what stands beside it.
    ``held``: whether the stated interval holds the true factor; None without an interval.
    ``finals``: share of the replay's time in semifinals and finals.
    ``why``: what became of the truly best, in words.
    """

    replay: Replay
    batch: int
    regret: float
    named_regret: float
    beyond: bool
    held: bool | None
    finals: float
    spent_s: float
    why: str

    @property
    def named(self) -> bool:
        """Whether one as fast as the truly best is named."""
        return self.named_regret <= AS_FAST


@cache
def world(table: str, seed: int) -> World:
    """The world of a replay's table."""
    return made_up(table, seed // len(TRAPS) % SEEDS) if table in TRAPS else of_table(Path(table))


def replayed(replay: Replay) -> list[Judged]:
    """Run the search once; each of its answers beside the truth."""
    there = world(replay.table, replay.seed if replay.table in TRAPS else 0)
    options = Options(there.engines, there.optimisations, minutes=replay.minutes)
    bench = ReplayedBench(there, options, replay.seed)
    outcome = optimise(options, bench, Priors() if replay.unknown else there.priors)
    tried = Counter((one.entry, one.stage) for one in outcome.tried)
    stages = {stage: {entry for entry, of in tried if of == stage} for _, stage in tried}
    spent_s = bench.spent_s
    finals = (bench.spent["semifinal"] + bench.spent["final"]) / spent_s
    left = {one.entry: one.kind for one in outcome.left}
    found = []
    for answer in outcome.answers:
        best = there.best(answer.batch, options.max_wer_loss)
        speeds = _within(there, answer, options.max_wer_loss)
        found.append(
            Judged(
                replay,
                answer.batch,
                max(0.0, 1 - there.speed(answer.winner) / there.speed(best)),
                1 - max(speeds, default=0.0) / there.speed(best),
                there.loss(answer.winner) > options.max_wer_loss + 1e-9,
                _held(there, answer),
                finals,
                spent_s,
                _fate(best, answer, stages, left),
            )
        )
    return found


def _within(there: World, answer: Answer, max_loss: float) -> list[float]:
    """Speeds of those named that are truly within."""
    named = [answer.winner, *(rival.entry for rival in answer.undecided)]
    return [there.speed(e) for e in named if there.loss(e) <= max_loss + 1e-9]


def _held(there: World, answer: Answer) -> bool | None:
    interval = answer.total.interval
    if interval is None or answer.winner == answer.baseline:
        return None
    true = there.speed(answer.winner) / there.speed(answer.baseline)
    return interval.low <= true <= interval.high


def _fate(
    best: Entry, answer: Answer, stages: Mapping[Stage, set[Entry]], left: Mapping[Entry, Kind]
) -> str:
    """How far the truly best came."""
    if best == answer.winner:
        return "won"
    if any(rival.entry == best for rival in answer.undecided):
        return "undecided"
    if left.get(best) == "WER":
        return "out for its WER"
    came = [stage for stage in ("search", "semifinal", "final") if best in stages.get(stage, ())]
    return f"lost in the {came[-1]}" if came else "never tried"


def shown(found: Sequence[Judged], title: str) -> Table:
    """A row for all, and one for each world and batch size."""
    columns = ("regret median %", "p95 %", "beyond %", "named %", "best named p95 %", "held %")
    table = Table("world", "answers", *columns, "finals %", "the truly best", title=title)
    groups: dict[str, list[Judged]] = defaultdict(list)
    for one in found:
        groups["all"].append(one)
        made = one.replay.table in TRAPS
        groups["all made up" if made else "all measured"].append(one)
    for one in found:
        groups[f"{Path(one.replay.table).name.partition('.')[0]} at {one.batch}"].append(one)
    for name, own in groups.items():
        table.add_row(name, str(len(own)), *_figures(own))
    return table


def _figures(own: Sequence[Judged]) -> list[str]:
    held = [one.held for one in own if one.held is not None]
    fates = Counter(one.why for one in own).most_common(3)
    return [
        f"{100 * statistics.median(one.regret for one in own):.1f}",
        f"{100 * percentile([one.regret for one in own], 95):.1f}",
        _share([one.beyond for one in own]),
        _share([one.named for one in own]),
        f"{100 * percentile([one.named_regret for one in own], 95):.1f}",
        _share(held),
        f"{100 * statistics.fmean(one.finals for one in own):.0f}",
        ", ".join(f"{why} {100 * count / len(own):.0f} %" for why, count in fates),
    ]


def _share(of: Sequence[bool]) -> str:
    return f"{100 * sum(of) / len(of):.1f}" if of else "–"


def run(replays: Iterable[Replay], processes: int) -> list[Judged]:
    """All of them, on so many processes."""
    tasks = list(replays)
    if processes == 1:
        return [one for task in tasks for one in replayed(task)]
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[name] = "1"  # threads of several processes would wait for each other's cores
    with ProcessPoolExecutor(processes, get_context("spawn")) as pool:
        return [one for found in pool.map(replayed, tasks, chunksize=4) for one in found]


def main(arguments: Sequence[str]) -> int:
    """Replay and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("folder", type=Path, nargs="?", help="of tables; none for made-up worlds")
    parser.add_argument("--replays", type=int, default=REPLAYS, help="for each budget")
    parser.add_argument("--minutes", type=float, nargs="*", default=BUDGETS)
    parser.add_argument("--tables", help="names of those to replay, between commas; all otherwise")
    parser.add_argument("--unknown", action="store_true", help="the search expects nothing")
    parser.add_argument("--processes", type=int, default=2)
    given = parser.parse_args(arguments)
    files = sorted(given.folder.glob("*.jsonl*")) if given.folder else []
    tables = [*(str(file).removesuffix(".gz") for file in files), *TRAPS]
    if given.tables:
        wanted = given.tables.split(",")
        tables = [t for t in tables if t in wanted or Path(t).name.partition(".")[0] in wanted]
    out = Console(width=200)
    for minutes in given.minutes:
        began = time.monotonic()
        turns = ((tables[n % len(tables)], n) for n in range(given.replays))
        replays = [Replay(table, n, minutes, given.unknown) for table, n in turns]
        found = run(replays, given.processes)
        took_s = time.monotonic() - began
        out.print(shown(found, f"{minutes:g} minutes, {given.replays} replays in {took_s:.0f} s"))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
