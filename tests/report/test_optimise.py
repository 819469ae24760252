"""What a reader sees of a search: the answer, the waterfall, what was tried, the Pareto set,
and what was left out."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

import pytest
from support.benches import Bench, options
from support.reading import column, figures, row, tables, words
from support.studies import TINY, record

from asr_scaling.analysis.points import Point, to_point
from asr_scaling.analysis.recommendation.scenarios import Budgets
from asr_scaling.analysis.system_names import named
from asr_scaling.core.record import RunRecord
from asr_scaling.records.merge import merge
from asr_scaling.report.build import document
from asr_scaling.report.document import Command, Section
from asr_scaling.report.optimise.section import section, sections
from asr_scaling.report.optimise.waterfall import bars
from asr_scaling.report.optimise.wording import summary, verdict, waterfall
from asr_scaling.report.output.svg import drawn
from asr_scaling.search.candidates import Entry, Stage, Trial
from asr_scaling.search.optimise import optimise
from asr_scaling.search.outcome import Answer, Outcome
from asr_scaling.search.searched_points import outcome_of

GAINS = {"a": 2.4, "b": 1.5, "slow": 0.7, "other": 0.8}


class Kept(Bench):
    """Makes records of what it measured."""

    def points(self) -> list[Point]:
        """As they are read from a sweep: trials of a stage merged."""
        places: dict[tuple[Entry, Stage], list[RunRecord]] = {}
        for trial in self.trials:
            places.setdefault((trial.entry, trial.stage), []).append(self._record(trial))
        return named(
            to_point(merge(found) if len(found) > 1 else found[0]) for found in places.values()
        )

    def _record(self, trial: Trial) -> RunRecord:
        candidate, factor = trial.entry.candidate, self.factor(trial.entry)
        law = replace(TINY, call_s=0.0, window_cost_s=0.3 / factor, per_s=0.01 / factor)
        law = replace(law, wer=None) if self.random else law
        found = record(law, None, trial.entry.batch, calls=12)
        config = {
            **found.config,
            "engine": {"_target_": f"asr_scaling.engine.{candidate.engine}.X"},
            "optimisation": {name: {} for name in candidate.optimisations},
            "optimiser": {"stage": trial.stage},
            "sweep": {"round": trial.number, "processes": 3},
        }
        parts = {"engine": candidate.engine, "optimisations": list(candidate.optimisations)}
        return replace(found, config=config, system={**found.system, **parts})


def searched(bench: Kept | None = None, **given: object) -> tuple[Outcome, Sequence[Point]]:
    bench = bench or Kept(GAINS, refused={"c": ("refused", "c makes no sense here.")})
    return optimise(options(**given), bench), bench.points()


@pytest.fixture(scope="module")
def made() -> Section:
    found, points = searched()
    return section(points, found)


def test_the_answer_comes_first_with_its_command(made: Section):
    assert re.match(
        r"\*\*Latency, batch 1: transformers \+ a \+ b is 3\.60 × as fast as transformers, "
        r"WER \+0\.00 ± 0\.30 points "
        r"\(from the final: whole budget, in turns with the baseline, 3 processes each\)\.\*\*",
        words(made),
    )
    (line,) = [block.line for block in made.blocks if isinstance(block, Command)]
    assert line.startswith("python -m asr_scaling model=whisper_tiny_en engine=transformers")
    assert "optimisation=[a,b]" in line.replace("'", "")
    assert "batch=1" in line


def test_summary_is_one_line_of_gains_and_one_command():
    found, points = searched()
    lines = summary(found, points)
    assert "  a 2.40 ×, b 1.50 ×, together 3.60 ×" in lines
    assert sum(line.strip().startswith("python -m asr_scaling ") for line in lines) == 1
    assert re.match(
        r"[\d.]+ of 20 minutes spent, \d+ measurements\. Refused, left out or not tried: 2; ",
        lines[-1],
    )


def test_the_waterfall_reaches_the_total():
    (answer,) = searched()[0].answers
    steps = bars(answer, {})
    assert [(bar.name, round(bar.low, 3), round(bar.high, 3)) for bar in steps] == [
        ("a", 1.0, 2.4), ("b", 2.4, 3.6), ("together", 1.0, 3.6)
    ]  # fmt: skip
    assert all(bar.ends is not None and bar.ends[0] <= bar.high + 1e-9 for bar in steps)


def test_the_waterfall_is_drawn_with_its_names(made: Section):
    figure = figures(made)["optimise-waterfall-b1"]
    text = drawn(figure)
    assert "together" in text
    assert "3.60 ×" in text
    assert "a 2.40 ×, b 1.50 ×, together 3.60 ×" in figure.alt
    assert "steps by the few utterances of the search, the whole by the final" in figure.caption


def test_every_measurement_has_a_row(made: Section):
    table = tables(made)["optimise-tried"]
    assert row(table, ("search", "1", "transformers + a"))["Speed"].text == "2.40"
    assert row(table, ("final", "1", "transformers + a + b"))["Speed"].sort == pytest.approx(3.6)
    assert "slow" not in " ".join(column(table, "WER"))


def test_the_pareto_set_names_its_axes(made: Section):
    table = tables(made)["optimise-pareto-final"]
    assert column(table, "What ran")[0] == "transformers + a + b"
    assert "p95 is not bounded" in table.notes[0]
    assert "batches compete" in table.notes[0]


def test_what_was_refused_says_why(made: Section):
    (left,) = [
        r for r in tables(made)["optimise-left"].rows if r.cells[1].text == "transformers + c"
    ]
    assert [cell.text for cell in left.cells] == [
        "refused",
        "transformers + c",
        "1",
        "c makes no sense here.",
    ]


def test_nothing_faster_is_said_and_nothing_is_drawn():
    found, points = searched(Kept(dict.fromkeys(("other", "a", "b", "c", "slow"), 0.9)))
    text = words(section(points, found))
    assert (
        "nothing that was tried is faster than transformers beyond noise and as accurate; "
        "the fastest other, "
    ) in text
    assert re.search(r"was 0\.900 × as fast, WER \+0\.0 ± 12 points\.", text)
    assert not figures(section(points, found))
    assert not any("python -m" in line for line in summary(found, points))


def test_nothing_measured_is_not_nothing_faster():
    names = ("other", "a", "b", "c", "slow")
    found, _ = searched(Kept({}, refused=dict.fromkeys(names, ("refused", "no."))))
    said = (
        "Latency, batch 1: no other way gave an answer: all were refused, failed, "
        "too wrong or not tried, see below."
    )
    assert verdict(found.answers[0]) == said


def test_an_unknown_wer_is_said():
    found, points = searched(Kept(GAINS, random=True))
    assert "WER unknown" in verdict(found.answers[0])
    assert (
        "Not known of every point, so no axis: WER."
        in tables(section(points, found))["optimise-pareto-final"].notes
    )
    assert "No WER is known" in words(section(points, found))


def test_what_changes_of_wer_do_not_count_is_said_once():
    found, points = searched()
    (answer,) = found.answers
    assert answer.total.loss is not None
    loops = replace(answer.total, loss=replace(answer.total.loss, wholly_wrong=2))
    other = replace(found, answers=(replace(answer, total=loops),))
    said = (
        "In changes of WER all words of 2 utterances count as wrong, where the baseline has more "
        "errors than words."
    )
    assert said not in words(section(points, found))
    assert words(section(points, other)).count(said) == 1
    assert summary(other, points).count(said) == 1


def test_steps_that_do_not_multiply_to_the_total_are_said():
    (answer,) = searched()[0].answers
    apart = replace(answer, total=replace(answer.total, factor=3.0))
    found, points = searched()
    caption = figures(section(points, replace(found, answers=(apart,))))[
        "optimise-waterfall-b1"
    ].caption
    assert "the steps multiply to 3.60 ×" in caption


def test_one_step_needs_no_sum():
    (answer,) = searched(Kept({"a": 2.0, **dict.fromkeys(("other", "b", "c", "slow"), 0.7)}))[
        0
    ].answers
    assert isinstance(answer, Answer)
    assert waterfall(answer) == "a 2.00 ×"


def test_other_sweeps_have_no_such_section(tmp_path):
    assert sections([], None) == ()
    assert outcome_of([str(tmp_path)]) is None
    assert outcome_of(["mlflow:x"]) is None
    assert outcome_of(["a", "b"]) is None


def test_a_report_on_a_search_begins_with_the_answer():
    found, points = searched()
    assert [each.name for each in document(points, Budgets(), optimised=found).sections][:2] == [
        "answer",
        "optimise",
    ]
    assert document(points, Budgets()).sections[0].name == "answer"
