"""How cost grows with the length of an utterance: laws as tables, what they get wrong in words."""

from __future__ import annotations

from collections.abc import Sequence

from asr_scaling.fits import Fit, HeldOut, NoFit
from asr_scaling.report.cells import missing, number, percent, plain, words
from asr_scaling.report.document import Block, Bullets, Cell, Column, Row, Table, Text
from asr_scaling.report.laws import BADLY, ENERGY, TIME, LengthLaw
from asr_scaling.report.points import Point

MINUTE_S = 60.0
MOST = 12
"""Bullets of one kind; the table has the rest."""
INTRO = (
    "An utterance of d seconds costs `a` for every window that it begins and `b` for every second: "
    "t(d) = a · ⌈d / window⌉ + b · d. A model without a window pays `a` once: t(d) = a + b · d. "
    "The laws are fitted to the mean per utterance at each length, relative deviations counting; ± is the larger half "
    "of the 95 % interval. The held-out error is what the law says of a length that it was not fitted to, each length "
    f"in turn: one that is off by more than {percent(BADLY, 2)} somewhere is said to predict badly."
)


def introduction(points: Sequence[Point], times: Sequence[LengthLaw], joules: Sequence[LengthLaw]) -> list[Block]:
    """What the laws are, what a minute of audio costs by them, and which of them predict badly."""
    if not times and not joules:
        return [Text("No point has both a length and a cost, so there is no law of length to fit.")]
    found: list[Block] = [Text(INTRO)]
    costs = [line for line in map(_minute, _smallest_batch(times)) if line]
    bad = [line for laws in (times, joules) for line in _bad(laws)]
    for lines in (costs, bad):
        if lines:
            found.append(Bullets(capped(lines)))
    natural = sorted({p.system for p in points if p.ok and p.length_s is None})
    if natural:
        found.append(Text(f"Natural utterances vary in length and are left out of these laws: {', '.join(natural)}."))
    return found


def table(laws: Sequence[LengthLaw]) -> Table:
    """One row a law; at least one law, all of one quantity."""
    quantity = laws[0].quantity
    unit, factor = ("ms", 1e3) if quantity is TIME else (quantity.unit, 1.0)
    columns = (
        Column("system", numeric=False),
        Column("device", numeric=False),
        Column("batch", meaning="Utterances in a call."),
        Column("a", unit, meaning=f"{quantity.noun} for every window begun, or once an utterance"),
        Column("a is paid", numeric=False),
        Column("b", f"{unit}/s", meaning=f"{quantity.noun} for every second of audio"),
        Column("one minute", quantity.unit, meaning="What the law says of 60 s of audio."),
        Column("lengths", numeric=False),
        Column("held-out error, worst", "%", meaning="The length it misjudges most when fitted to the others."),
        Column("held-out error, mean", "%"),
        Column("predicts", numeric=False),
        *((Column("energy is", numeric=False),) if quantity is ENERGY else ()),
    )
    rows = tuple(Row(_cells(law, factor), _keys(law)) for law in laws)
    caption = f"{quantity.noun.capitalize()} of an utterance against its length, by system, device and batch."
    return Table(f"length-{quantity.name}", caption, columns, rows, _notes(laws))


def verdict(fit: Fit | NoFit) -> str:
    """ "well", "badly", "unchecked" or "no law"."""
    if isinstance(fit, NoFit):
        return "no law"
    if fit.held_out.worst is None:
        return "unchecked"
    return "badly" if fit.held_out.worst > BADLY else "well"


def held_out_cells(fit: Fit | NoFit) -> tuple[Cell, Cell]:
    """Worst and mean held-out error in per cent; the single errors are the note of the first."""
    if isinstance(fit, NoFit):
        return missing(fit.reason), missing(fit.reason)
    held = fit.held_out
    if held.worst is None or held.mean is None:
        reason = "without any one of them, the others don't determine the law"
        return missing(reason), missing(reason)
    return Cell(f"{100 * held.worst:.1f}", held.worst, each_error(held)), Cell(f"{100 * held.mean:.1f}", held.mean)


def count(number_of: int) -> Cell:
    """A whole number."""
    return Cell(f"{number_of:,}", number_of)


def each_error(held: HeldOut) -> str:
    """ "5 s: +2.1 %, 60 s: not determined by the others": predicted against measured."""
    said = [
        f"{name}: {'not determined by the others' if error is None else f'{100 * error:+.1f} %'}"
        for name, error in held.errors.items()
    ]
    return ", ".join(said)


