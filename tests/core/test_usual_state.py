"""Figures at a machine's usual state, on simulated processes whose states are known."""

from __future__ import annotations

from asr_scaling.core.sample import Beat
from asr_scaling.core.usual_state import usual_state


def test_the_usual_state_is_the_median_of_each_probe():
    beats = [Beat(i, {"memory": s, "dispatch": 1.0}) for i, s in enumerate((3.0, 1.0, 9.0))]
    assert usual_state([*beats, Beat(3.0, {"dispatch": 5.0})]) == {"memory": 3.0, "dispatch": 1.0}
    assert usual_state([]) == {}
