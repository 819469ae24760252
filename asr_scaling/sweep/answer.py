"""What a sweep says when it has ended: which system to use, and where the report is."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from asr_scaling.analysis.load_points import points
from asr_scaling.analysis.points import Point
from asr_scaling.analysis.recommendation.answers import Answers, answers
from asr_scaling.analysis.recommendation.scenarios import Budgets
from asr_scaling.core.ports import ANSWER_FILE
from asr_scaling.errors import ConfigError
from asr_scaling.records.read import Damaged
from asr_scaling.search.outcome import Outcome
from asr_scaling.search.searched_points import outcome_of
from asr_scaling.search.serving.outcome import Outcome as Ways
from asr_scaling.search.serving.outcome import searched_ways
from asr_scaling.sweep.recommended_yaml import (
    outside_command,
    run_command,
    serve_command,
    use_in_python,
    write,
)
from asr_scaling.util.cache import write_atomic

RECOMMENDED = "recommended.yaml"
"""What ``recommend`` writes too, in the folder of a search."""


def conclude(folder: Path, report: bool) -> tuple[list[str], bool]:
    """The answer of the sweep in ``folder`` and where its report is, in lines; whether all went
    well.

    Writes ``ANSWER_FILE``, for a search ``RECOMMENDED``, and the report where it is asked for.
    Nothing is raised: the records are there, whatever is made of them.
    """
    damaged: Damaged = []
    lines = list[str]()
    made = f"Report: python -m asr_scaling report {folder}"
    try:
        measured = points([str(folder)], damaged=damaged)
        searched = outcome_of([str(folder)])
        if (ways := searched_ways([str(folder)])) is not None:
            from asr_scaling.report.capacity.searched import how_searched

            lines += how_searched(ways)
        lines += announce(folder, measured, (searched or ways) is not None, ways is not None)
        if report:
            made = _report(folder, measured, damaged, (searched, ways))
    except Exception as error:
        what = "report" if lines else "answer"
        failed = f"The {what} failed ({type(error).__name__}: {error}): "
        return [*lines, f"{failed}{made.removeprefix('Report: ')}"], False
    return [*lines, made], True


def announce(
    folder: Path, measured: Sequence[Point], searched: bool, of_requests: bool = False
) -> list[str]:
    """The answer in lines, which is kept for the store; none where there was nothing to choose.

    searched: whether a search measured them, which then leaves ``RECOMMENDED``.
    of_requests: whether what holds most requests is the answer, rather than what is fastest.
    """
    if len(measured) < 2 and not any(point.loads for point in measured):
        return []
    found = answers(measured)
    found = found.about_requests if of_requests else found
    write_atomic(folder / ANSWER_FILE, json.dumps(dict(found.facts), ensure_ascii=False).encode())
    several = len(measured) > 1 and not of_requests
    lines = found.lines if several else found.of_requests
    return [*lines, *(_recommended(folder, found) if searched else [])]


def _recommended(folder: Path, found: Answers) -> list[str]:
    """Write the winner as a YAML, and say how to use it."""
    path = folder / RECOMMENDED
    winner = found.found.winner
    if winner is None:
        return []
    try:
        write(path, found, winner)
    except ConfigError as error:
        return [f"It is not written as {RECOMMENDED}: {error}"]
    lines = [f"Written: {path}", f"Run it:  {run_command(path)}", f"Use it:  {use_in_python(path)}"]
    if not winner.serving:
        return lines
    return [
        *lines,
        f"Serve it:  {serve_command(path)}",
        f"Measure it from outside:  {outside_command(winner)}",
    ]


def _report(
    folder: Path,
    measured: Sequence[Point],
    damaged: Damaged,
    searches: tuple[Outcome | None, Ways | None],
) -> str:
    """Write the report; where it is."""
    from asr_scaling.report.build import document, write

    report = document(measured, Budgets(), damaged, *searches)
    page, *_ = write(report, measured, folder / "report")
    return f"Report: {page}"
