"""What advice promises and, where it was tried among the same points, what it brought."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from asr_scaling.analysis.bottlenecks.advice import Advice
from asr_scaling.analysis.bottlenecks.offers import Offer
from asr_scaling.report.cells import IDENTITY, identity, missing, number, words
from asr_scaling.report.document import Cell, Column, Row, Table, word_columns

_COLUMNS = (
    *IDENTITY,
    *word_columns("Change"),
    Column("Promised", "×", meaning="RTFx with the change over RTFx without it, most likely"),
    Column("From", "×", meaning="lower end of the 95 % interval for what a measurement will show"),
    Column("To", "×", meaning="upper end of it"),
    Column("At most", "×", meaning="if all stages that it touches cost nothing"),
    *word_columns("Touches", "May get worse", "Measured on"),
    Column("Brought", "×", meaning="RTFx with the change over RTFx without it, as measured here"),
)


def offers_tables(advices: Iterable[Advice]) -> Sequence[Table]:
    """A row for each promise; none where nothing is promised."""
    rows = tuple(
        Row((*identity(advice.first.point), *_cells(offer)), advice.first.point.keys)
        for advice in advices
        for offer in advice.offers
    )
    caption = "What a change promises at the smallest batch, and what it brought"
    notes = (
        "–: nothing else is left to bound it, or it was not tried among these points.",
        "A promise rests on what was measured of each stage elsewhere, not on these points.",
    )
    return [Table("promises", caption, _COLUMNS, rows, notes)] if rows else []


def _cells(offer: Offer) -> tuple[Cell, ...]:
    kept, unbounded = offer.kept, missing("it touches nearly all of the call")
    return (
        words(offer.option, offer.lever.does),
        number(offer.gain),
        number(offer.interval.low),
        number(offer.interval.high),
        unbounded if offer.bound is None else number(offer.bound),
        words(", ".join(offer.touched)),
        words(offer.lever.watch or "nothing"),
        words("others only" if offer.elsewhere else "this class of processor"),
        number(kept.gain, kept.interval) if kept else missing("not tried among these points"),
    )
