"""Which module of a cascade eats the time, who uses which core meanwhile, and what to change."""

from __future__ import annotations

from collections.abc import Sequence

from asr_scaling.analysis.format import MISSING, percent, plain, with_interval
from asr_scaling.analysis.modules.advice import ModuleAdvice, Tried, module_advice
from asr_scaling.analysis.modules.costs import ModuleCost, costs, is_cascade, overlapped, rest
from asr_scaling.analysis.points import Point
from asr_scaling.report.cells import IDENTITY, figure, identity, missing, number, words
from asr_scaling.report.document import (
    Block,
    Bullets,
    Cell,
    Column,
    Row,
    Section,
    Table,
    Text,
    word_columns,
)
from asr_scaling.report.modules.lanes import lanes_figure

_MOST_LANES = 4
"""Cascades whose lanes are drawn."""
_ENERGY = "modules/energy"


def sections(points: Sequence[Point]) -> tuple[Section, ...]:
    """The section on the cascades among ``points``; none where there is no cascade."""
    cascades = [point for point in points if point.ok and is_cascade(point)]
    if not cascades:
        return ()
    advised = [(point, module_advice(point, cascades)) for point in cascades]
    sentences = [sentence for point, found in advised for sentence in _sentences(point, found)]
    blocks: list[Block] = [Text(_first(cascades)), Bullets(tuple(dict.fromkeys(sentences)))]
    drawn = [lanes_figure(point, number) for number, point in enumerate(cascades[:_MOST_LANES])]
    blocks += [block for block in drawn if block is not None]
    blocks += [_costs_table(cascades), *_advice_table(advised)]
    return (Section("modules", "Which module eats the time", tuple(blocks)),)


def headline(points: Sequence[Point]) -> tuple[str, ...]:
    """What the report says first of its cascades: who keeps the processor busy, and the cure.

    Of the cascade that promises most.
    """
    cascades = [point for point in points if point.ok and is_cascade(point)]
    advised = [(point, found[0]) for point in cascades if (found := module_advice(point, cascades))]
    if not advised:
        return tuple(busiest(point) for point in cascades[:1])
    point, best = max(advised, key=lambda pair: pair[1].bound or 0.0)
    return (f"{busiest(point)} {_sentence(best)}",)


def busiest(point: Point) -> str:
    """Which module keeps the processor busy, and which takes the time."""
    modules = costs(point)
    longest = max(modules, key=lambda each: each.wall_share)
    takes = f"**{longest.name}** ({longest.choice} on {longest.device}) takes "
    takes += f"{percent(longest.wall_share, 2)} of a call"
    known = [each for each in modules if each.cpu_share is not None]
    if not known:
        return f"{point.system}: {takes}."
    busy = max(known, key=lambda each: each.cpu_share or 0.0)
    keeps = f"**{busy.name}** keeps the processor busy: {percent(busy.cpu_share or 0.0, 2)} of its "
    keeps += f"time, {plain(busy.cores or 0.0, 2)} cores"
    if longest.name == busy.name:
        takes = f"it takes {percent(longest.wall_share, 2)} of a call"
    return f"{point.system}: {keeps}; {takes}."


def _first(cascades: Sequence[Point]) -> str:
    rests = max(rest(point) for point in cascades)
    return (
        "A call of a cascade is a whole recording. The modules' times and what lies between them, "
        f"at most {percent(rests, 2)} of a call here, add up to it where they work one after the "
        "other. Processor time is that of a module's own threads, also while they only wait."
    )


def _sentences(point: Point, found: Sequence[ModuleAdvice]) -> list[str]:
    return [busiest(point), *(f"{point.system}: {_sentence(advice)}" for advice in found)]


def _sentence(advice: ModuleAdvice) -> str:
    promised = [f"at most {plain(advice.bound)} × as fast"] if advice.bound else []
    if advice.freed_cores:
        promised.append(f"up to {plain(advice.freed_cores, 2)} cores free")
    came = f" {_came(advice.tried)}" if advice.tried else ""
    promise = ", ".join(promised) or "its gain has no bound that says anything"
    cause = advice.cause[:1].upper() + advice.cause[1:]
    return f"{cause}: `{advice.option}` ({promise}).{came}"


