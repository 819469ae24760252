"""Error rates of two systems on the same speech: differences by hand."""

from __future__ import annotations

import pytest

from asr_scaling.analysis.paired_tests import rate_change


class TestRates:
    def test_is_a_difference_of_summed_edits(self):
        change = rate_change([1, 0, 0, 2, 0, 0], [1, 1, 0, 3, 0, 0], [10] * 6)
        assert change.value == pytest.approx(2 / 60)
        assert change.interval is not None
        assert change.interval.low <= change.value <= change.interval.high

    def test_the_same_texts_do_not_differ(self):
        change = rate_change([1, 2, 0, 4, 0, 1], [1, 2, 0, 4, 0, 1], [5, 6, 7, 8, 9, 10])
        assert change.interval is not None
        assert (change.value, change.interval.low, change.interval.high) == (0, 0, 0)

    def test_five_utterances_tell_nothing(self):
        assert rate_change([1] * 5, [0] * 5, [9] * 5).interval is None
