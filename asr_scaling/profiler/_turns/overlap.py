"""How much of the references' speech is of several people at once, and what that costs.

A system that gives one speaker at a time misses all but one of them: its diarisation error rate
can't be below the time of all speakers beyond the first, over the time of all speakers.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import pairwise

from asr_scaling.core.cautions import Caution, caution
from asr_scaling.core.turns import Turn, speech_of
from asr_scaling.profiler._figures import Figures
from asr_scaling.profiler._turns.recordings import Part, Recording, by_speaker, inside, ratio

SHARE, FLOOR = "turns/overlap_share", "turns/der_floor"
METRICS = (SHARE, FLOOR)


def measured(recordings: Sequence[Recording]) -> Figures:
    """The ``METRICS``, of references that name their speakers; nothing of the system is in them."""
    overlaps, floors = list[Part](), list[Part]()
    for recording in recordings:
        if recording.names_speakers:
            at_once = seconds_by_number(inside(recording.reference, recording.audio_s))
            speech_s = math.fsum(at_once[1:])
            speakers_s = math.fsum(number * seconds for number, seconds in enumerate(at_once))
            overlaps.append((recording.id, math.fsum(at_once[2:]), speech_s))
            floors.append((recording.id, max(0.0, speakers_s - speech_s), speakers_s))
    why = "no reference names its speakers" if not overlaps else "nobody speaks in the references"
    return {SHARE: ratio(SHARE, overlaps, why, 1.0), FLOOR: ratio(FLOOR, floors, why, 1.0)}


def seconds_by_number(turns: Iterable[Turn]) -> list[float]:
    """Seconds in which 0, 1, 2 … different speakers speak, from the first turn to the last."""
    changes: list[tuple[float, int]] = []
    for own in by_speaker(turns):
        for start_s, end_s in speech_of(own):
            changes += [(start_s, 1), (end_s, -1)]
    stretches: dict[int, list[float]] = {}
    number = 0
    for (here_s, change), (next_s, _) in pairwise(sorted(changes)):
        number += change
        stretches.setdefault(number, []).append(next_s - here_s)
    return [math.fsum(stretches.get(k, ())) for k in range(max(stretches, default=0) + 1)]


def overlap_cautions(recordings: Sequence[Recording], figures: Figures) -> tuple[Caution, ...]:
    """That DER has a floor: of a system that never gives two speakers at once, where people do.

    figures: with the ``METRICS``.
    """
    share, floor = figures[SHARE], figures[FLOOR]
    several = any(sum(seconds_by_number(each.found)[2:]) > 0 for each in recordings)
    if isinstance(share, str) or isinstance(floor, str) or not share.value or several:
        return ()
    return (caution("OverlappingSpeech", share=share.value, floor=floor.value),)
