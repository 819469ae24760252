"""Which ways to run a model benchmarks/exhaustive.py measures, and in which order.

First every engine's product of what helps most often, in turns over engines and batch sizes and the
plain variants first; then what is added to the two best of each data type of transformers, and to
the two best of every other engine; then every optimisation alone. When all was measured once, the
fast ones and a dozen of the others are measured in a second and a third process.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

from exhaustive_table import BASELINE, Entry, Measured

BATCHES = (1, 16)
DTYPES: tuple[tuple[str, ...], ...] = (("int8",), ("bf16",), ())
WINDOW, LOOP, HEAP, PINNED = "dynamic_window", "decode_loop", "keep_heap", "pinned_threads"
NEEDING_LOOP = {WINDOW, "device_features"}
"""What transformers does in its decoding loop alone."""
ADDED = ("device_features", "fused", PINNED)
"""What is added to the best of each data type of transformers; to other engines' best the last."""
PROCESSES = 3
NEAR, OTHERS = 0.75, 12
"""Measured more than once: at least so many times the speed of the best, and so many others."""


def next_entry(measured: Measured, engines: Sequence[str], names: Sequence[str]) -> Entry | None:
    """What to measure next; None when everything was."""
    wanted = itertools.chain(
        _turns(_products(engines)),
        *(_refined(measured, batch) for batch in BATCHES),
        *(_pinned(measured, engines, batch) for batch in BATCHES),
        _turns([_alone(engine, names) for engine in engines]),
    )
    never = next((entry for entry in wanted if entry not in measured.rows), None)
    return never or next(_again(measured), None)


def needing_loop(engine: str, names: Sequence[str]) -> tuple[str, ...]:
    """The names, sorted, with the decoding loop where the engine needs it for one of them."""
    needs = engine == BASELINE and NEEDING_LOOP & set(names)
    return tuple(sorted({*names, LOOP} if needs else set(names)))


def _products(engines: Sequence[str]) -> list[list[tuple[str, tuple[str, ...]]]]:
    """For each engine its product, the likely fast first."""
    found = []
    for engine in engines:
        hosts: list[tuple[str, ...]] = [(), (HEAP,)]
        ways: list[tuple[str, ...]] = [(WINDOW,), ()]
        if engine == BASELINE:
            ways = [(WINDOW,), (LOOP,), ()]
        found.append(
            [
                (engine, needing_loop(engine, (*dtype, *way, *host)))
                for host, way, dtype in itertools.product(hosts, ways, DTYPES)
            ]
        )
    return found


def _alone(engine: str, names: Sequence[str]) -> list[tuple[str, tuple[str, ...]]]:
    return [(engine, needing_loop(engine, (name,))) for name in names]


def _turns(lists: Sequence[Sequence[tuple[str, tuple[str, ...]]]]) -> Iterator[Entry]:
    """The baseline, then the lists in turn, each at every batch size."""
    first = [(BASELINE, tuple[str, ...]())]
    turns = itertools.zip_longest(*lists)
    ways = itertools.chain(first, (way for turn in turns for way in turn if way))
    yield from (Entry(engine, names, batch) for engine, names in ways for batch in BATCHES)


def _refined(measured: Measured, batch: int) -> Iterator[Entry]:
    """What is added to the two best of each data type of transformers, singly and together."""
    product = {names for _, names in _products([BASELINE])[0]}
    for dtype in DTYPES:
        rivals = [
            Entry(BASELINE, names, batch)
            for names in product
            if set(names) & {"int8", "bf16"} == set(dtype)
        ]
        best = sorted(filter(measured.works, rivals), key=measured.speed, reverse=True)[:2]
        for entry, more in itertools.product(best, (*((name,) for name in ADDED), ADDED)):
            names = needing_loop(BASELINE, (*entry.optimisations, *more))
            yield Entry(BASELINE, names, batch)


def _pinned(measured: Measured, engines: Sequence[str], batch: int) -> Iterator[Entry]:
    """The two best of each engine but transformers, with pinned threads."""
    for engine, ways in zip(engines, _products(engines), strict=True):
        own = [Entry(engine, names, batch) for _, names in ways if engine != BASELINE]
        best = sorted(filter(measured.works, own), key=measured.speed, reverse=True)[:2]
        for entry in best:
            yield Entry(engine, needing_loop(engine, (*entry.optimisations, PINNED)), batch)


def _again(measured: Measured) -> Iterator[Entry]:
    """What needs another process: all their second ones before their third ones."""
    for processes in range(1, PROCESSES):
        for batch in BATCHES:
            rows = measured.rows.items()
            tried = [e for e, own in rows if e.batch == batch and measured.works(e)]
            ranked = sorted(tried, key=measured.speed, reverse=True)
            fast = [e for e in ranked if measured.speed(e) >= NEAR * measured.speed(ranked[0])]
            others = ranked[len(fast) :]
            some = others[:: max(1, len(others) // OTHERS)][:OTHERS]
            chosen = (*fast, *some)
            yield from (e for e in chosen if len(measured.rows[e]) == processes)
