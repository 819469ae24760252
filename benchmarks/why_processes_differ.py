"""Why do processes of one command differ in speed? Processes side by side, called in turn.

    python benchmarks/why_processes_differ.py measure results.jsonl            # about ten minutes
    python benchmarks/why_processes_differ.py measure results.jsonl --system faster_whisper
    python benchmarks/why_processes_differ.py measure results.jsonl --only kept_heap one_thread
    python benchmarks/why_processes_differ.py show results.jsonl more.jsonl

Eight processes of a batch have the system loaded and are stopped (SIGSTOP) but for the one whose
turn it is. A turn is two calls; a round gives every process one turn, in random order. What the
host does in a round happens to all eight, so what differs between them is the process. Each has
other treatments: a row of a two-level design, in which each treatment is on in one half of the
processes. Before a turn the process does the metronome's known work, which shows the clock that
its core has: the clock itself can't be read on most virtual machines. --later 4 has four more
rounds of a batch once the next one was measured, minutes later; --anew 4 has four more after that,
after a second load in the same processes. Two batches of processes are then in memory.
--quiet and --slot go before what holds the machine while it is measured, and while systems load.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from why_tables import show

CHILD = Path(__file__).with_name("one_process.py")
VARIABLES = {
    "huge_pages": {"GLIBC_TUNABLES": "glibc.malloc.hugetlb=1"},
    "bound_threads": {"OMP_PROC_BIND": "true", "OMP_PLACES": "cores"},
    "spinning_threads": {"OMP_WAIT_POLICY": "active"},
    "one_arena": {"MALLOC_ARENA_MAX": "1"},
    "same_addresses": {"PYTHONHASHSEED": "0"},
}
"""Treatment → variables of the environment; same_addresses also starts under setarch -R."""
OPTIONS = {"kept_heap": "device.heap=keep", "one_thread": "device.threads=1"}
ORDERS = ("flush_denormals", "copied_weights")
"""Treatments that are options of the system, and those that the process is told when it loads."""
SYSTEMS = {
    "transformers": ["engine=transformers"],
    "faster_whisper": ["engine=faster_whisper", "engine.dtype=int8"],
}
BITS, BATCH, TURN = 4, 8, 2
"""2**BITS rows of a design; processes of a batch; calls of a turn."""


def design(treatments: Sequence[str], draw: random.Random) -> list[list[str]]:
    """Rows of a two-level design of resolution IV: the treatments that are on in each.

    2**BITS rows for up to 2**(BITS - 1) treatments, on in one half of the rows each and by pairs in
    one quarter. No effect of one treatment is mixed with one that two have together. A row and the
    next, in which all that was on is off, belong together; the pairs are in random order.
    Source: Box, Hunter & Hunter 2005, "Statistics for experimenters", chapter 6: the columns are
    the products of an odd number of basic ones. Raises ValueError for more treatments.
    """
    columns = [k for k in range(1, 2**BITS) if k.bit_count() % 2]
    if len(treatments) > len(columns):
        raise ValueError(f"A design has {len(columns)} treatments; got {len(treatments)}.")
    chosen = dict(zip(treatments, columns, strict=False))
    opposite = 2**BITS - 1
    numbers = draw.sample(range(2 ** (BITS - 1)), 2 ** (BITS - 1))
    return [
        [name for name, column in chosen.items() if (row & column).bit_count() % 2]
        for number in numbers
        for row in (number, number ^ opposite)
    ]


class Child:
    """A process that is stopped but while it is asked.

    on: its treatments.
    """

    def __init__(self, system: str, on: Sequence[str]) -> None:
        self.on = list(on)
        options = ["model=whisper_tiny_en", *SYSTEMS[system]]
        options += [OPTIONS[name] for name in on if name in OPTIONS]
        told = {name: name in on for name in ORDERS}
        self._load = {"do": "load", "overrides": options, **told}
        env = {**os.environ, "HF_HUB_OFFLINE": "1"}
        for name in on:
            env |= VARIABLES.get(name, {})
        words = ["setarch", "-R"] * ("same_addresses" in on) + [sys.executable, str(CHILD)]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        self._process = subprocess.Popen(  # type: ignore[call-overload]
            words, env=env, stderr=subprocess.DEVNULL, **pipes
        )

    def load(self) -> dict[str, Any]:
        """Load the system for the first time."""
        return self.ask(self._load)

    def ask(self, order: dict[str, Any]) -> dict[str, Any]:
        """The answer to an order. Raises RuntimeError when the process is gone."""
        self._process.send_signal(signal.SIGCONT)
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        self._process.send_signal(signal.SIGSTOP)
        if not line:
            raise RuntimeError(f"A process ended with status {self._process.wait()}: {self._load}")
        found: dict[str, Any] = json.loads(line)
        return found

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.wait()


@contextmanager
def held(through: str) -> Iterator[None]:
    """The machine is held by ``through``, which runs a command that waits until this is over."""
    words = [*shlex.split(through), "sh", "-c", "echo held; read _"]
    with subprocess.Popen(
        words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdin is not None
        assert holder.stdout is not None
        holder.stdout.readline()
        try:
            yield
        finally:
            holder.stdin.close()


class Batch:
    """Processes that are called in turn.

    rows: the treatments of each.
    given: the command line.
    """

    def __init__(
        self, stack: ExitStack, rows: Sequence[list[str]], given: argparse.Namespace, number: int
    ) -> None:
        self._given = given
        self._children = [Child(given.system, on) for on in rows]
        for child in self._children:
            stack.callback(child.close)
        self._draw = random.Random(number)
        self._at = {"system": given.system, "batch": number}

    def load(self, stage: str = "first") -> None:
        """Load the system in every process, four each time that the machine is held."""
        for four in range(0, len(self._children), 4):
            with held(self._given.slot):
                for i in range(four, min(four + 4, len(self._children))):
                    child = self._children[i]
                    found = child.ask({"do": "load_anew"}) if stage == "anew" else child.load()
                    self._write("load", i, stage, found)

    def turns(self, rounds: int, stage: str = "first") -> None:
        """Rounds in which every process has a turn, two each time that the machine is held."""
        for two in range(0, rounds, 2):
            with held(self._given.quiet):
                for k in range(two, min(two + 2, rounds)):
                    for i in self._draw.sample(range(len(self._children)), len(self._children)):
                        found = self._children[i].ask({"do": "calls", "count": TURN})
                        self._write("turn", i, stage, {"round": k, **found})
        print(f"{self._at['batch']}, {stage}: {rounds} rounds", flush=True)

    def finish(self) -> None:
        """The rounds that come later, those after a second load, and the end of the processes."""
        if self._given.later:
            self.turns(self._given.later, "later")
        if self._given.anew:
            self.load("anew")
            self.turns(self._given.anew, "anew")
        for child in self._children:
            child.close()

    def _write(self, kind: str, process: int, stage: str, found: dict[str, Any]) -> None:
        where = {"process": process, "on": self._children[process].on, "stage": stage}
        with self._given.results.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"kind": kind, **self._at, **where, **found}) + "\n")


def measure(given: argparse.Namespace) -> None:
    """Measure batch after batch; one is finished once the next had its first rounds."""
    treatments = given.only or ["kept_heap", *VARIABLES, *ORDERS]
    if given.system != "transformers":
        treatments = [name for name in treatments if name != "copied_weights"]
    rows: list[list[str]] = []
    draw = random.Random(given.seed)
    while len(rows) < BATCH * given.batches:
        rows += design(treatments, draw)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("Ended; what is measured is kept."))
    with ExitStack() as stack:  # which ends the stopped processes
        before: Batch | None = None
        for k in range(given.batches):
            chosen = rows[BATCH * k : BATCH * (k + 1)]
            batch = Batch(stack, chosen, given, 100 * given.seed + k)
            batch.load()
            batch.turns(given.rounds)
            if before:
                before.finish()
            before = batch
        if before:
            before.finish()


def main(arguments: list[str]) -> None:
    """Measure, or show what was measured."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("verb", choices=("measure", "show"))
    parser.add_argument("results", type=Path, nargs="+", help="one file to measure into")
    parser.add_argument("--system", choices=SYSTEMS, default="transformers")
    parser.add_argument("--batches", type=int, default=4)
    parser.add_argument("--only", nargs="+", choices=(*OPTIONS, *VARIABLES, *ORDERS))
    parser.add_argument("--rounds", type=int, default=10, help="of a batch")
    parser.add_argument("--later", type=int, default=0, help="rounds minutes later")
    parser.add_argument("--anew", type=int, default=0, help="rounds after a second load")
    parser.add_argument("--seed", type=int, default=1, help="another one for further batches")
    parser.add_argument("--quiet", default="")
    parser.add_argument("--slot", default="")
    given = parser.parse_args(arguments)
    results: list[Path] = given.results
    if given.verb == "measure":
        if len(results) > 1:
            parser.error(f"measure writes one file; got {len(results)}.")
        most = 2 ** (BITS - 1)
        if len(given.only or ()) > most:
            parser.error(f"A design has at most {most} treatments; got {len(given.only)}.")
        given.results = results[0]
        measure(given)
    for path in results:
        show(path)


if __name__ == "__main__":
    main(sys.argv[1:])
