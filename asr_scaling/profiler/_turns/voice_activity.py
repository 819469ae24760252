"""Speech that was missed, and speech that was found where nobody speaks.

Source: the two errors of speech activity detection in the plan of NIST's evaluation OpenSAD15: time
missed over all time of speech, time of false alarms over all time without speech.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from asr_scaling.core.metric import Metric
from asr_scaling.core.turns import speech_of
from asr_scaling.profiler._figures import Figures
from asr_scaling.profiler._turns.recordings import Recording, inside, ratio

_MISS, _FALSE_ALARM = "turns/vad_miss_share", "turns/vad_false_alarm_share"
_SECONDS = {
    "turns/speech_s": "speech_s",
    "turns/silence_s": "silence_s",
    "turns/vad_miss_s": "miss_s",
    "turns/vad_false_alarm_s": "false_alarm_s",
}
"""Metric → the field of ``Activity`` that is summed."""
_DIGITS = 6
"""A microsecond: what rounding leaves of a difference is neither speech nor silence."""
METRICS = (_MISS, _FALSE_ALARM, *_SECONDS)
Stretches = Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Activity:
    """What voice activity detection did with one recording, in seconds.

    speech_s: somebody speaks, by the reference; time in which several speak counts once.
    silence_s: the rest of the recording: nobody speaks.
    miss_s: of ``speech_s``: no turn was found there.
    false_alarm_s: of ``silence_s``: a turn was found there.
    """

    speech_s: float
    silence_s: float
    miss_s: float
    false_alarm_s: float


def activity(recording: Recording) -> Activity:
    """The seconds of one recording. What is found after its end does not count."""
    spoken = speech_of(inside(recording.reference, recording.audio_s))
    found = speech_of(inside(recording.found, recording.audio_s))
    both_s, speech_s = _common_s(spoken, found), _total_s(spoken)
    rest = (recording.audio_s - speech_s, speech_s - both_s, _total_s(found) - both_s)
    return Activity(speech_s, *(round(max(0.0, seconds), _DIGITS) for seconds in rest))


def measured(recordings: Sequence[Recording]) -> Figures:
    """The ``METRICS``, summed over recordings. The speech that was found is that of all turns."""
    done = {recording.id: activity(recording) for recording in recordings}
    misses = [(key, each.miss_s, each.speech_s) for key, each in done.items()]
    alarms = [(key, each.false_alarm_s, each.silence_s) for key, each in done.items()]
    sums = {
        name: math.fsum(getattr(each, field) for each in done.values())
        for name, field in _SECONDS.items()
    }
    return {
        _MISS: ratio(_MISS, misses, "nobody speaks in the references", 1.0),
        _FALSE_ALARM: ratio(_FALSE_ALARM, alarms, "somebody speaks all the time", 1.0),
        **{name: Metric(name, value, len(done)) for name, value in sums.items()},
    }


def _total_s(stretches: Stretches) -> float:
    return math.fsum(end_s - start_s for start_s, end_s in stretches)


def _common_s(some: Stretches, others: Stretches) -> float:
    """Seconds that two lists have in common; each is in order and without overlap in itself."""
    common: list[float] = []
    i = k = 0
    while i < len(some) and k < len(others):
        start_s, end_s = max(some[i][0], others[k][0]), min(some[i][1], others[k][1])
        if start_s < end_s:
            common.append(end_s - start_s)
        if some[i][1] < others[k][1]:
            i += 1
        else:
            k += 1
    return math.fsum(common)
