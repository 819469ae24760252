"""What of speakers is known without pyannote.metrics, and what is said where it is missing."""

from __future__ import annotations

import sys

import pytest
from support.turn_lists import recording, turns, values

from asr_scaling.profiler._turns import diarisation
from asr_scaling.profiler._turns.recordings import Recording


def rates(*recordings: Recording) -> dict[str, float]:
    return values(diarisation.measured(recordings)[0])


def test_speakers_are_counted():
    two_of_one = recording(turns((0, 4, "a")), turns((0, 2, "x"), (2, 4, "y")))
    one_of_three = recording(turns((0, 1, "a"), (1, 2, "b"), (2, 3, "c")), turns((0, 3, "x")), "s")
    found = rates(two_of_one, one_of_three)
    assert found["turns/speakers"] == 2
    assert found["turns/speakers_found"] == 1.5
    assert found["turns/speaker_count_error"] == 1.5


def test_references_without_names_say_nothing():
    figures, tags = diarisation.measured([recording(turns((0, 4, None)), turns((0, 4, "x")))])
    assert (set(figures.values()), tags) == ({"no reference names its speakers"}, {})


def test_without_the_package_the_rates_have_its_extra_as_their_reason(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setitem(sys.modules, "pyannote.core", None)
    figures, _ = diarisation.measured([recording(turns((0, 4, "a")), turns((0, 4, "x")))])
    assert "pip install 'asr-scaling[cascade]'" in str(figures["turns/der"])
    assert {name for name, each in figures.items() if isinstance(each, str)} == {
        "turns/der", "turns/der_miss", "turns/der_false_alarm", "turns/der_confusion",
        "turns/der_collar",
    }  # fmt: skip
