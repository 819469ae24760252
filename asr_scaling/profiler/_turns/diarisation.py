"""Diarisation error rate and number of speakers.

Source: NIST's Rich Transcription evaluations (RT-09 plan, section on diarisation): time that is
missed, found where nobody speaks, or given to the wrong speaker, over the time of all speakers,
after the speakers found are matched one to one with those of the reference so that most time
agrees. Computed by pyannote.metrics (Bredin 2017).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import version
from typing import Any

from asr_scaling.core.metric import Metric
from asr_scaling.core.option_checks import imported
from asr_scaling.core.turns import Turn, speech_of
from asr_scaling.errors import MissingExtraError
from asr_scaling.profiler._figures import Figures
from asr_scaling.profiler._turns.recordings import Part, Recording, by_speaker, inside, ratio

COLLAR_S = 0.25
"""Seconds on each side of a boundary of the reference that the rate with a collar leaves out."""
_DER, _COLLAR = "turns/der", "turns/der_collar"
_COMPONENTS = {
    "turns/der_miss": "missed detection",
    "turns/der_false_alarm": "false alarm",
    "turns/der_confusion": "confusion",
}
"""Metric → the name that pyannote.metrics has for the seconds over which it is counted."""
_RATES = (_DER, *_COMPONENTS, _COLLAR)
_SPEAKERS = ("turns/speakers", "turns/speakers_found", "turns/speaker_count_error")
METRICS = (*_RATES, *_SPEAKERS)
_PACKAGE, _EXTRA = "pyannote.metrics", "cascade"
_SILENT = "nobody speaks in the references"


def measured(recordings: Sequence[Recording]) -> tuple[Figures, dict[str, str]]:
    """The ``METRICS`` of references that name their speakers, and tags that say how.

    ``turns/der`` is without a collar and with overlapping speech, over whole recordings.
    """
    named = [recording for recording in recordings if recording.names_speakers]
    if not named:
        return dict.fromkeys(METRICS, "no reference names its speakers"), {}
    figures = _numbers(named)
    try:
        plain, collared = _errors(named, 0.0), _errors(named, COLLAR_S)
    except MissingExtraError as error:
        return figures | dict.fromkeys(_RATES, str(error)), {}
    figures[_DER] = ratio(_DER, _parts(plain, _COMPONENTS.values()), _SILENT)
    for name, component in _COMPONENTS.items():
        figures[name] = ratio(name, _parts(plain, [component]), _SILENT)
    short = f"no speech is left {COLLAR_S:g} s away from every boundary"
    figures[_COLLAR] = ratio(_COLLAR, _parts(collared, _COMPONENTS.values()), short)
    how = f"no collar, overlap included ({_PACKAGE} {version(_PACKAGE)})"
    return figures, {_DER: how}


def _numbers(recordings: Sequence[Recording]) -> Figures:
    """Mean number of speakers by the references and as found, and by how many they differ."""
    there = [len(by_speaker(recording.reference)) for recording in recordings]
    found = [len(by_speaker(recording.found)) for recording in recordings]
    reference, own, error = _SPEAKERS
    n = len(recordings)
    differences = [
        (recording.id, abs(k - m), 1.0)
        for recording, k, m in zip(recordings, there, found, strict=True)
    ]
    return {
        reference: Metric(reference, sum(there) / n, n),
        own: Metric(own, sum(found) / n, n),
        error: ratio(error, differences, _SILENT),
    }


def _parts(components: Mapping[str, Mapping[str, float]], names: Iterable[str]) -> list[Part]:
    """Of each recording the seconds of the ``names``, and of all speakers."""
    chosen = tuple(names)
    return [
        (recording, math.fsum(own[name] for name in chosen), own["total"])
        for recording, own in components.items()
    ]


def _errors(recordings: Sequence[Recording], collar_s: float) -> dict[str, Mapping[str, float]]:
    """Id of a recording → seconds of each component, and of all speakers under "total".

    collar_s: left out on each side of a boundary; pyannote.metrics takes both sides together.
    Raises MissingExtraError without pyannote.metrics.
    """
    core = imported("pyannote.core", _EXTRA)
    rate = imported(f"{_PACKAGE}.diarization", _EXTRA).DiarizationErrorRate(collar=2 * collar_s)
    return {
        recording.id: rate(
            _annotation(core, inside(recording.reference, recording.audio_s)),
            _annotation(core, inside(recording.found, recording.audio_s)),
            uem=core.Timeline([core.Segment(0.0, recording.audio_s)]),
            detailed=True,
        )
        for recording in recordings
    }


def _annotation(core: Any, turns: Iterable[Turn]) -> Any:
    """The turns as pyannote takes them; a speaker's own turns that overlap are one stretch."""
    made = core.Annotation()
    for speaker, own in enumerate(by_speaker(turns)):
        for start_s, end_s in speech_of(own):
            made[core.Segment(start_s, end_s), speaker] = speaker
    return made
