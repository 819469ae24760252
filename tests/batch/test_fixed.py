"""Batching: full batches that leave nobody out."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.fakes import utterances

from asr_scaling.batch.bucketed import Bucketed
from asr_scaling.batch.fixed import Fixed
from asr_scaling.errors import ConfigError

STRATEGIES = [Fixed, Bucketed]
DURATIONS = st.lists(st.integers(1, 9).map(lambda n: n / 100), min_size=1, max_size=25)
SIZES = st.integers(1, 30)


def ids(batches: list[Any]) -> list[tuple[str, ...]]:
    return [tuple(u.id for u in batch.utterances) for batch in batches]


@pytest.mark.parametrize("strategy", STRATEGIES)
class TestEveryStrategy:
    @given(DURATIONS, SIZES)
    def test_full_batches_that_leave_nobody_out(
        self, strategy: Any, durations: list[float], size: int
    ):
        found = utterances(durations)
        batches = strategy(size).batches(found)
        assert {len(batch) for batch in batches} == {size}
        flat = [key for batch in ids(batches) for key in batch]
        assert set(flat) == {u.id for u in found}
        assert len(flat) - len(found) < size  # nobody more often than needed to fill the last batch
        assert len(set(flat[: len(found)])) == len(found)

    @given(DURATIONS, SIZES)
    def test_the_same_every_time(self, strategy: Any, durations: list[float], size: int):
        found = utterances(durations)
        assert ids(strategy(size).batches(found)) == ids(strategy(size).batches(list(found)))

    @pytest.mark.parametrize("size", [0, -1, 1.5, True, "8", None])
    def test_a_bad_size_is_refused(self, strategy: Any, size: Any):
        with pytest.raises(ConfigError, match=r"batch\.size") as caught:
            strategy(size)
        assert repr(size) in str(caught.value)

    def test_nothing_gives_no_batch(self, strategy: Any):
        assert strategy(4).batches([]) == []


def test_fixed_keeps_the_order_and_fills_from_the_beginning():
    assert ids(Fixed(2).batches(utterances([0.3, 0.1, 0.2]))) == [("u0", "u1"), ("u2", "u0")]
    assert ids(Fixed(5).batches(utterances([0.3, 0.1]))) == [("u0", "u1", "u0", "u1", "u0")]


def test_bucketed_sorts_by_length_and_ties_by_id():
    assert ids(Bucketed(2).batches(utterances([0.3, 0.1, 0.2, 0.1]))) == [
        ("u1", "u3"),
        ("u2", "u0"),
    ]


@given(DURATIONS, SIZES)
def test_bucketed_never_pads_more_than_fixed(durations: list[float], size: int):
    found = utterances(durations)
    if len(found) % size == 0:
        padded = [sum(b.padded_s for b in strategy(size).batches(found)) for strategy in STRATEGIES]
        assert padded[1] <= padded[0] + 1e-9


@given(DURATIONS, SIZES, st.randoms())
def test_bucketed_does_not_depend_on_the_order_it_is_given(
    durations: list[float], size: int, random: Any
):
    found = list(utterances(durations))
    mixed = random.sample(found, len(found))
    assert ids(Bucketed(size).batches(mixed)) == ids(Bucketed(size).batches(found))
