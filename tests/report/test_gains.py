"""What engines and optimisations bring, on made-up systems whose gains are known."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from support.reading import figures, row, tables, words
from support.studies import TINY, WAV2VEC2, Law, record

from asr_scaling.analysis.points import Point, to_point
from asr_scaling.analysis.recommendation.scenarios import Budgets
from asr_scaling.analysis.system_names import named
from asr_scaling.core.cautions import IDLE, caution
from asr_scaling.core.metric import Metric
from asr_scaling.core.record import RunRecord
from asr_scaling.report.build import document
from asr_scaling.report.gains import sections
from asr_scaling.report.output.drawing import row_name


def optimised(
    law: Law, batch: int = 1, *names: str, engine: str = "transformers", **costs: float
) -> RunRecord:
    one = record(law, 5.0, batch)
    metrics = [metric for metric in one.metrics if metric.name not in costs]
    found = (*metrics, *(Metric(name, value) for name, value in costs.items()))
    return replace(
        one, metrics=found, system={**one.system, "engine": engine, "optimisations": list(names)}
    )


def points(*records: RunRecord) -> list[Point]:
    return named(map(to_point, records))


def faster(times: float) -> Law:
    costs = ("window_cost_s", "per_s", "call_s")
    return replace(TINY, **{name: getattr(TINY, name) / times for name in costs})


TWICE = faster(2.0)
BEHIND: dict[str, Any] = {"startup/load_s": 1.5, "startup/compile_s": 3.0}


def test_twice_as_fast_is_said_with_what_it_costs() -> None:
    (section,) = sections(
        points(record(TINY, 5.0, 1), optimised(TWICE, 1, "int8", "dynamic_window", **BEHIND))
    )
    found = row(tables(section)["gains"])
    assert found["System"].text == "whisper_tiny_en · int8 + dynamic_window"
    assert found["RTFx"].text.startswith("2.00")
    assert found["Latency"].text.startswith("0.500")
    assert found["Energy"].text.startswith("0.500")
    assert found["WER"].text == "0 ± 0.45"
    assert found["Start-up"].text == "4.00"
    assert found["Pays off"].text == "20"  # 4 s over the 0.2 s that half a call of 0.4 s saves
    assert (
        "**whisper_tiny_en** gained most from transformers · int8 + dynamic_window: 2.00"
        in words(section)
    )
    assert list(figures(section)) == ["gains"]


def test_each_optimisation_has_its_own_share_where_the_rest_was_measured() -> None:
    found = points(
        record(TINY, 5.0, 1),
        optimised(faster(2.0), 1, "decode_loop"),
        optimised(faster(3.0), 1, "decode_loop", "dynamic_window"),
        optimised(faster(6.0), 1, "decode_loop", "dynamic_window", "int8"),
    )
    (section,) = sections(found)
    gains, shares = (tables(section)[name].rows for name in ("gains", "gains-shares"))
    assert [cells.cells[4].text[:4] for cells in gains] == ["6.00", "3.00", "2.00"]
    told = [(cells.cells[0].text, cells.cells[4].text, cells.cells[5].text[:3]) for cells in shares]
    window = "whisper_tiny_en · decode_loop + dynamic_window"
    assert told == [(window, "dynamic_window", "1.5"), (f"{window} + int8", "int8", "2.0")]


def test_an_optimisation_that_did_nothing_is_named_below_the_gains() -> None:
    idle = caution(IDLE, name="attention_sdpa", why="the system is the same without it")
    one = replace(optimised(TINY, 1, "attention_sdpa"), cautions=(idle,))
    (section,) = sections(points(record(TINY, 5.0, 1), one))
    (note,) = [note for note in tables(section)["gains"].notes if "changed nothing" in note]
    assert note.startswith("whisper_tiny_en · attention_sdpa at batch 1: optimisation=attention")


def test_a_long_name_has_two_lines_beside_its_bar() -> None:
    long = "whisper_tiny_en · transformers · decode_loop + device_features + dynamic_window + int8"
    assert [row_name(name).count("\n") for name in ("transformers + int8", long)] == [0, 1]
    assert row_name(long).split() == long.split()


def test_gains_between_single_processes_are_said_to_be() -> None:
    pair = (record(TINY, 5.0, 1), optimised(TWICE, 1, "int8", **BEHIND))
    (section,) = sections(points(*pair))
    said = "Each point was timed by one process"
    assert any(note.startswith(said) for note in tables(section)["gains"].notes)
    several = [replace(one, tags={**one.tags, "interval/of": "3 processes"}) for one in pair]
    (section,) = sections(points(*several))
    assert not any(said in note for note in tables(section)["gains"].notes)


def test_what_makes_the_wer_worse_is_no_best() -> None:
    fast = replace(TWICE, wer=0.4)
    found = sections(points(record(TINY, 5.0, 1), optimised(fast, 1, "prune")))
    assert "Nothing made whisper_tiny_en faster without making it worse." in words(found[0])


def test_slower_never_pays_off_and_a_faster_start_does_at_once() -> None:
    slow = replace(TINY, call_s=1.0)
    plain = record(TINY, 5.0, 1)
    (late,) = sections(points(plain, optimised(slow, 1, "cache_none", **BEHIND)))
    assert row(tables(late)["gains"])["Pays off"].text == "never"
    (early,) = sections(
        points(plain, optimised(TWICE, 1, engine="onnxruntime", **{"startup/load_s": 0.1}))
    )
    assert row(tables(early)["gains"])["Pays off"].text == "at once"


def test_batches_are_not_mixed_and_what_has_no_plain_point_is_counted() -> None:
    (section,) = sections(
        points(
            record(TINY, 5.0, 1),
            optimised(TWICE, 1, "int8"),
            optimised(TWICE, 8, "int8"),
            record(TINY, 5.0, 4),
        )
    )
    table = tables(section)["gains"]
    assert [cells.cells[3].text for cells in table.rows] == ["1"]
    assert "1 more points have no plain one beside them" in " ".join(table.notes)


def test_of_several_plain_points_the_nearest_in_time_counts() -> None:
    early, late = (replace(record(TINY, 5.0, 1), started_at=at) for at in (0.0, 1000.0))
    slow = replace(record(replace(TINY, call_s=1.0), 5.0, 1), started_at=500.0)
    (section,) = sections(
        points(early, slow, late, replace(optimised(TWICE, 1, "int8"), started_at=900.0))
    )
    assert row(tables(section)["gains"])["RTFx"].text.startswith("2.00")


def test_random_weights_have_no_wer_to_compare() -> None:
    half = replace(WAV2VEC2, per_s=WAV2VEC2.per_s / 2)
    (section,) = sections(points(record(WAV2VEC2, 5.0, 1), optimised(half, 1, "keep_heap")))
    found = row(tables(section)["gains"])
    assert (found["WER"].text, "random weights" in found["WER"].note) == ("–", True)
    assert "WER not compared" in words(section)


@pytest.mark.parametrize(
    "extra", [[], [replace(optimised(TWICE, 1, "int8"), status="failed", reason="no")]]
)
def test_without_gains_there_is_no_such_part(extra: list[RunRecord]) -> None:
    found = points(record(TINY, 5.0, 1), record(TINY, 5.0, 4), *extra)
    assert sections(found) == ()
    assert "gains" not in [section.name for section in document(found, Budgets()).sections]
