"""Which utterances a point times, which it only has scored, and what its record says of them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import pytest
from support.fakes import FakeDataset, brief, make_job, utterances, workload

from asr_scaling.core.workload import Workload
from asr_scaling.dataset.demo import Demo
from asr_scaling.errors import ConfigError
from asr_scaling.measure.job import run
from asr_scaling.measure.pipeline import Pipeline
from asr_scaling.measure.speech import Speech
from asr_scaling.profiler.quality import Quality

MANY = [1.0 + i % 20 for i in range(60)]


def read(durations: Sequence[float] = MANY, **options: Any) -> Speech:
    return Speech.of(FakeDataset(durations), Pipeline(**options))


def ids(found: Any) -> list[str]:
    return [utterance.id for utterance in found]


def lengths(found: Workload) -> list[float]:
    return sorted(utterance.duration_s for utterance in found.utterances)


def test_few_that_are_spread_have_the_mean_length_and_the_range_of_many():
    few = read(utterances=6, spread=True).workload
    found = lengths(few)
    assert len(found) == 6
    assert abs(sum(found) / 6 - sum(MANY) / len(MANY)) < 1
    assert (found[0] < 4, found[-1] > 16) == (True, True)
    gaps = [two - one for one, two in pairwise(found)]
    assert max(gaps) < 6


def test_fewer_that_are_spread_are_among_more():
    few, more = (read(utterances=count, spread=True).workload for count in (6, 16))
    assert set(ids(few.utterances)) < set(ids(more.utterances))
    assert ids(few.utterances) == sorted(ids(few.utterances), key=lambda key: int(key[1:]))


def test_the_record_says_that_they_were_chosen():
    job = make_job(durations=MANY, pipeline=brief(utterances=4, spread=True))
    facts = run(job).dataset
    assert (facts["utterances"], facts["spread_over"]) == (4, 60)
    assert facts["audio_s"] < sum(MANY)
    plain = run(make_job(durations=MANY, pipeline=brief(utterances=4))).dataset
    assert plain["spread_over"] is None
    assert plain["digest"] != facts["digest"]


def test_all_are_taken_where_there_are_no_more():
    assert read([3.0, 1.0], utterances=6, spread=True).workload.info.spread_over is None
    assert len(read(utterances=None, spread=True).workload.utterances) == 60


def test_of_long_recordings_no_more_is_read_than_half_an_hour():
    asked: list[int | None] = []

    class Long(FakeDataset):
        def load(self, limit: int | None) -> Workload:
            asked.append(limit)
            found = utterances([0.1] * 60)[:limit]
            return workload(found, audio_s=900.0 * len(found))

    Speech.of(Long(), Pipeline(utterances=1, spread=True))
    assert asked == [1, 2]


def test_fragments_are_of_one_length_and_not_chosen():
    plain = Speech.of(Demo(length_s=5), Pipeline(utterances=2))
    spread = Speech.of(Demo(length_s=5), Pipeline(utterances=2, spread=True))
    assert spread.workload.info.spread_over is None
    assert ids(spread.workload.utterances) == ids(plain.workload.utterances)


def test_more_is_scored_and_what_is_timed_stays():
    pipeline = brief(utterances=2, scored=5)
    job = make_job(durations=MANY, pipeline=pipeline, profiler={"quality": Quality()})
    record = run(job)
    assert [sample.utterances for sample in record.samples] == [("u0",), ("u1",)]
    assert [row["id"] for row in record.transcripts] == ["u0", "u1", "u2", "u3", "u4"]
    assert (record.dataset["utterances"], record.dataset["scored_besides"]) == (2, 3)
    fewer = run(make_job(durations=MANY, pipeline=brief(utterances=2)))
    assert record.dataset["digest"] == fewer.dataset["digest"]


@pytest.mark.parametrize("scored", [1, 2])
def test_what_is_timed_is_scored_anyway(scored: int):
    found = read(utterances=2, scored=scored)
    assert (ids(found.utterances), found.besides) == (["u0", "u1"], ())


def test_chosen_ones_are_not_scored_twice():
    found = read(utterances=3, spread=True, scored=10)
    assert len(set(ids(found.utterances))) == len(found.utterances) == 10


@pytest.mark.parametrize("wrong", [{"scored": 0}, {"warmup_by": "shortest"}])
def test_what_can_not_work_is_refused(wrong: dict[str, Any]):
    (option,) = wrong
    with pytest.raises(ConfigError, match=f"pipeline.{option} must be"):
        Pipeline(**wrong)
