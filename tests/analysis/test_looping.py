"""Which neighbour of a looping system does not loop."""

from __future__ import annotations

from dataclasses import replace

from support.studies import TINY, record

from asr_scaling.analysis.comparison.verdict import compare
from asr_scaling.analysis.looping import looping_records
from asr_scaling.core.metric import Metric
from asr_scaling.core.record import RunRecord
from asr_scaling.report.terminal import notes

SHARE = "quality/looping_share"


def system(share: float, engine: str, *optimisations: str, batch: int = 1) -> RunRecord:
    one = record(TINY, None, batch)
    facts = {**one.system, "engine": engine, "optimisations": list(optimisations)}
    return replace(one, metrics=(*one.metrics, Metric(SHARE, share, 16)), system=facts)


def test_the_plain_system_of_the_same_engine_is_named_first():
    (line,) = looping_records(
        [
            system(0, "openvino", "int8"),
            system(0, "faster_whisper"),
            system(1 / 16, "faster_whisper", "int8"),
        ]
    )
    assert "whisper_tiny_en · faster_whisper · int8 (batch 1) loops on 1 of 16 utterances" in line
    assert line.endswith("where whisper_tiny_en · faster_whisper (batch 1) does not.")


def test_another_engine_is_named_where_the_same_engine_loops_too():
    (line,) = looping_records(
        [
            system(2 / 16, "faster_whisper"),
            system(1 / 16, "faster_whisper", "int8"),
            system(0, "openvino", "int8"),
        ]
    )
    assert "faster_whisper · int8 (batch 1) loops on 1 of 16 utterances where" in line
    assert line.count("where whisper_tiny_en · openvino · int8 (batch 1) does not") == 2


def test_a_system_alone_is_said_to_loop():
    assert looping_records([system(0.25, "openvino")]) == [
        "Texts that loop: whisper_tiny_en (batch 1) loops on 4 of 16 utterances."
    ]


def test_nothing_is_said_where_nothing_loops():
    assert looping_records([system(0, "openvino"), record(TINY, None, 1)]) == []


def test_terminal_and_comparison_say_it():
    pair = (system(0, "faster_whisper"), system(1 / 16, "faster_whisper", "int8"))
    wanted = looping_records(pair)
    assert len(wanted) == 1
    assert notes(pair)[-1:] == wanted
    assert list(compare(*pair).notes)[-1:] == wanted
