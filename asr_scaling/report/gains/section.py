"""The part of a report about what engines and optimisations bring."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from asr_scaling.analysis.comparison.verdict import (
    CANT_TELL,
    ENERGY,
    LATENCY,
    MEMORY,
    NO_DIFFERENCE,
    RTFX,
    WER,
)
from asr_scaling.analysis.format import DEVICE_MEMORY, memory_metric
from asr_scaling.analysis.points import Point
from asr_scaling.report.cells import batch_cell, length_cell, missing, number, words
from asr_scaling.report.document import Block, Cell, Column, Row, Section, Table, Text
from asr_scaling.report.gains.figure import drawn
from asr_scaling.report.gains.pairs import (
    PLAIN_ENGINE,
    Gain,
    factor,
    gains,
    is_plain,
    points_of,
    ratio,
    times,
)

_COLUMNS = (
    Column("System", numeric=False),
    Column("Device", numeric=False),
    Column("Length", "s"),
    Column("Batch"),
    Column(
        "RTFx", "× plain", meaning="audio per second over the plain system's, paired by utterance"
    ),
    Column("Latency", "× plain", meaning="median time of a call over the plain system's"),
    Column("WER", "points", meaning="change on the same utterances"),
    Column("Energy", "× plain", meaning="joules per second of audio over the plain system's"),
    Column("Memory", "× plain", meaning="peak memory over the plain system's"),
    Column("Start-up", "s", meaning="loading and compiling, beyond what the plain system takes"),
    Column(
        "Pays off",
        "utterances",
        meaning="start-up beyond the plain system's over the time an utterance saves",
    ),
)


def sections(points: Sequence[Point]) -> tuple[Section, ...]:
    """The section, none where nothing but plain systems was measured."""
    found = gains(points)
    return (_section(found, points),) if found else ()


def _section(found: Sequence[Gain], points: Sequence[Point]) -> Section:
    lone = sum(point.ok and not is_plain(point) for point in points) - len(found)
    blocks: list[Block] = [Text(_best(found))]
    figure = drawn(found)
    blocks += [figure] if figure else []
    blocks.append(_table(found, lone))
    return Section("gains", "What engines and optimisations bring", tuple(blocks))


def _best(found: Iterable[Gain]) -> str:
    """The largest gain of each model on each device whose WER is not worse, in one paragraph."""
    said, groups = [], dict[tuple[str, str], list[Gain]]()
    for gain in found:
        groups.setdefault((gain.point.model, gain.point.device), []).append(gain)
    several = len({device for _, device in groups}) > 1
    for (name, device), those in groups.items():
        model = f"{name} on {device}" if several else name
        good = [
            gain for gain in those if factor(gain.found.row(RTFX)) is not None and not _worse(gain)
        ]
        best = max(good, key=lambda gain: factor(gain.found.row(RTFX)) or 0.0, default=None)
        if best is None:
            said.append(f"Nothing made {model} faster without making it worse.")
            continue
        row, wer = best.found.row(RTFX), best.found.row(WER)
        how = " · ".join(filter(None, (best.point.engine, " + ".join(best.point.optimisations))))
        known = wer.absolute is not None
        about = (
            f"WER {points_of(wer)} points"
            if known
            else f"WER not compared: {wer.reason.rstrip('.')}"
        )
        said.append(
            f"**{model}** gained most from {how}: {times(row)} at batch {best.point.batch} ({about})."
        )
    return " ".join(said)


def _worse(gain: Gain) -> bool:
    row = gain.found.row(WER)
    judged = row.verdict and row.verdict != NO_DIFFERENCE and not row.verdict.startswith(CANT_TELL)
    return bool(judged and (row.absolute or 0.0) > 0)


def _table(found: Sequence[Gain], lone: int) -> Table:
    ordered = sorted(
        found, key=lambda g: (g.point.model, g.point.batch, -(factor(g.found.row(RTFX)) or 0.0))
    )
    rows = tuple(Row(_cells(gain), gain.point.keys) for gain in ordered)
    notes = [
        f"Plain is engine={PLAIN_ENGINE} without optimisations: same model, weights, device, speech, length and batch.",
        "±: the larger half of the 95 % interval, paired by utterance; –: not available, with the reason.",
    ]
    if lone:
        notes.append(f"{lone} more points have no plain one beside them and are left out.")
    return Table(
        "gains", "Each system against the plain one of its model", _COLUMNS, rows, tuple(notes)
    )


def _cells(gain: Gain) -> tuple[Cell, ...]:
    point, row = gain.point, gain.found.row
    memory = MEMORY if memory_metric(point) == MEMORY else DEVICE_MEMORY
    wer, extra = row(WER), gain.startup_s
    points = (
        missing(wer.reason)
        if wer.absolute is None
        else Cell(points_of(wer), wer.absolute, wer.verdict)
    )
    return (
        words(point.system),
        words(point.device, point.hardware),
        length_cell(point),
        batch_cell(point),
        ratio(row(RTFX)),
        ratio(row(LATENCY)),
        points,
        ratio(row(ENERGY)),
        ratio(row(memory)),
        missing("loading was not timed in both") if extra is None else number(extra),
        _payoff(gain),
    )


def _payoff(gain: Gain) -> Cell:
    extra = gain.startup_s
    if extra is None:
        return missing("loading was not timed in both")
    if extra <= 0:
        return Cell("at once", 0.0, "it starts no later than the plain system")
    if gain.saved_s <= 0:
        return Cell("never", math.inf, "an utterance takes no less time")
    count = math.ceil(extra / gain.saved_s)
    return Cell(f"{count:,}", count)
