"""How cost grows with the length of an utterance: laws as tables, what they get wrong in words."""

from __future__ import annotations

from collections.abc import Sequence

from asr_scaling.analysis.fits import BADLY, NoFit, prediction
from asr_scaling.analysis.format import MINUTE_S, percent, plain
from asr_scaling.analysis.laws import JOULES, TIME, LengthLaw
from asr_scaling.analysis.points import Point
from asr_scaling.report.cells import count, missing, number, words
from asr_scaling.report.document import Block, Bullets, Cell, Column, Table, Text
from asr_scaling.report.fields import Field, field, field_table, text
from asr_scaling.report.scaling.held_out import capped, coefficient, held_out_fields
from asr_scaling.util.groups import grouped

_INTRO = (
    "An utterance of d seconds costs `a` for every window that it begins and `b` for every second: "
    "t(d) = a · ⌈d / window⌉ + b · d. A model without a window pays `a` once: t(d) = a + b · d. "
    "The laws are fitted to the mean per utterance at each length, relative deviations counting; ± "
    "is the larger half of the 95 % interval. The held-out error is what the law says of a length "
    "that it was not fitted to, each length in turn: one that is off by more than "
    f"{percent(BADLY, 2)} somewhere is said to predict badly."
)


def introduction(
    points: Sequence[Point], times: Sequence[LengthLaw], joules: Sequence[LengthLaw]
) -> list[Block]:
    """What the laws are, what a minute of audio costs by them, and which of them predict badly."""
    if not times and not joules:
        none = "No point has both a length and a cost, so there is no law of length to fit."
        return [Text(none), *_left_out(points)]
    smallest = [min(laws, key=lambda law: law.batch) for laws in _by_system(times).values()]
    lists = ([_minute(law) for law in smallest], [*_bad(times), *_bad(joules)])
    return [
        Text(_INTRO),
        *(Bullets(capped(lines)) for lines in lists if lines),
        *_left_out(points),
    ]


def _left_out(points: Sequence[Point]) -> list[Block]:
    kinds = (
        ("Natural utterances vary in length and", [p for p in points if p.length_s is None]),
        ("Points that did not transcribe all of their audio", [p for p in points if p.truncated]),
    )
    return [
        Text(f"{kind} are left out of these laws: {', '.join(systems)}.")
        for kind, members in kinds
        if (systems := sorted({point.system for point in members if point.ok}))
    ]


def table(laws: Sequence[LengthLaw]) -> Table:
    """One row a law; at least one law, all of one quantity."""
    quantity = laws[0].quantity
    unit, factor = ("ms", 1e3) if quantity is TIME else (quantity.unit, 1.0)
    per_window = f"{quantity.noun} for every window begun, or once an utterance"
    per_second = f"{quantity.noun} for every second of audio"
    worst, mean, _ = held_out_fields("length")
    fields: list[Field[LengthLaw]] = [
        text("system", lambda law: law.system),
        text("device", lambda law: law.device),
        field("batch", "", lambda law: count(law.batch), "Utterances in a call."),
        field("a", unit, lambda law: coefficient(law.fit, 0, factor, "lengths"), per_window),
        text("a is paid", lambda law: f"every {law.window_s:g} s" if law.window_s else "once"),
        field("b", f"{unit}/s", lambda law: coefficient(law.fit, 1, factor, "lengths"), per_second),
        field("one minute", quantity.unit, _minute_cell, "What the law says of 60 s of audio."),
        text("lengths", _lengths),
        worst,
        mean,
        (
            Column("predicts", numeric=False),
            lambda law: words(prediction(law.fit), _reading(law)),
        ),
    ]
    if quantity is JOULES:
        fields.append(
            text("energy is", lambda law: ", ".join(sorted({p.energy_method for p in law.points})))
        )
    caption = (
        f"{quantity.noun.capitalize()} of an utterance against its length, by system, device and "
        "batch."
    )
    return field_table(
        f"length-{quantity.name}", caption, fields, laws, keys=_keys, notes=_notes(laws)
    )


def _minute_cell(law: LengthLaw) -> Cell:
    if isinstance(law.fit, NoFit):
        return missing(law.fit.reason)
    beyond = _beyond(law)
    return number(law.fit.predict(law.row(MINUTE_S)), note=f"It lies {beyond}." if beyond else "")


