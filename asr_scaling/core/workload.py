"""What a system under test is fed: utterances, batches of them, and where they came from."""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, astuple, dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asr_scaling.core.turns import Turn
from asr_scaling.errors import DataError
from asr_scaling.util.files import user_path
from asr_scaling.util.mapped import in_blocks

SAMPLE_RATE_HZ = 16_000
"""Every model in ``conf/model`` takes mono speech at this rate."""
_GOLDEN, _START = (5**0.5 - 1) / 2, 0.6
"""From this start the mean of 4, 6, 8, 12, 16 … places is within 0.025 of the middle."""
COPY_MARK = "~"
"""Stands in the id of a made copy between the id of its original and what was done to it."""


def original_id(utterance: str) -> str:
    """The id of the utterance that ``utterance``, an id, is a made copy of; else its own."""
    return utterance.partition(COPY_MARK)[0]


def with_copies(utterances: int, copies: int) -> str:
    """ "75 utterances and 65 copies of them, slower, faster or noisier".

    utterances: all of them, of which ``copies`` are made of the others.
    """
    named = "copy" if copies == 1 else "copies"
    more = f" and {copies} {named} of them, slower, faster or noisier" if copies else ""
    return f"{utterances - copies} utterances{more}"


@dataclass(frozen=True, eq=False)
class Utterance:
    """Speech and the exact words spoken in it.

    ``audio``: float32 in [-1, 1], shape ``[samples]``, mono, 16 kHz, made read-only here; may be
    mapped from a file (``util/mapped.py``), so that hours of it need no memory.
    ``reference``: the transcript of all of ``audio`` and of nothing else.
    ``language``: what is spoken, a code as ``core/language.py`` gives it; None where the dataset
    does not state it.
    ``parts``: ids of the utterances joined into this one; empty for a natural utterance.
    ``doubts``: kinds of cautions that its audio gives reason for.
    ``turns``: who says what when; empty where the dataset does not tell.
    Raises DataError for audio of another shape or type, empty or not finite.
    """

    id: str
    audio: NDArray[np.float32]
    reference: str
    speaker: str | None = None
    parts: tuple[str, ...] = ()
    language: str | None = None
    doubts: tuple[str, ...] = ()
    turns: tuple[Turn, ...] = ()

    def __post_init__(self) -> None:
        if self.audio.ndim != 1 or self.audio.dtype != np.float32:
            raise DataError(
                f"Utterance '{self.id}' is not mono float32 audio; decode it with load_audio()."
            )
        if self.audio.size == 0:
            raise DataError(f"Utterance '{self.id}' has no audio; remove it from the dataset.")
        if not all(np.isfinite(block).all() for block in in_blocks(self.audio)):
            raise DataError(
                f"Utterance '{self.id}' holds NaN or infinite samples; export it again."
            )
        self.audio.setflags(write=False)

    @property
    def duration_s(self) -> float:
        """Seconds of audio."""
        return self.audio.size / SAMPLE_RATE_HZ

    @property
    def untold(self) -> bool:
        """Whether somebody speaks in it and what is said is not known: its reference is empty."""
        return not self.reference and any(turn.duration_s for turn in self.turns)


@dataclass(frozen=True)
class DatasetInfo:
    """Where a workload came from, enough to find it again.

    ``digest``: hash of ids, audio and references; empty until they are read.
    ``utterances``: number of them.
    ``audio_s``: seconds of audio in all of them.
    ``synthetic``: the speech was made by a synthesiser; its WER says nothing about people.
    ``length_s``: seconds that every utterance was made to last; None for natural lengths.
    ``available``: utterances before ``limit`` cut them, without copies; None when streamed.
    ``left_out``: reason → number of utterances not used for that reason.
    ``decode_s``: seconds spent reading, decoding and resampling, which no latency includes.
    ``cached``: the decoded audio was in the cache.
    ``silence_s``: seconds of ``audio_s`` that are digital silence, added for one exact length.
    ``languages``: code of a language → number of utterances that are stated to be in it.
    ``unused_keys``: keys or columns of the manifest that nothing is made of.
    ``doubts``: kind of a caution → ids of the utterances whose audio gives reason for it.
    ``spread_over``: utterances of which these were chosen, evenly by their length; None where their
    length chose none.
    ``scored_besides``: further utterances, whose texts alone were scored.
    ``copies``: utterances that are made copies of others of them, slower, faster or noisier.
    ``made``: id of a recording that was put together → what came out; empty for others.
    """

    name: str
    source: str
    licence: str
    digest: str = ""
    utterances: int = 0
    audio_s: float = 0.0
    synthetic: bool = False
    split: str | None = None
    revision: str | None = None
    length_s: float | None = None
    seed: int = 42
    available: int | None = None
    left_out: Mapping[str, int] = field(default_factory=dict)
    decode_s: float = 0.0
    cached: bool = False
    silence_s: float = 0.0
    languages: Mapping[str, int] = field(default_factory=dict)
    unused_keys: tuple[str, ...] = ()
    doubts: Mapping[str, Sequence[str]] = field(default_factory=dict)
    spread_over: int | None = None
    scored_besides: int = 0
    copies: int = 0
    made: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def facts(self) -> dict[str, Any]:
        """All of it in the types that JSON has, as a record keeps it."""
        return dict(json.loads(json.dumps(asdict(self))))


