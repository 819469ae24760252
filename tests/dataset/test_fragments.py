"""Fragments: exact length, nothing cut, the reference of exactly what is inside,
each utterance at most once."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr_scaling.core.workload import Utterance
from asr_scaling.dataset.fragments import Shape, fragments
from asr_scaling.errors import ConfigError, DataError

RATE_HZ = 16_000


def utterances(sizes):
    """Utterance i is made of the sample value i + 1,
    so that it can be found again in a fragment."""
    return [
        Utterance(f"u{i}", np.full(size, (i + 1) / 1024, np.float32), f"W{i} x", f"s{i % 2}")
        for i, size in enumerate(sizes)
    ]


sizes_lists = st.lists(st.integers(1, 4000), min_size=1, max_size=150)


@given(
    sizes=sizes_lists,
    length=st.integers(1, 6000),
    gap=st.integers(0, 800),
    limit=st.one_of(st.none(), st.integers(1, 20)),
)
def test_the_promises_of_a_fragment(sizes, length, gap, limit):
    pool = utterances(sizes)
    shape = Shape(length / RATE_HZ, silence_s=gap / RATE_HZ)
    left_out = Counter[str]()
    if min(sizes) > length:
        with pytest.raises(DataError, match=r"raise dataset\.length_s"):
            fragments(pool, shape, "x", limit, left_out)
        return
    made, silence_s = fragments(pool, shape, "x", limit, left_out)
    by_id = {u.id: u for u in pool}
    used = [part for fragment in made for part in fragment.parts]
    assert len(used) == len(set(used))
    assert len({fragment.id for fragment in made}) == len(made) <= (limit or len(made))
    zeros = 0
    for fragment in made:
        assert fragment.audio.shape == (length,)
        assert fragment.reference == " ".join(by_id[part].reference for part in fragment.parts)
        rest = fragment.audio
        for number, part in enumerate(fragment.parts):
            speech = by_id[part].audio
            start = int(np.flatnonzero(rest)[0])  # what comes before it is digital silence
            assert start == 0 if number == 0 else start >= gap
            assert np.array_equal(rest[start : start + speech.size], speech), (
                "whole, and bit by bit"
            )
            rest = rest[start + speech.size :]
        assert not rest.any()
        zeros += int((fragment.audio == 0).sum())
    assert silence_s == pytest.approx(zeros / RATE_HZ)
    if limit is None:  # every utterance is accounted for
        assert len(used) + sum(left_out.values()) == len(pool)


@given(sizes=sizes_lists, length=st.integers(4000, 9000), few=st.integers(1, 5))
def test_the_same_every_time_and_a_smaller_limit_gives_the_first_ones(sizes, length, few):
    shape = Shape(length / RATE_HZ)
    one, _ = fragments(utterances(sizes), shape, "x", None, Counter())
    two, _ = fragments(iter(utterances(sizes)), shape, "x", few, Counter())
    assert [(f.id, f.parts, f.audio.tobytes()) for f in two] == [
        (f.id, f.parts, f.audio.tobytes()) for f in one[: len(two)]
    ]
    assert len(two) == min(few, len(one))


def test_longer_ones_are_counted_and_speech_fills_most_of_a_fragment():
    sizes = np.random.default_rng(0).integers(RATE_HZ, 12 * RATE_HZ, 300).tolist()
    left_out = Counter[str]()
    made, silence_s = fragments(utterances(sizes), Shape(5.0), "x", None, left_out)
    assert left_out["longer than 5 s"] == sum(size > 5 * RATE_HZ for size in sizes)
    assert silence_s / (5 * len(made)) < 0.25


def test_silence_is_spread_evenly():
    made, _ = fragments(
        utterances([1000, 1000]), Shape(4000 / RATE_HZ, silence_s=0.01), "x", None, Counter()
    )
    speech = np.flatnonzero(made[0].audio)
    assert (speech[999], speech[1000], speech[-1]) == (999, 2000, 2999)


def test_a_last_fragment_of_mostly_silence_is_dropped_but_never_the_only_one():
    left_out = Counter[str]()
    made, _ = fragments(utterances([4000, 300]), Shape(4000 / RATE_HZ), "x", None, left_out)
    assert len(made) == 1
    assert left_out == {"too little speech left for a last fragment": 1}
    made, silence_s = fragments(utterances([300]), Shape(4000 / RATE_HZ), "x", None, Counter())
    assert len(made) == 1
    assert silence_s == 3700 / RATE_HZ


def test_a_common_speaker_is_kept():
    same = [Utterance(f"u{i}", np.ones(100, np.float32), "x", "me") for i in range(2)]
    made, _ = fragments(same, Shape(1.0), "x", None, Counter())
    assert made[0].speaker == "me"
    made, _ = fragments(utterances([100, 100]), Shape(1.0), "x", None, Counter())
    assert made[0].speaker is None


@pytest.mark.parametrize("length_s", [0, -1, float("nan"), float("inf"), 1e9, "five", True, [5]])
def test_bad_lengths(length_s):
    with pytest.raises(ConfigError, match=r"dataset\.length_s.* or null"):
        Shape(length_s)


@pytest.mark.parametrize("seed", [-1, 1.5, "x", None, True])
def test_bad_seeds(seed):
    with pytest.raises(ConfigError, match=r"dataset\.seed"):
        Shape(5, seed)


@pytest.mark.parametrize("silence_s", [-0.1, float("nan"), 61, None, "x"])
def test_bad_silences(silence_s):
    with pytest.raises(ConfigError, match=r"dataset\.silence_s"):
        Shape(5, 42, silence_s)