def _came(tried: Tried) -> str:
    gain = f"Tried here: {with_interval(tried.gain, tried.interval)} × as fast"
    if tried.cores is None:
        return f"{gain}."
    before, after = tried.cores
    return f"{gain}, {plain(before, 2)} busy cores became {plain(after, 2)}."


def _costs_table(cascades: Sequence[Point]) -> Table:
    columns = (
        *IDENTITY,
        *word_columns("module", "device"),
        Column("threads", meaning="of its own; –: those of its library"),
        Column("batch", meaning="windows, texts or segments at once; of a detector, frames"),
        Column("time", "ms", meaning="in which it works in a call"),
        Column("share", "%", meaning="of the call's time"),
        Column("processor", "ms", meaning="of its own threads in a call"),
        Column("cores", "", meaning="that it keeps busy"),
        Column("accelerator", "ms", meaning="for which it occupies one in a call"),
        Column("waited", "ms", meaning="its inputs, in the queue before it"),
        Column("moved", "MB", meaning="to and from an accelerator in a call"),
        Column("energy", "J", meaning="its part of a call's energy"),
        Column("memory", "MB", meaning="that loading it added"),
    )
    rows = [
        Row(_cost_cells(point, each), point.keys) for point in cascades for each in costs(point)
    ]
    notes = [
        "Means over the calls, ± the larger half of the 95 % interval; –: not available.",
        *dict.fromkeys(
            f"Energy is {point.tags[_ENERGY]} ({point.energy_method})."
            for point in cascades
            if _ENERGY in point.tags
        ),
    ]
    if any(overlapped(point) for point in cascades):
        notes.append("Where modules work at once, their shares may add up to more than 100 %.")
    caption = "What each module of a cascade costs"
    return Table("modules", caption, columns, tuple(rows), tuple(notes))


def _cost_cells(point: Point, each: ModuleCost) -> tuple[Cell, ...]:
    own = f"module/{each.name}"
    return (
        *identity(point),
        words(f"{each.name} · {each.choice}"),
        words(each.device),
        missing("those of its library") if each.threads is None else number(each.threads),
        missing("as batch.seconds says") if each.batch is None else number(each.batch),
        figure(point, f"{own}/wall_s", 1000),
        number(100 * each.wall_share),
        figure(point, f"{own}/cpu_s", 1000),
        _figure(point, f"{own}/cores", "processor time is not known"),
        _figure(point, f"{own}/device_s", "it computes on the processor", 1000),
        _figure(point, f"{own}/wait_s", "", 1000),
        _figure(point, f"{own}/moved_bytes", "its engine does not tell", 1e-6),
        figure(point, f"{own}/energy_j"),
        _figure(point, f"{own}/memory_bytes", "part of the whole point's memory", 1e-6),
    )


def _figure(point: Point, metric: str, absent: str, factor: float = 1.0) -> Cell:
    value = point.values.get(metric)
    return missing(absent) if value is None else number(value, None, factor)


def _advice_table(
    advised: Sequence[tuple[Point, Sequence[ModuleAdvice]]],
) -> list[Block]:
    rows = [
        Row((*identity(point), *_advice_cells(advice)), point.keys)
        for point, found in advised
        for advice in found
    ]
    if not rows:
        return [Text("No rule finds anything to change about the modules.")]
    columns = (
        *IDENTITY,
        *word_columns("module", "change"),
        Column("at most", "×", meaning="times as fast, if what it cures cost nothing"),
        Column("cores freed", "", meaning="at most"),
        Column("came", "×", meaning="times as fast, where it was tried among these points"),
        Column("busy cores", "", numeric=False, meaning="of all modules, without and with it"),
    )
    return [Table("module-advice", "What to change about modules", columns, tuple(rows))]


def _advice_cells(advice: ModuleAdvice) -> tuple[Cell, ...]:
    came, untried = advice.tried, "not tried among these points"
    cores = came.cores if came else None
    busy = f"{plain(cores[0], 2)} → {plain(cores[1], 2)}" if cores else MISSING
    return (
        words(advice.module),
        words(advice.option, advice.cause),
        missing("nothing bounds it") if advice.bound is None else number(advice.bound),
        missing("not known") if advice.freed_cores is None else number(advice.freed_cores),
        missing(untried) if came is None else number(came.gain, came.interval),
        words(busy),
    )
