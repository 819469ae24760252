"""The machine's state over a sweep, drawn, and read in sentences."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import pairwise

from asr_scaling.analysis.format import duration, percent, plain
from asr_scaling.analysis.machine_state import (
    NOTABLE,
    MachineState,
    Reading,
    Span,
    Spell,
    machine_state,
)
from asr_scaling.analysis.points import Point
from asr_scaling.report.document import Block, Bullets, Figure, Text
from asr_scaling.report.machines import machines
from asr_scaling.report.output.drawing import INK, PALETTE, FigureBuilder
from asr_scaling.report.output.time_axis import TimeAxis

_NOUNS = {
    "memory": "reading memory",
    "products": "matrix products in cache",
    "products_bfloat16": "matrix products in bfloat16",
    "dispatch": "Python's interpreter",
    "gpu_products": "matrix products of the GPU",
    "gpu_memory": "copies in the GPU's memory",
    "gpu_cycle": "a cycle of the GPU's clock",
    "gpu_dispatch": "Python's interpreter beside the GPU",
}
"""Kind of probe → what it times."""
_MOST_DRAWN = 500
"""Readings of a kind in a figure."""
_MOST_NUMBERED = 40
"""Points whose numbers fit above a figure."""
_MOST_MACHINES, _MOST_SPELLS = 3, 5
_TICKS = (-80, -60, -40, -30, -20, -10, -5, -2, 0, 2, 5, 10, 20, 30, 50, 100, 200, 400, 900)
"""Changes in per cent that an axis may name."""
_FEWEST_TICKS, _ROOM = 10, 1.04
_TIMES = 2.0
"""From this ratio on a change is told as a factor."""
_BAND, _MANY = "#F3F3F3", 100


def blocks(points: Sequence[Point]) -> list[Block]:
    """A figure of each machine's state, and what it says; nothing where no state was measured."""
    states = [(name, machine_state(group)) for name, group in machines(points).items()]
    known = [(name, state) for name, state in states if state]
    known.sort(key=lambda item: -len(item[1].spans))
    found: list[Block] = []
    for number, (name, state) in enumerate(known[:_MOST_MACHINES], start=1):
        several = f" of {name}" if len(states) > 1 else ""
        found.append(
            Text(f"**The machine's state{several} over the sweep**: {_introduction(state)}")
        )
        slug = "machine-state" if number == 1 else f"machine-state-{number}"
        found += [_figure(slug, state), Bullets(tuple(_sentences(state)))]
    return found


def _introduction(state: MachineState) -> str:
    return (
        "between timed calls a metronome did the same few milliseconds of work again and again. "
        f"Drawn is how much longer that took than in {state.reference}."
    )


def _sentences(state: MachineState) -> list[str]:
    """What was notable, and how much the readings vary."""
    spells = state.spells
    lines = [_said(spell, state) for spell in spells[:_MOST_SPELLS]]
    if (more := len(spells) - _MOST_SPELLS) > 0:
        lines.append(f"{more} shorter or smaller changes of {percent(NOTABLE, 2)} or more.")
    if not spells:
        lines.append(
            f"Nothing took {percent(NOTABLE, 2)} more or less time than in {state.reference} for "
            "longer than an instant."
        )
    spread = ", ".join(f"{_noun(kind)} {percent(sd, 2)}" for kind, sd in state.spread.items())
    return [*lines, f"Standard deviation of the readings: {spread}."]


def _said(spell: Spell, state: MachineState) -> str:
    """ "For 3.0 min, while points 5–7 were measured (…), reading memory took 40 % longer."."""
    names = {span.place: span.point.name for span in state.spans}
    first, last = spell.places[0], spell.places[-1]
    if len(names) > 1 and len(spell.places) == len(names):
        where = "over all points"
    elif first == last:
        where = f"while point {first} was measured ({names[first]})"
    elif len(spell.places) == last - first + 1:
        where = f"while points {first}–{last} were measured ({names[first]} to {names[last]})"
    else:
        where = f"while points {', '.join(map(str, spell.places))} were measured"
    what = f"{_noun(spell.kind)} took {_change(spell.ratio)}"
    return f"For {duration(spell.lasted_s, 2)}, {where}, {what}."


def _change(ratio: float) -> str:
    """ "40 % longer", "2.4 times as long", or "20 % less time"."""
    if ratio >= _TIMES:
        return f"{plain(ratio, 2)} times as long"
    return f"{percent(ratio - 1, 2)} longer" if ratio > 1 else f"{percent(1 - ratio, 2)} less time"


def _noun(kind: str) -> str:
    return _NOUNS.get(kind, kind.replace("_", " "))


