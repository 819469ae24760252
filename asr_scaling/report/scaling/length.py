"""How cost grows with the length of an utterance: laws as tables, what they get wrong in words."""

from __future__ import annotations

from collections.abc import Sequence

from asr_scaling.analysis.fits import BADLY, NoFit, prediction
from asr_scaling.analysis.format import MINUTE_S, percent, plain
from asr_scaling.analysis.laws import JOULES, TIME, LengthLaw
from asr_scaling.analysis.points import Point
from asr_scaling.report.cells import count, missing, number, words
from asr_scaling.report.document import Block, Bullets, Cell, Column, Row, Table, Text
from asr_scaling.report.scaling.held_out import capped, held_out_cells

_INTRO = (
    "An utterance of d seconds costs `a` for every window that it begins and `b` for every second: "
    "t(d) = a · ⌈d / window⌉ + b · d. A model without a window pays `a` once: t(d) = a + b · d. "
    "The laws are fitted to the mean per utterance at each length, relative deviations counting; ± "
    "is the larger half "
    "of the 95 % interval. The held-out error is what the law says of a length that it was not "
    "fitted to, each length "
    f"in turn: one that is off by more than {percent(BADLY, 2)} somewhere is said to predict badly."
)


def introduction(
    points: Sequence[Point], times: Sequence[LengthLaw], joules: Sequence[LengthLaw]
) -> list[Block]:
    """What the laws are, what a minute of audio costs by them, and which of them predict badly."""
    if not times and not joules:
        none = "No point has both a length and a cost, so there is no law of length to fit."
        return [Text(none), *_left_out(points)]
    found: list[Block] = [Text(_INTRO)]
    costs = [line for line in map(_minute, _smallest_batch(times)) if line]
    bad = [line for laws in (times, joules) for line in _bad(laws)]
    for lines in (costs, bad):
        if lines:
            found.append(Bullets(capped(lines)))
    return [*found, *_left_out(points)]


def _left_out(points: Sequence[Point]) -> list[Block]:
    kinds = (
        ("Natural utterances vary in length and", [p for p in points if p.length_s is None]),
        ("Points that did not transcribe all of their audio", [p for p in points if p.truncated]),
    )
    named = [(said, sorted({point.system for point in those if point.ok})) for said, those in kinds]
    return [
        Text(f"{said} are left out of these laws: {', '.join(systems)}.")
        for said, systems in named
        if systems
    ]


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
        Column(
            "held-out error, worst",
            "%",
            meaning="The length it misjudges most when fitted to the others.",
        ),
        Column("held-out error, mean", "%"),
        Column("predicts", numeric=False),
        *((Column("energy is", numeric=False),) if quantity is JOULES else ()),
    )
    rows = tuple(Row(_cells(law, factor), _keys(law)) for law in laws)
    caption = f"{quantity.noun.capitalize()} of an utterance against its length, by system, device and batch."
    return Table(f"length-{quantity.name}", caption, columns, rows, _notes(laws))


def _cells(law: LengthLaw, factor: float) -> tuple[Cell, ...]:
    paid = f"every {law.window_s:g} s" if law.window_s else "once"
    lengths = ", ".join(f"{s:g}" for s in sorted({p.length_s or 0.0 for p in law.points})) + " s"
    head = (words(law.system), words(law.device), count(law.batch))
    tail: tuple[Cell, ...] = (*held_out_cells(law.fit), words(prediction(law.fit), _reading(law)))
    if law.quantity is JOULES:
        tail = (*tail, words(", ".join(sorted({p.energy_method for p in law.points}))))
    if isinstance(law.fit, NoFit):
        none = missing(law.fit.reason)
        return (*head, none, words(paid), none, none, words(lengths), *tail)
    note = (
        ""
        if law.fit.freedom
        else "Two lengths: the law goes through both, and no interval can be had."
    )
    a, b = (
        number(c, interval, factor, note=note)
        for c, interval in zip(law.fit.coefficients, law.fit.intervals, strict=True)
    )
    beyond = _beyond(law)
    minute = number(law.fit.predict(law.row(MINUTE_S)), note=f"It lies {beyond}." if beyond else "")
    return (*head, a, words(paid), b, minute, words(lengths), *tail)


def _keys(law: LengthLaw) -> dict[str, str]:
    return {"model": law.system, "device": law.device, "batch": str(law.batch)}


def _notes(laws: Sequence[LengthLaw]) -> tuple[str, ...]:
    notes = []
    if any(law.window_s for law in laws):
        notes.append(
            "Windows are counted as ⌈d / window⌉. Trained models seek the next window by the text "
            "they found, so "
            "they can need more of them."
        )
    random = sorted({law.system for law in laws if any(p.random for p in law.points)})
    if random:
        notes.append(
            f"Random weights: {', '.join(random)}. Speed doesn't depend on their values; where "
            "tokens are decoded, how "
            "many was planned."
        )
    if laws[0].quantity is JOULES and any(p.estimated for law in laws for p in law.points):
        notes.append(
            "Estimated joules follow a model of the machine's load: they repeat its times more "
            "than they add."
        )
    return tuple(notes)


def _reading(law: LengthLaw) -> str:
    """What a bad prediction suggests, where its direction is clear; "" for a good one."""
    if prediction(law.fit) != "badly" or isinstance(law.fit, NoFit):
        return ""
    errors = [law.fit.held_out.errors.get(p.length) for p in (law.points[0], law.points[-1])]
    known = [error for error in errors if error is not None]
    if law.window_s:
        if errors[-1] is not None and errors[-1] < 0 and law.row(law.points[-1].audio_s)[0] > 1:
            return (
                "the longest audio costs more than its windows say, as it does when there are more "
                "of them than "
                "⌈d / window⌉ or more tokens in each"
            )
        return ""
    if known and max(known) < 0 and min(known) < -BADLY:
        return (
            "cost grows faster than length, as that of attention over all of an utterance does: "
            "it is quadratic"
        )
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
    cost = (
        f"took {plain(took[0])} {unit}, by its law {by_law}"
        if took
        else f"takes {by_law} by its law"
    )
    cost = ", ".join(filter(None, (cost, _beyond(law))))
    checked = {
        "well": f"lengths held out are met within {worst}",
        "badly": f"but lengths held out are missed by up to {worst}",
    }.get(prediction(law.fit), "too few lengths to check it")
    return (
        f"**{law.system}** on {law.device}, batch {law.batch}: a minute of audio {cost}; {checked}."
    )


def _beyond(law: LengthLaw) -> str:
    """ "beyond the longest measured (30 s)", where a minute is."""
    longest = max(point.length_s or point.audio_s for point in law.points)
    return f"beyond the longest measured ({longest:g} s)" if longest < MINUTE_S else ""


def _bad(laws: Sequence[LengthLaw]) -> list[str]:
    lines = []
    for (system, device), members in _by_system(
        [law for law in laws if prediction(law.fit) == "badly"]
    ).items():
        said = sorted({text for text in map(_reading, members) if text})
        batches = ", ".join(str(law.batch) for law in members)
        line = f"The law of {members[0].quantity.noun} of **{system}** on {device} predicts badly at batch {batches}"
        lines.append(f"{line}: {'; '.join(said)}." if said else f"{line}.")
    return lines
