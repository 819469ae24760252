"""Shared by all datasets: makes a workload of utterances or of fragments, with its origin."""

from __future__ import annotations

import hashlib
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from asr_scaling.core.workload import SAMPLE_RATE_HZ, DatasetInfo, Utterance, Workload
from asr_scaling.dataset import _store
from asr_scaling.dataset._audio import MAX_S, load_audio
from asr_scaling.dataset._manifest import Entry
from asr_scaling.dataset.fragments import Shape, fragments, is_number
from asr_scaling.errors import ConfigError, DataError
from asr_scaling.util.cache import alone, file_sha256

Stream = Callable[[Counter[str]], Iterator[Utterance]]
"""Opens the shuffled utterances; those left out are counted by reason in its argument."""


@dataclass(frozen=True)
class Origin:
    """The fields of DatasetInfo that are known before anything is read."""

    name: str
    source: str
    licence: str
    synthetic: bool = False
    split: str | None = None
    revision: str | None = None


@dataclass(frozen=True, kw_only=True)
class Shaped:
    """The options that every dataset has.

    length_s: seconds of every fragment, None for utterances as they are.
    seed: of the choice and order of utterances.
    silence_s: seconds of the shortest silence between two utterances of a fragment.
    max_utterance_s: seconds of the longest audio file allowed.
    """

    length_s: float | None = None
    seed: int = 42
    silence_s: float = 0.2
    max_utterance_s: float = 3600

    def __post_init__(self) -> None:
        _ = self.shape
        if not (is_number(self.max_utterance_s) and 0 < self.max_utterance_s <= MAX_S):
            raise ConfigError(
                f"dataset.max_utterance_s={self.max_utterance_s} can't work; give seconds above 0 "
                f"and up to {MAX_S}."
            )

    @property
    def shape(self) -> Shape:
        """These options as a Shape. Raises ConfigError where they can't work."""
        return Shape(self.length_s, self.seed, self.silence_s)


@dataclass
class _Made:
    """Utterances in their order, with facts about how they were made.

    left_out: number of utterances that were not used, by reason.
    available: number of utterances in the dataset, None where it is unknown.
    silence_s: seconds of silence that were added.
    decode_s: seconds that reading and decoding took.
    cached: whether fragments came from the cache.
    """

    utterances: Sequence[Utterance]
    left_out: Mapping[str, int]
    available: int | None
    silence_s: float
    decode_s: float
    cached: bool = False


def check_limit(limit: int | None) -> None:
    """Raises ConfigError unless ``limit`` is None or a whole number from 1 upwards."""
    if limit is not None and (isinstance(limit, bool) or not isinstance(limit, int) or limit < 1):
        raise ConfigError(
            f"A limit of {limit} utterances can't work; give a whole number from 1 upwards, or "
            "null."
        )


def from_entries(
    entries: Sequence[Entry], origin: Origin, shape: Shape, limit: int | None, max_s: float
) -> Workload:
    """A workload of files on disk: a random sample in the manifest's order, or fragments.

    limit: most utterances or fragments. max_s: seconds of the longest file allowed.
    """
    check_limit(limit)
    order = sorted(range(len(entries)), key=lambda i: _rank(shape.seed, entries[i].id))
    if shape.length_s is None:
        chosen = sorted(order[:limit])
        sample: Stream = lambda _: (_decoded(entries[i], max_s) for i in chosen)  # noqa: E731
        return natural(sample, origin, shape, None, len(entries))
    identity = {"kind": "files", "entries": [_identity(entry) for entry in entries]}
    stream: Stream = lambda _: (_decoded(entries[i], max_s) for i in order)  # noqa: E731
    return joined(stream, origin, shape, limit, identity=identity, available=len(entries))


def natural(
    stream: Stream, origin: Origin, shape: Shape, limit: int | None, available: int | None
) -> Workload:
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
    made = _Made(taken, left_out, available, 0.0, _since(start_ns))
    return _workload(made, origin, shape)


def joined(
    stream: Stream,
    origin: Origin,
    shape: Shape,
    limit: int | None,
    *,
    identity: Mapping[str, Any],
    available: int | None = None,
) -> Workload:
    """A workload of fragments of ``stream``, from the cache where they are there.

    When processes want the same at once, one makes them and the others wait and read.

    identity: what determines the utterances of ``stream``.
    """
    start_ns = time.perf_counter_ns()
    key = _store.key(
        {"source": identity, "name": origin.name, "shape": asdict(shape), "limit": limit}
    )
    with ExitStack() as stack:
        if (stored := _store.read(key)) is None:
            stack.enter_context(alone("fragments", key))
            stored = _store.read(key)
        if stored is not None:
            utterances, facts = stored
            made = _Made(utterances, **facts, decode_s=_since(start_ns), cached=True)
            return _workload(made, origin, shape)
        left_out = Counter[str]()
        utterances, silence_s = fragments(stream(left_out), shape, origin.name, limit, left_out)
        facts = {"left_out": dict(left_out), "available": available, "silence_s": silence_s}
        decode_s = _since(start_ns)
        _store.write(key, utterances, facts)
    return _workload(_Made(utterances, **facts, decode_s=decode_s), origin, shape)


def digest(utterances: Iterable[Utterance]) -> str:
    """SHA-256 over id, reference and samples (float32, little endian), each after its length."""
    sha = hashlib.sha256()
    for utterance in utterances:
        for data in (
            utterance.id.encode(),
            utterance.reference.encode(),
            utterance.audio.astype("<f4", copy=False).tobytes(),
        ):
            sha.update(len(data).to_bytes(8, "little"))
            sha.update(data)
    return sha.hexdigest()


def contents_sha256(path: Path) -> str:
    """SHA-256 of a file's contents. Raises DataError when it can't be read."""
    try:
        return file_sha256(path)
    except OSError as error:
        raise DataError(
            f"'{path}' can't be read ({error.strerror or error}); check its permissions."
        ) from error


def _workload(made: _Made, origin: Origin, shape: Shape) -> Workload:
    utterances = tuple(made.utterances)
    info = DatasetInfo(
        **asdict(origin),
        digest=digest(utterances),
        utterances=len(utterances),
        audio_s=sum(utterance.audio.size for utterance in utterances) / SAMPLE_RATE_HZ,
        length_s=shape.length_s,
        seed=shape.seed,
        available=made.available,
        left_out=dict(made.left_out),
        decode_s=made.decode_s,
        cached=made.cached,
        silence_s=made.silence_s,
    )
    return Workload(utterances, info)


def _decoded(entry: Entry, max_s: float) -> Utterance:
    return Utterance(
        entry.id, load_audio(entry.audio, str(entry.audio), max_s), entry.text, entry.speaker
    )


def _identity(entry: Entry) -> tuple[str, str, str | None, str]:
    return entry.id, entry.text, entry.speaker, contents_sha256(entry.audio)


def _rank(seed: int, name: str) -> bytes:
    """A key that gives the same random order on every machine, also when a dataset grows."""
    return hashlib.sha256(f"{seed}:{name}".encode()).digest()


def _since(start_ns: int) -> float:
    return (time.perf_counter_ns() - start_ns) / 1e9