def _figure(name: str, state: MachineState) -> Figure:
    builder = FigureBuilder(name, height=3.6)
    axes, when = builder.axes[0], TimeAxis([(s.began_at, s.ended_at) for s in state.spans])
    _draw_spans(builder, state.spans, when)
    axes.axhline(1.0, color=INK, linewidth=0.8, zorder=1.4)
    labels = []
    for number, (kind, own) in enumerate(state.readings.items()):
        colour, shown = PALETTE[number % len(PALETTE)], _few(own)
        axes.plot(
            [when.place(r.at) for r in shown], [r.ratio for r in shown], ".",
            color=colour, markersize=_dot(len(shown)), alpha=0.45, markeredgewidth=0, zorder=2,
        )  # fmt: skip
        xs, ys = _broken(shown, when)
        line = axes.plot(xs, ys, color=colour, linewidth=1.3, zorder=3)
        builder.mark(line, {}, f"{_noun(kind)}: median of neighbouring readings")
        labels.append((xs[-1], ys[-1], _noun(kind), colour))
    low, high = _limits(state)
    builder.octaves(axes, "y", [1 + tick / 100 for tick in _ticks(low, high)])
    axes.yaxis.set_major_formatter(lambda ratio, _: _signed(100 * (ratio - 1)))
    axes.set_ylim(low, high)
    axes.set_xlim(0, when.end)
    builder.titles(axes, when.label, "time of the same work (change in %)")
    builder.label_ends(axes, labels)
    beyond = sum(not low <= r.ratio <= high for own in state.readings.values() for r in own)
    numbered = "shaded: timed calls of a point, with its number" if _numbered(state.spans) else ""
    caption = (
        f"The machine's state over the sweep, relative to {state.reference}: dots are readings, "
        f"lines medians of neighbouring ones; {numbered or 'shaded: timed calls of a point'}. "
        "Higher is slower; the axis is logarithmic."
    )
    if beyond:
        caption += f" Beyond it: {beyond} of the readings."
    kinds = ", ".join(map(_noun, state.readings))
    return builder.figure(caption, f"Lines over time, one for each kind of work: {kinds}.")


def _dot(readings: int) -> float:
    """Size of a reading's dot: single ones are seen, many are not a cloud."""
    return 2.5 if readings > _MANY else 5.0


def _draw_spans(builder: FigureBuilder, spans: Sequence[Span], when: TimeAxis) -> None:
    axes = builder.axes[0]
    if _numbered(spans):
        place = axes.transAxes
        axes.text(-0.01, 1.01, "point", transform=place, ha="right", va="bottom", fontsize=7)
    for span in spans:
        left, right = when.place(span.began_at), when.place(span.ended_at)
        band = axes.axvspan(left, right, color=_BAND, linewidth=0, zorder=0)
        builder.mark(band, span.point.keys, f"{span.place}: {span.point.name}")
        if _numbered(spans):
            number = axes.text(
                (left + right) / 2, 1.01, str(span.place), transform=axes.get_xaxis_transform(),
                ha="center", va="bottom", fontsize=7, color=INK,
            )  # fmt: skip
            builder.mark(number, span.point.keys, span.point.name)


def _numbered(spans: Sequence[Span]) -> bool:
    return len(spans) <= _MOST_NUMBERED


def _few(readings: Sequence[Reading]) -> Sequence[Reading]:
    """At most so many as a figure shows, evenly."""
    step = -(-len(readings) // _MOST_DRAWN)
    return readings[::step]


def _broken(readings: Sequence[Reading], when: TimeAxis) -> tuple[list[float], list[float]]:
    """A line through the readings that ends where the next one is of another span."""
    xs, ys = [when.place(readings[0].at)], [readings[0].smooth]
    for before, after in pairwise(readings):
        if when.apart(before.at, after.at):
            xs.append(xs[-1])
            ys.append(math.nan)
        xs.append(when.place(after.at))
        ys.append(after.smooth)
    return xs, ys


def _limits(state: MachineState) -> tuple[float, float]:
    """Ends of the axis: all lines and 98 of 100 readings are within."""
    ratios = sorted(r.ratio for own in state.readings.values() for r in own)
    lines = [r.smooth for own in state.readings.values() for r in own]
    cut = len(ratios) // 100
    low, high = min(0.95, *lines, ratios[cut]), max(1.05, *lines, ratios[-1 - cut])
    return low / _ROOM, high * _ROOM


def _ticks(low: float, high: float) -> Iterable[float]:
    """Round changes in per cent between two ratios, 0 among them, that don't crowd."""
    room, chosen = math.log(high / low) / _FEWEST_TICKS, [0.0]
    for tick in sorted(_TICKS, key=lambda tick: -abs(tick)):
        ratio = 1 + tick / 100
        if low <= ratio <= high and all(
            abs(math.log(ratio / (1 + other / 100))) >= room for other in chosen
        ):
            chosen.append(tick)
    return chosen


def _signed(change: float) -> str:
    return f"{round(change):+d}".replace("-", "−") if round(change) else "0"
