"""Decodes the utterances of a manifest; those of one recording are cut out of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from asr_scaling.core.turns import Turn
from asr_scaling.core.workload import SAMPLE_RATE_HZ, Utterance
from asr_scaling.dataset._audio import Audio, decode
from asr_scaling.dataset._manifest import ManifestEntry
from asr_scaling.errors import DataError
from asr_scaling.util.mapped import release

_KEPT = 3600 * SAMPLE_RATE_HZ
"""Samples of recordings that are kept decoded for the next utterance of them, 230 MB."""
_SLACK_S = 0.1
"""Seconds by which a cut may end after its recording, as times are rounded and formats pad."""
_LATE_S = 1.0
"""Seconds by which a turn may end after its recording; it is cut there."""
_CLAIM_S, _CLAIM_SHARE = 0.5, 0.05
"""Seconds, and share of the whole, by which a file may last longer or shorter than claimed."""

_Samples = NDArray[np.float32]


def utterances(
    entries: Iterable[ManifestEntry], max_s: float, language: str | None = None
) -> Iterator[Utterance]:
    """The utterances of ``entries``, in their order.

    A recording that several of them are cut from is decoded once, as long as not too many others
    lie between them.

    max_s: seconds of the longest file allowed.
    language: what is spoken where an entry does not say it.

    Raises DataError for a cut or a turn that the recording does not have, and for a file whose
    length is far from what the manifest says.
    """
    kept: dict[object, Audio] = {}
    for entry in entries:
        audio = kept.pop(entry.audio, None)
        if audio is None:
            audio = decode(entry.audio, str(entry.audio), max_s)
        if entry.start_s is not None:
            kept[entry.audio] = audio
            while len(kept) > 1 and sum(held.samples.size for held in kept.values()) > _KEPT:
                del kept[next(iter(kept))]
        samples = _cut(entry, audio.samples)
        unscored = ("UnscoredStretches",) if entry.turned.unscored else ()
        yield Utterance(
            id=entry.id,
            audio=samples,
            reference=entry.text,
            speaker=entry.speaker,
            language=entry.language or language,
            doubts=(*audio.doubts, *unscored),
            turns=_turns(entry, samples.size / SAMPLE_RATE_HZ),
        )


def _cut(entry: ManifestEntry, samples: _Samples) -> _Samples:
    """The samples of ``entry``, of those of its file."""
    total_s = samples.size / SAMPLE_RATE_HZ
    if entry.start_s is None:
        _check_claim(entry, total_s)
        return samples
    end_s = total_s if entry.end_s is None else entry.end_s
    start, end = (round(at_s * SAMPLE_RATE_HZ) for at_s in (entry.start_s, end_s))
    if end_s > total_s + _SLACK_S or start >= samples.size or end <= start:
        raise DataError(
            f"{entry.where}: '{entry.audio}' lasts {total_s:.3f} s and has no audio from "
            f"{entry.start_s:g} s to {end_s:g} s; correct the times, or leave them out where the "
            "file holds this utterance alone."
        )
    if start == 0 and end >= samples.size:
        return samples
    cut = samples[start:end].copy()  # a view would hold the whole recording in memory
    release(samples)
    return cut


def _check_claim(entry: ManifestEntry, total_s: float) -> None:
    claimed_s = entry.claimed_s
    if claimed_s is None:
        return
    if abs(total_s - claimed_s) > max(_CLAIM_S, _CLAIM_SHARE * total_s):
        raise DataError(
            f"{entry.where}: '{entry.audio}' lasts {total_s:.3f} s, not the {claimed_s:g} s of the "
            "manifest; correct the duration, or give the offset at which the utterance begins."
        )


def _turns(entry: ManifestEntry, total_s: float) -> tuple[Turn, ...]:
    """The turns of ``entry``, none later than its end."""
    last = max(entry.turned.turns, key=lambda turn: turn.end_s, default=None)
    if last is not None and last.end_s > total_s + _LATE_S:
        raise DataError(
            f"{entry.where}: '{entry.audio}' has {total_s:.3f} s of it, and a turn from "
            f"{last.start_s:g} s to {last.end_s:g} s; give the turns of this recording."
        )
    return tuple(
        replace(turn, start_s=min(turn.start_s, total_s), end_s=min(turn.end_s, total_s))
        for turn in entry.turned.turns
    )