def _lengths(law: LengthLaw) -> str:
    return ", ".join(f"{s:g}" for s in sorted({p.length_s or 0.0 for p in law.points})) + " s"


def _keys(law: LengthLaw) -> dict[str, str]:
    return {"model": law.system, "device": law.device, "batch": str(law.batch)}


def _notes(laws: Sequence[LengthLaw]) -> list[str]:
    notes = []
    if any(law.window_s for law in laws):
        notes.append(
            "Windows are counted as ⌈d / window⌉. Trained models seek the next window by the text "
            "they found, so they can need more of them."
        )
    if random := sorted({law.system for law in laws if any(p.random for p in law.points)}):
        notes.append(
            f"Random weights: {', '.join(random)}. Speed doesn't depend on their values; where "
            "tokens are decoded, how many was planned."
        )
    if laws[0].quantity is JOULES and any(p.estimated for law in laws for p in law.points):
        notes.append(
            "These joules follow from the machine's load between the two watts that were given."
        )
    return notes


def _reading(law: LengthLaw) -> str:
    """What a bad prediction suggests, where its direction is clear; "" for a good one."""
    if prediction(law.fit) != "badly" or isinstance(law.fit, NoFit):
        return ""
    ends = [law.fit.held_out.errors.get(p.length) for p in (law.points[0], law.points[-1])]
    errors = [error for error in ends if error is not None]
    if law.window_s:
        longest, windows = ends[-1], law.row(law.points[-1].audio_s)[0]
        if longest is None or longest >= 0 or windows <= 1:
            return ""
        return (
            "the longest audio costs more than its windows say, as it does when there are more "
            "of them than ⌈d / window⌉ or more tokens in each"
        )
    if errors and max(errors) < 0 and min(errors) < -BADLY:
        return (
            "cost grows faster than length, as that of attention over all of an utterance does: "
            "it is quadratic"
        )
    if errors and min(errors) > 0 and max(errors) > BADLY:
        return "cost grows more slowly than length: short utterances don't keep the device busy"
    return ""


def _by_system(laws: Sequence[LengthLaw]) -> dict[tuple[str, str], list[LengthLaw]]:
    return grouped(laws, lambda law: (law.system, law.device))


def _minute(law: LengthLaw) -> str:
    who = f"**{law.system}** on {law.device}, batch {law.batch}"
    if isinstance(law.fit, NoFit):
        return f"{who}: no law, for {law.fit.reason}."
    worst, unit = percent(law.fit.held_out.worst or 0.0, 2), law.quantity.unit
    by_law = f"{plain(law.fit.predict(law.row(MINUTE_S)))} {unit}"
    took = [p.judged(law.quantity.metric) or 0.0 for p in law.points if p.length_s == MINUTE_S]
    measured = f"took {plain(took[0])} {unit}, by its law {by_law}" if took else ""
    cost = ", ".join(filter(None, (measured or f"takes {by_law} by its law", _beyond(law))))
    checked = {
        "well": f"lengths held out are met within {worst}",
        "badly": f"but lengths held out are missed by up to {worst}",
    }.get(prediction(law.fit), "too few lengths to check it")
    return f"{who}: a minute of audio {cost}; {checked}."


def _beyond(law: LengthLaw) -> str:
    """ "beyond the longest measured (30 s)", where a minute is."""
    longest = max(point.length_s or point.audio_s for point in law.points)
    return f"beyond the longest measured ({longest:g} s)" if longest < MINUTE_S else ""


def _bad(laws: Sequence[LengthLaw]) -> list[str]:
    lines = []
    bad = [law for law in laws if prediction(law.fit) == "badly"]
    for (system, device), members in _by_system(bad).items():
        reasons = "; ".join(sorted({text for text in map(_reading, members) if text}))
        batches = ", ".join(str(law.batch) for law in members)
        line = (
            f"The law of {members[0].quantity.noun} of **{system}** on {device} predicts badly at "
            f"batch {batches}"
        )
        lines.append(f"{line}: {reasons}." if reasons else f"{line}.")
    return lines
