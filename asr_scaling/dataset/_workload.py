"""Shared by all datasets: makes a workload of utterances or of fragments, with its origin."""

from __future__ import annotations

import hashlib
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, fields, replace
from functools import partial
from pathlib import Path
from typing import Any

from asr_scaling.core.language import language_code
from asr_scaling.core.option_checks import must_work, readable
from asr_scaling.core.workload import SAMPLE_RATE_HZ, DatasetInfo, Utterance, Workload, digest
from asr_scaling.dataset import _cuts, _fragment_store
from asr_scaling.dataset._audio import MAX_S
from asr_scaling.dataset._audio_checks import doubts_of
from asr_scaling.dataset._manifest import ManifestEntry
from asr_scaling.dataset.fragments import Shape, fragments, is_number, is_whole
from asr_scaling.errors import ConfigError, DataError
from asr_scaling.util.cache import alone, file_sha256

Stream = Callable[[Counter[str]], Iterator[Utterance]]
"""Opens the shuffled utterances; those left out are counted by reason in its argument."""


@dataclass(frozen=True, kw_only=True)
class Dataset(Shape):
    """The options that every dataset has: those of a Shape, and two more.

    max_utterance_s: seconds of the longest audio file allowed.
    language: what is spoken, where an utterance does not state it itself; None for unknown.

    Raises ConfigError at once for options that can't work.
    """

    max_utterance_s: float = 3600
    language: str | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        longest_s = self.max_utterance_s
        fits = is_number(longest_s) and 0 < longest_s <= MAX_S
        remedy = f"give seconds above 0 and up to {MAX_S}"
        must_work("dataset.max_utterance_s", longest_s, fits, remedy)
        known = self.language is None or self.spoken is not None
        must_work("dataset.language", self.language, known, "give a code such as en, de or yue")

    @property
    def spoken(self) -> str | None:
        """The code of ``language``."""
        return None if self.language is None else language_code(self.language)


def check_limit(limit: int | None) -> None:
    """Raises ConfigError unless ``limit`` is None or a whole number from 1 upwards."""
    if limit is not None and not is_whole(limit, least=1):
        raise ConfigError(
            f"A limit of {limit} utterances can't work; give a whole number from 1 upwards, or "
            "null."
        )


def from_entries(
    entries: Sequence[ManifestEntry],
    origin: DatasetInfo,
    options: Dataset,
    limit: int | None,
    *,
    prefix: str | None = None,
) -> Workload:
    """A workload of files on disk: a random sample in the manifest's order, or fragments.

    Fragments don't tell who speaks when.

    origin: what is known before anything is read.
    limit: most utterances or fragments.
    prefix: begins the ids of fragments; None for the dataset's name.
    """

    def decoded(chosen: Iterable[int], _: Counter[str]) -> Iterator[Utterance]:
        ordered = (entries[i] for i in chosen)
        yield from _cuts.utterances(ordered, options.max_utterance_s, options.spoken)

    origin = replace(origin, available=len(entries))
    order = sorted(range(len(entries)), key=lambda i: rank(options.seed, entries[i].id))
    if options.length_s is None:
        return natural(partial(decoded, sorted(order[:limit])), origin, options, None)
    hashes = {path: contents_sha256(path) for path in dict.fromkeys(e.audio for e in entries)}
    contents = [
        (e.id, e.text, e.speaker, e.language, e.start_s, e.end_s, e.claimed_s, hashes[e.audio])
        for e in entries
    ]
    identity = {"kind": "files", "entries": contents, "language": options.spoken}
    return joined(partial(decoded, order), origin, options, limit, identity, prefix=prefix)


def natural(stream: Stream, origin: DatasetInfo, shape: Shape, limit: int | None) -> Workload:
    """The first ``limit`` utterances of ``stream`` as they are."""
    start_ns = time.perf_counter_ns()
    left_out = Counter[str]()
    taken: list[Utterance] = []
    for utterance in stream(left_out):
        taken.append(utterance)
        if len(taken) == limit:
            break
    if not taken:
        reasons = ", ".join(f"{reason}: {count}" for reason, count in left_out.items())
        raise DataError(
            f"Nothing in '{origin.name}' can be used ({reasons or 'it has no rows'}); choose "
            "another split or path."
        )
    info = replace(origin, left_out=dict(left_out), decode_s=_since(start_ns))
    return _workload(taken, info, shape)


def joined(
    stream: Stream,
    origin: DatasetInfo,
    shape: Shape,
    limit: int | None,
    identity: Mapping[str, Any],
    *,
    prefix: str | None = None,
) -> Workload:
    """A workload of fragments of ``stream``, from the cache where they are there.

    When processes want the same at once, one makes them and the others wait and read.

    identity: what determines the utterances of ``stream``.
    prefix: begins the ids of fragments; None for the dataset's name.
    """
    prefix = prefix or origin.name
    start_ns = time.perf_counter_ns()
    own = {option.name: getattr(shape, option.name) for option in fields(Shape)}
    key = _fragment_store.key({"source": identity, "name": prefix, "shape": own, "limit": limit})
    with ExitStack() as stack:
        if (stored := _fragment_store.read(key)) is None:
            stack.enter_context(alone("fragments", key))
            stored = _fragment_store.read(key)
        if stored is not None:
            utterances, facts = stored
            info = replace(origin, **facts, decode_s=_since(start_ns), cached=True)
            return _workload(utterances, info, shape)
        left_out = Counter[str]()
        utterances, silence_s = fragments(stream(left_out), shape, prefix, limit, left_out)
        facts = {"left_out": dict(left_out), "available": origin.available, "silence_s": silence_s}
        info = replace(origin, **facts, decode_s=_since(start_ns))
        _fragment_store.write(key, utterances, facts)
    return _workload(utterances, info, shape)


def with_copies(workload: Workload, copies: Sequence[Utterance], shape: Shape) -> Workload:
    """``workload`` and, after its utterances, made ``copies`` of them."""
    info = replace(workload.info, copies=len(copies))
    return _workload((*workload.utterances, *copies), info, shape)


def contents_sha256(path: Path) -> str:
    """SHA-256 of a file's contents. Raises DataError when it can't be read."""
    with readable(f"'{path}' can't be read", "check its permissions"):
        return file_sha256(path)


def _workload(utterances: Sequence[Utterance], info: DatasetInfo, shape: Shape) -> Workload:
    """The workload of ``utterances``, with all of them in its ``info``."""
    info = replace(
        info,
        digest=digest(utterances),
        utterances=len(utterances),
        audio_s=sum(utterance.audio.size for utterance in utterances) / SAMPLE_RATE_HZ,
        length_s=shape.length_s,
        seed=shape.seed,
        languages=dict(Counter(u.language for u in utterances if u.language is not None)),
        doubts=_doubts(utterances),
    )
    return Workload(tuple(utterances), info)


def _doubts(utterances: Iterable[Utterance]) -> dict[str, list[str]]:
    """Kind of a caution → ids of the utterances that give reason for it."""
    found: dict[str, list[str]] = {}
    for utterance in utterances:
        for kind in doubts_of(utterance):
            found.setdefault(kind, []).append(utterance.id)
    return found


def rank(seed: int, name: str) -> bytes:
    """A key that gives the same random order on every machine, also when a dataset grows."""
    return hashlib.sha256(f"{seed}:{name}".encode()).digest()


def _since(start_ns: int) -> float:
    return (time.perf_counter_ns() - start_ns) / 1e9
