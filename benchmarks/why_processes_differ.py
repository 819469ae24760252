"""Why do processes of one command differ in speed? Processes side by side, called in turn.

    python benchmarks/why_processes_differ.py measure results.jsonl            # about ten minutes
    python benchmarks/why_processes_differ.py measure results.jsonl --system faster_whisper
    python benchmarks/why_processes_differ.py show results.jsonl

Eight processes of a batch have the system loaded and are stopped (SIGSTOP) but for the one whose
turn it is. A turn is two calls; a round gives every process one turn, in random order. What the
host does in a round happens to all eight, so what differs between them is the process. Each has
other treatments: a row of a two-level design, in which each treatment is on in one half of the
processes. --anew 4 has four more rounds after a second load in the same processes.
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

from why_analysis import show

CHILD = Path(__file__).with_name("one_process.py")
VARIABLES = {
    "huge_pages": {"GLIBC_TUNABLES": "glibc.malloc.hugetlb=1"},
    "bound_threads": {"OMP_PROC_BIND": "true", "OMP_PLACES": "cores"},
    "spinning_threads": {"OMP_WAIT_POLICY": "active"},
    "one_arena": {"MALLOC_ARENA_MAX": "1"},
    "same_addresses": {"PYTHONHASHSEED": "0"},
}
"""Treatment → variables of the environment; same_addresses also starts under setarch -R."""
HEAP, COPY = "kept_heap", "copied_weights"
SYSTEMS = {
    "transformers": ["engine=transformers"],
    "faster_whisper": ["engine=faster_whisper", "engine.dtype=int8"],
}
BITS, BATCH, TURN, ROUNDS = 4, 8, 2, 10
"""2**BITS rows of a design; processes of a batch; calls of a turn; rounds of a batch."""


def design(treatments: Sequence[str], draw: random.Random) -> list[list[str]]:
    """Rows of a two-level design of resolution IV: the treatments that are on in each.

    2**BITS rows for up to 2**(BITS - 1) treatments, on in one half of the rows each and by pairs in
    one quarter. No effect of one treatment is mixed with one that two have together. A row and the
    next, in which all that was on is off, belong together; the pairs are in random order.
    Source: Box, Hunter & Hunter 2005, "Statistics for experimenters", chapter 6: the columns are
    the products of an odd number of basic ones.
    """
    columns = [k for k in range(1, 2**BITS) if k.bit_count() % 2]
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
        options += ["device.heap=keep"] * (HEAP in on)
        self._load = {"do": "load", "overrides": options, COPY: COPY in on}
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


def batch(system: str, rows: Sequence[list[str]], given: argparse.Namespace, number: int) -> None:
    """Measure one process for each of the rows, and write what they found."""
    with ExitStack() as stack:
        children = []
        for on in rows:
            child = Child(system, on)
            stack.callback(child.close)
            children.append(child)
        draw, at = random.Random(number), {"system": system, "batch": number}
        with given.results.open("a", encoding="utf-8") as file:
            stages = ((False, ROUNDS), (True, given.anew)) if given.anew else ((False, ROUNDS),)
            for anew, rounds in stages:
                for i, child in enumerate(children):
                    if i % 4 == 0:  # four loads each time that the machine is held
                        hold = stack.enter_context(ExitStack())
                        hold.enter_context(held(given.slot))
                    found = child.ask({"do": "load_anew"}) if anew else child.load()
                    asked = {**at, "process": i, "on": child.on, "anew": anew}
                    file.write(json.dumps({"kind": "load", **asked, **found}) + "\n")
                    if i % 4 == 3:
                        hold.close()
                for k in range(rounds):
                    if k % 2 == 0:  # two rounds each time that the machine is held
                        hold = stack.enter_context(ExitStack())
                        hold.enter_context(held(given.quiet))
                    for i in draw.sample(range(len(children)), len(children)):
                        found = children[i].ask({"do": "calls", "count": TURN})
                        where = {"process": i, "on": children[i].on, "anew": anew, "round": k}
                        file.write(json.dumps({"kind": "turn", **at, **where, **found}) + "\n")
                    file.flush()
                    if k % 2:
                        hold.close()


def main(arguments: list[str]) -> None:
    """Measure, or show what was measured."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("verb", choices=("measure", "show"))
    parser.add_argument("results", type=Path)
    parser.add_argument("--system", choices=SYSTEMS, default="transformers")
    parser.add_argument("--batches", type=int, default=4)
    parser.add_argument("--only", nargs="+", metavar="TREATMENT", help="these and no others")
    parser.add_argument("--anew", type=int, default=0, help="rounds after a second load, even")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--quiet", default="")
    parser.add_argument("--slot", default="")
    given = parser.parse_args(arguments)
    if given.verb == "measure":
        treatments = [HEAP, *VARIABLES, *([COPY] if given.system == "transformers" else [])]
        treatments = given.only or treatments
        rows: list[list[str]] = []
        draw = random.Random(given.seed)
        while len(rows) < BATCH * given.batches:
            rows += design(treatments, draw)
        for k in range(given.batches):
            chosen = rows[BATCH * k : BATCH * (k + 1)]
            batch(given.system, chosen, given, 100 * given.seed + k)
    show(given.results)


if __name__ == "__main__":
    main(sys.argv[1:])
