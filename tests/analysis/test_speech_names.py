"""Names of speech: the same content has one name, different content never shares one."""

from __future__ import annotations

import dataclasses
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.studies import BASE, TINY, record, study

from asr_scaling.analysis.comparison.comparability import differences
from asr_scaling.analysis.points import Point, to_point
from asr_scaling.analysis.reference_length import at
from asr_scaling.analysis.size_laws import size_laws
from asr_scaling.analysis.speech_names import is_called, usual_speech, with_speech_names
from asr_scaling.analysis.system_names import named
from asr_scaling.core.record import RunRecord

ONE = record(TINY, 5.0, 1)


def of(one: RunRecord = ONE, **facts: object) -> RunRecord:
    return replace(one, dataset=one.dataset | facts)


def names(*records: RunRecord) -> list[str]:
    return [point.dataset for point in with_speech_names([to_point(each) for each in records])]


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        (
            [{"source": "/a/test", "digest": "1"}, {"source": "/b/test", "digest": "2"}],
            ["speech (a/test)", "speech (b/test)"],
        ),
        (
            [{"source": "hub:x/y", "split": s, "digest": s} for s in ("dev", "test")],
            ["speech (dev)", "speech (test)"],
        ),
        (
            [{"source": "/a", "digest": "1", "utterances": n} for n in (4, 4)],
            ["speech", "speech"],
        ),
        (
            [{"source": "/a", "digest": str(n), "utterances": n} for n in (4, 8)],
            ["speech (4 utterances)", "speech (8 utterances)"],
        ),
        (
            [{"source": "/a", "digest": "1" * 64}, {"source": "/a", "digest": "2" * 64}],
            ["speech (#11111111)", "speech (#22222222)"],
        ),
        ([{"source": "/a/x", "name": "x"}, {"source": "/b/y", "name": "y"}], ["x", "x"]),
        ([{"digest": "1", "name": "x"}, {"digest": "2", "name": "y"}], ["x", "y"]),
    ],
)
def test_what_tells_two_apart(facts: list[dict[str, object]], expected: list[str]):
    assert names(*(of(**each) for each in facts)) == expected


def test_lengths_of_one_place_are_one_dataset():
    long = of(record(TINY, 15.0, 1), source="/a", digest="l")
    assert names(of(source="/a", digest="s"), long) == ["speech", "speech"]


def test_a_point_that_failed_has_the_name_of_its_folder():
    options = {"dataset": {"path": "data/quiet", "name": None}, "hydra": {"cwd": "/home/me"}}
    failed = replace(ONE, status="failed", reason="no", dataset={}, config=ONE.config | options)
    point = to_point(failed)
    assert (point.dataset, point.source) == ("quiet", "/home/me/data/quiet")
    measured = replace(
        ONE, config=ONE.config | options, dataset=ONE.dataset | {"source": "data/quiet"}
    )
    assert len(set(names(failed, measured))) == 1
    unknown = replace(failed, config={"dataset": {"name": "speech"}})
    assert names(unknown, of(source="/a")) == ["speech", "speech"]


CONTENT = st.sampled_from("abc")
MADE = st.lists(
    st.tuples(
        CONTENT,
        st.sampled_from(["/a/s", "/b/s", "/b/t", "s", ""]),
        st.sampled_from(["s", "t"]),
        st.sampled_from([5.0, 15.0]),
        st.integers(1, 2),
    ),
    min_size=1,
    max_size=7,
)


@given(MADE)
def test_a_name_is_a_content_whatever_places_and_names_are(made: list[tuple[str, ...]]):
    bare = to_point(ONE)
    points = [
        replace(bare, content=c, source=s, dataset=n, length_s=length, utterances=count)
        for c, s, n, length, count in made
    ]
    found = with_speech_names(points)
    seen: dict[object, str] = {}
    for point in found:
        assert seen.setdefault((point.length_s, point.content), point.dataset) == point.dataset
    assert len({(length, name) for (length, _), name in seen.items()}) == len(seen)


def two_speeches() -> list[Point]:
    easy = study((TINY, BASE), (5.0,), (1,))
    hard = [of(each, digest="h", name="hard") for each in study((TINY,), (5.0,), (1,))]
    return named([to_point(each) for each in (*easy, *hard)])


def test_nothing_is_ranked_across_them():
    points = two_speeches()
    assert usual_speech(points) == "speech"
    assert {point.dataset for point in at(points, 5.0)} == {"speech"}
    assert {p.dataset for law in size_laws(points) for p in law.points} == {"speech"}
    assert [point.system for point in points] == [
        "whisper_tiny_en",
        "whisper_base",
        "whisper_tiny_en · dataset=hard",
    ]


def test_the_same_utterances_compare_whatever_they_are_called():
    assert differences(ONE, of(name="moved")) == {}
    assert "dataset" in differences(ONE, of(digest="other"))
    assert "dataset" in differences(of(digest=""), of(digest="", name="moved"))


def test_ways_to_ask_for_it():
    point = dataclasses.replace(to_point(ONE), dataset="test (a/test)", source="/x/a/test")
    for name in ("test (a/test)", "test", "/x/a/test", "a/test"):
        assert is_called(point, name)
    assert not is_called(point, "b/test")