def _cells(law: LengthLaw, factor: float) -> tuple[Cell, ...]:
    paid = f"every {law.window_s:g} s" if law.window_s else "once"
    lengths = ", ".join(f"{s:g}" for s in sorted({p.length_s or 0.0 for p in law.points})) + " s"
    head = (words(law.system), words(law.device), count(law.batch))
    tail: tuple[Cell, ...] = (*held_out_cells(law.fit), words(verdict(law.fit), reading(law)))
    if law.quantity is ENERGY:
        methods = sorted({p.tags.get("energy/method", "method unknown") for p in law.points})
        tail = (*tail, words(", ".join(methods)))
    if isinstance(law.fit, NoFit):
        none = missing(law.fit.reason)
        return (*head, none, words(paid), none, none, words(lengths), *tail)
    note = "" if law.fit.freedom else "Two lengths: the law goes through both, and no interval can be had."
    a, b = (
        number(c, interval, factor, note=note)
        for c, interval in zip(law.fit.coefficients, law.fit.intervals, strict=True)
    )
    longest = max(p.audio_s for p in law.points)
    beyond = f"Beyond the longest measured, {longest:g} s." if longest < MINUTE_S else ""
    minute = number(law.fit.predict(law.row(MINUTE_S)), note=beyond)
    return (*head, a, words(paid), b, minute, words(lengths), *tail)


def _keys(law: LengthLaw) -> dict[str, str]:
    return {"model": law.system, "device": law.device, "batch": str(law.batch)}


def _notes(laws: Sequence[LengthLaw]) -> tuple[str, ...]:
    notes = []
    if any(law.window_s for law in laws):
        notes.append(
            "Windows are counted as ⌈d / window⌉. Trained models seek the next window by the text they found, so "
            "they can need more of them."
        )
    random = sorted({law.system for law in laws if any(p.random for p in law.points)})
    if random:
        notes.append(
            f"Random weights: {', '.join(random)}. Speed doesn't depend on their values; where tokens are decoded, how "
            "many was planned."
        )
    if laws[0].quantity is ENERGY and any(
        "estimated" in p.tags.get("energy/method", "") for x in laws for p in x.points
    ):
        notes.append("Estimated joules follow a model of the machine's load: they repeat its times more than they add.")
    return tuple(notes)


def reading(law: LengthLaw) -> str:
    """What a bad prediction suggests, where its direction is clear; "" for a good one."""
    if verdict(law.fit) != "badly" or isinstance(law.fit, NoFit):
        return ""
    errors = [law.fit.held_out.errors.get(p.length) for p in (law.points[0], law.points[-1])]
    known = [error for error in errors if error is not None]
    if law.window_s:
        if errors[-1] is not None and errors[-1] < 0 and law.row(law.points[-1].audio_s)[0] > 1:
            return (
                "the longest audio costs more than its windows say, as it does when there are more of them than "
                "⌈d / window⌉ or more tokens in each"
            )
        return ""
    if known and max(known) < 0 and min(known) < -BADLY:
        return "cost grows faster than length, as that of attention over all of an utterance does: it is quadratic"
    if known and min(known) > 0 and max(known) > BADLY:
        return "cost grows more slowly than length: short utterances don't keep the device busy"
    return ""


def _smallest_batch(laws: Sequence[LengthLaw]) -> list[LengthLaw]:
    return [min(members, key=lambda law: law.batch) for members in _by_system(laws).values()]


def _by_system(laws: Sequence[LengthLaw]) -> dict[tuple[str, str], list[LengthLaw]]:
    found: dict[tuple[str, str], list[LengthLaw]] = {}
    for law in laws:
        found.setdefault((law.system, law.device), []).append(law)
    return found


def _minute(law: LengthLaw) -> str:
    if isinstance(law.fit, NoFit):
        return f"**{law.system}** on {law.device}, batch {law.batch}: no law, for {law.fit.reason}."
    worst, unit = percent(law.fit.held_out.worst or 0.0, 2), law.quantity.unit
    by_law = f"{plain(law.fit.predict(law.row(MINUTE_S)))} {unit}"
    took = [p.values[law.quantity.metric] for p in law.points if p.length_s == MINUTE_S]
    cost = f"took {plain(took[0])} {unit}, by its law {by_law}" if took else f"takes {by_law} by its law"
    checked = {
        "well": f"lengths held out are met within {worst}",
        "badly": f"but lengths held out are missed by up to {worst}",
    }.get(verdict(law.fit), "too few lengths to check it")
    return f"**{law.system}** on {law.device}, batch {law.batch}: a minute of audio {cost}; {checked}."


def _bad(laws: Sequence[LengthLaw]) -> list[str]:
    lines = []
    for (system, device), members in _by_system([law for law in laws if verdict(law.fit) == "badly"]).items():
        said = sorted({text for text in map(reading, members) if text})
        batches = ", ".join(str(law.batch) for law in members)
        line = f"The law of {members[0].quantity.noun} of **{system}** on {device} predicts badly at batch {batches}"
        lines.append(f"{line}: {'; '.join(said)}." if said else f"{line}.")
    return lines


def capped(lines: Sequence[str]) -> tuple[str, ...]:
    """The first of ``lines``, and how many more there are."""
    if len(lines) <= MOST:
        return tuple(lines)
    return (*lines[: MOST - 1], f"… and {len(lines) - MOST + 1} more of this kind: see the table.")
