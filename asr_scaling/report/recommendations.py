"""The first part of a report: what to use, what it costs, what to optimise; then why."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from asr_scaling.analysis.bottlenecks.advice import advice
from asr_scaling.analysis.caveats import (
    error_rates,
    kinds_of,
    other_speech,
    partly,
    several_hosts,
    several_kinds,
)
from asr_scaling.analysis.comparison.verdict import ENERGY, RTFX
from asr_scaling.analysis.format import MINUTE_S, inverse, plain, speech, why_missing
from asr_scaling.analysis.interval_scope import may_change
from asr_scaling.analysis.modules.costs import is_cascade
from asr_scaling.analysis.points import Point
from asr_scaling.analysis.recommendation.answers import Answers, answers
from asr_scaling.analysis.recommendation.paired_comparison import label
from asr_scaling.analysis.recommendation.scenarios import Budgets, Recommendation, recommend
from asr_scaling.analysis.speech_names import of_one_speech
from asr_scaling.analysis.usual_state import at_usual_state
from asr_scaling.report.cells import batch_cell, figure, memory, missing, number, wer, words
from asr_scaling.report.document import (
    Block,
    Bullets,
    Cell,
    Column,
    Command,
    Row,
    Section,
    Table,
    Text,
    word_columns,
)
from asr_scaling.report.modules.section import headline
from asr_scaling.report.output.drawing import Style
from asr_scaling.util.groups import grouped

_HOUR_S = 3600.0
_J_PER_WH = 3600.0


def section(points: Sequence[Point], budgets: Budgets, style: Style) -> Section:
    """Summary, recommendations with their evidence, and the price of a minute of audio."""
    unpriced = budgets.price_per_hour is not None and len(kinds_of(points)) > 1
    budgets = replace(budgets, price_per_hour=None) if unpriced else budgets
    choices, found = recommend(points, budgets), answers(points, budgets.whole)
    length_s, here = found.among.length_s, found.among.points
    cascades = headline(points)
    blocks: list[Block] = [
        Text(_summary(found, choices, points, budgets)),
        *([Bullets(cascades)] if cascades else []),
        *_undecided(found),
        _scenarios(choices, speech(length_s)),
    ]
    blocks += [block for choice in choices for block in _reasons(choice)]
    aside = [f"Set aside: {'; '.join(found.among.aside)}."] if found.among.aside else []
    caveats = [*other_speech(points, here), *several_kinds(points), *several_hosts(points)]
    if caveats := [*aside, *caveats, *at_usual_state(here)]:
        blocks.insert(1, Text(" ".join(caveats)))
    if unpriced:
        none = "One price an hour can't be that of several kinds of machine, so no price is shown."
        blocks.append(Text(none))
    costs = _costs(_best_batches(here), budgets, speech(length_s))
    return Section("answer", "Answer", (*blocks, costs) if costs.rows else tuple(blocks))


def _summary(
    found: Answers, choices: Sequence[Recommendation], points: Sequence[Point], budgets: Budgets
) -> str:
    """Which system and batch, what a minute of audio costs, what to optimise first."""
    live = next(choice for choice in choices if choice.scenario == "Real time")
    whole = of_one_speech(point for point in points if point.ok and not point.truncated)
    fastest = found.found.winner or max(whole, key=_rtfx, default=None)
    nothing = f"**Nothing can be recommended.** {found.found.verdict}"
    most = _most(found.most)
    if fastest is None or not _rtfx(fastest):
        return f"{most}{_live(live) if found.found.winner else nothing}"
    lines = [f"{most}{nothing}", f"Fastest without regard to that is {label(fastest)}."]
    if found.found.winner:
        lines = [f"{most}{_best(found)}", _live(live)]
    first = None if is_cascade(fastest) else advice(points).get(fastest.system)
    lines += [_minute(fastest, budgets), f"What to optimise first: {first}" if first else ""]
    return " ".join(filter(None, lines))


def _most(most: Recommendation | None) -> str:
    """What holds most requests, and a space; empty where none arrived."""
    if most is None or most.winner is None:
        return ""
    note = ", provisionally" if most.provisional else ""
    return f"For requests that arrive use **{label(most.winner)}**{note} ({most.figures}). "


def _best(found: Answers) -> str:
    best = found.found
    assert best.winner is not None
    note = ", provisionally" if best.provisional else ""
    return f"For {found.among.speech} use **{label(best.winner)}**{note} ({best.figures})."


def _undecided(found: Answers) -> list[Block]:
    """What holds more and loses too much WER, or may, and what is faster and may."""
    rivals = (*found.holds_more, *(rival.said for rival in found.found.undecided))
    return [Bullets(rivals)] if rivals else []


def _live(live: Recommendation) -> str:
    if live.winner is None:
        why = " ".join((f"{live.verdict[0].lower()}{live.verdict[1:]}", *live.evidence[:1]))
        return f"For live speech nothing can be recommended: {why}"
    note = ", provisionally" if live.provisional else ""
    return f"For live speech use **{label(live.winner)}**{note} ({live.figures})."


def _minute(point: Point, budgets: Budgets) -> str:
    compute_s, joules = MINUTE_S / _rtfx(point), point.value(ENERGY)
    costs = f"{plain(compute_s)} s of compute"
    if budgets.price_per_hour:
        costs += f", a price of {plain(compute_s * budgets.price_per_hour / _HOUR_S)}"
    energy = "an unknown energy"
    if joules is not None:
        energy = f"{plain(MINUTE_S * joules)} J ({point.energy_method})"
    return f"A minute of audio then costs {costs} and {energy}."


def _scenarios(choices: Sequence[Recommendation], where: str) -> Table:
    headings = ("Scenario", "Recommended", "Key figures", "Runner-up", "Winner against runner-up")
    rows = []
    for choice in choices:
        winner = label(choice.winner) if choice.winner else "nothing"
        cells = (
            words(choice.scenario, choice.rule),
            words(f"{winner} (provisional)" if choice.provisional else winner, choice.provisional),
            words(choice.figures) if choice.figures else missing(choice.verdict),
            words(label(choice.runner_up)) if choice.runner_up else missing("no other candidate"),
            words(choice.verdict),
        )
        rows.append(Row(cells, choice.winner.keys if choice.winner else {}))
    caption = f"Recommendations by scenario, for {where}"
    compared = {id(p): p for c in choices for p in (c.winner, c.runner_up) if p}
    rules = (f"{choice.scenario}: {choice.rule}" for choice in choices)
    notes = (*rules, *may_change(point.tags for point in compared.values()))
    return Table("recommendations", caption, word_columns(*headings), tuple(rows), notes)


def _reasons(choice: Recommendation) -> list[Block]:
    name = label(choice.winner) if choice.winner else choice.verdict
    blocks: list[Block] = [Text(f"**{choice.scenario}: {name}**")]
    rivals = (rival.said for rival in choice.undecided)
    items = (*rivals, *((choice.provisional,) if choice.provisional else ()), *choice.evidence)
    if items:
        blocks.append(Bullets(items))
    return [*blocks, Command(choice.command)] if choice.command else blocks


def _best_batches(points: Iterable[Point]) -> list[Point]:
    """The point of highest RTFx of every system and device, in the order they were met."""
    groups = grouped(points, lambda point: (point.system, point.device))
    return [max(group, key=_rtfx) for group in groups.values()]


def _costs(points: Sequence[Point], budgets: Budgets, where: str) -> Table:
    price = budgets.price_per_hour
    columns = (
        *word_columns("System", "Device"),
        Column("Batch", meaning="the measured one of highest RTFx"),
        Column(
            "Compute", "s per minute", meaning="seconds of compute for a minute of audio: 60 / RTFx"
        ),
        Column("Energy", "J per minute"),
        Column("Energy", "mWh per minute"),
        *word_columns("Energy by"),
        Column("WER", "%"),
        Column("Peak memory", "MB"),
        *(
            (Column("Price", "per minute", meaning=f"at {price:g} an hour of this machine"),)
            if price
            else ()
        ),
    )
    notes = [
        "Compute and energy are of the timed calls only: loading the model and reading audio come "
        "on top."
    ]
    notes += [*error_rates(points), *partly(points)]
    return Table(
        "minute-of-audio",
        f"What a minute of audio costs: each system at its fastest batch, {where}",
        columns,
        tuple(_cost_row(point, price) for point in points),
        tuple(notes),
    )


def _cost_row(point: Point, price: float | None) -> Row:
    cells: list[Cell] = [
        words(point.system),
        words(point.device, point.hardware),
        batch_cell(point),
        _inverse(point, MINUTE_S),
        figure(point, ENERGY, MINUTE_S),
        figure(point, ENERGY, MINUTE_S * 1e3 / _J_PER_WH),
        words(point.energy_method),
        wer(point),
        memory(point),
    ]
    if price:
        cells.append(_inverse(point, MINUTE_S * price / _HOUR_S))
    return Row(tuple(cells), point.keys)


def _inverse(point: Point, factor: float) -> Cell:
    """``factor`` / RTFx, its interval turned round with it."""
    found = point.stated(RTFX)
    if found is None or not found[0]:
        return missing(why_missing(point, RTFX))
    return number(1 / found[0], inverse(found[1]), factor)


def _rtfx(point: Point) -> float:
    """As it is judged; 0 where it is not known."""
    return point.judged(RTFX) or 0.0