def folder_name(path: str, manifest: str | None = None) -> str:
    """What the speech in a folder is called where no name is given: "quiet" for data/quiet.

    With the manifest's name where one was chosen: "en/test" for test.tsv in cv/en.
    """
    folder = os.path.basename(os.path.abspath(user_path(str(path)))) or "folder"
    return folder if manifest is None else f"{folder}/{os.path.splitext(manifest)[0]}"


@dataclass(frozen=True)
class Workload:
    """The distinct utterances of a measurement, in their order, and their provenance."""

    utterances: tuple[Utterance, ...]
    info: DatasetInfo

    @property
    def language(self) -> str | None:
        """The language of every utterance; None where they differ or one does not state it."""
        stated = {utterance.language for utterance in self.utterances}
        return stated.pop() if len(stated) == 1 else None

    def spread(self, count: int) -> Workload:
        """``count`` of its utterances in their order, or all where there are no more.

        They are spread evenly over the utterances by length, so that few have the mixture of
        lengths that all have. A smaller ``count`` gives some of the same.
        """
        total = len(self.utterances)
        if total <= count:
            return self
        by_length = sorted(self.utterances, key=lambda u: (u.duration_s, u.id))
        chosen = {by_length[place].id for place in _spread(count, total)}
        some = tuple(u for u in self.utterances if u.id in chosen)
        info = replace(
            self.info,
            digest=digest(some),
            utterances=len(some),
            audio_s=sum(u.duration_s for u in some),
            languages=dict(Counter(u.language for u in some if u.language is not None)),
            doubts=_among(self.info.doubts, chosen),
            made={key: facts for key, facts in self.info.made.items() if key in chosen},
            spread_over=total,
        )
        return Workload(some, info)


def _spread(count: int, total: int) -> set[int]:
    """``count`` of ``total`` places: multiples of the golden section spread evenly, any number."""
    places: set[int] = set()
    for i in range(count):
        place = int((_START + i * _GOLDEN) % 1 * total)
        while place in places:
            place = (place + 1) % total
        places.add(place)
    return places


def _among(doubts: Mapping[str, Sequence[str]], chosen: set[str]) -> dict[str, list[str]]:
    """The doubts about the ``chosen`` utterances."""
    own = {kind: [key for key in ids if key in chosen] for kind, ids in doubts.items()}
    return {kind: ids for kind, ids in own.items() if ids}


def digest(utterances: Iterable[Utterance]) -> str:
    """SHA-256 over id, reference and samples (float32, little endian), each after its length.

    Where it is known who speaks when, that is part of it too.
    """
    sha = hashlib.sha256()
    for utterance in utterances:
        for data in (utterance.id.encode(), utterance.reference.encode()):
            sha.update(len(data).to_bytes(8, "little"))
            sha.update(data)
        sha.update((4 * utterance.audio.size).to_bytes(8, "little"))
        for block in in_blocks(utterance.audio):
            sha.update(np.ascontiguousarray(block, "<f4").data)
        if utterance.turns:
            data = json.dumps([astuple(turn) for turn in utterance.turns]).encode()
            sha.update(len(data).to_bytes(8, "little"))
            sha.update(data)
    return sha.hexdigest()


@dataclass(frozen=True)
class AudioBatch:
    """Utterances transcribed by one call. Never empty."""

    utterances: tuple[Utterance, ...]

    def __post_init__(self) -> None:
        if not self.utterances:
            raise DataError("A batch needs at least one utterance.")

    def __len__(self) -> int:
        return len(self.utterances)

    @property
    def audio_s(self) -> float:
        """Seconds of speech in the batch, padding not counted."""
        return sum(u.duration_s for u in self.utterances)

    @property
    def durations_s(self) -> tuple[float, ...]:
        """Seconds of audio of each utterance."""
        return tuple(u.duration_s for u in self.utterances)

    @property
    def longest_s(self) -> float:
        """Seconds of audio of the longest utterance."""
        return max(self.durations_s)

    @property
    def padded_s(self) -> float:
        """Seconds of audio once every utterance is padded to the longest."""
        return self.longest_s * len(self.utterances)


def each_once(batches: Iterable[AudioBatch]) -> Iterator[AudioBatch]:
    """The batches without utterances that came before: a full batch may repeat some, by their ids.

    A batch of which nothing is left is left out.
    """
    seen: set[str] = set()
    for batch in batches:
        new = {u.id: u for u in batch.utterances if u.id not in seen}
        seen |= new.keys()
        if new:
            yield AudioBatch(tuple(new.values()))
