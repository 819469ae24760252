"""Names of speech that tell it apart: the same content has one name, different content never."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import replace

from asr_scaling.analysis.points import Point
from asr_scaling.core.search_stage import FINAL, search_stage
from asr_scaling.util.groups import grouped

_SHOWN = 8
"""Characters of a hash."""


def with_speech_names(points: Sequence[Point]) -> list[Point]:
    """The points, the dataset of each named so that what was transcribed is known by it.

    Points of the same utterances or of the same place are of one dataset, whatever it was called.
    Datasets of one name get as much of their places as tells them apart: "test (a/test)". Where
    the utterances of one place differ at one length, their number or their hash is told too:
    "demo (8 utterances)".
    """
    datasets = _datasets(points)
    members = _grouped(points, datasets)
    names = {number: _name(own) for number, own in members.items()}
    known = {n: own for n, own in members.items() if any(p.content or p.source for p in own)}
    shared = Counter(names[number] for number in known)
    places = _tails({n: _place(own) for n, own in known.items() if shared[names[n]] > 1})
    contents = _contents(points, datasets)
    return [
        replace(point, dataset=_joined(names[number], places.get(number, ""), more))
        for point, number, more in zip(points, datasets, contents, strict=True)
    ]


def _grouped(points: Sequence[Point], numbers: Sequence[int]) -> dict[int, list[Point]]:
    """Number of a dataset → its points."""
    found: dict[int, list[Point]] = {}
    for point, number in zip(points, numbers, strict=True):
        found.setdefault(number, []).append(point)
    return found


def is_called(point: Point, name: str) -> bool:
    """Whether ``name`` is that of the point's dataset, with or without what tells it apart, or its
    place or the end of it."""
    place = point.source.rstrip("/")
    bare = point.dataset.partition(" (")[0]
    return name in (point.dataset, bare, place) or place.endswith(f"/{name.strip('/')}")


def _datasets(points: Sequence[Point]) -> list[int]:
    """The number of each point's dataset: points that share content or place share it."""
    parent: dict[Hashable, Hashable] = {}

    def root(key: Hashable) -> Hashable:
        while parent.setdefault(key, key) != key:
            parent[key] = parent[parent[key]]
            key = parent[key]
        return key

    for point in points:
        first, *others = _marks(point)
        for other in others:
            parent[root(other)] = root(first)
    numbers: dict[Hashable, int] = {}
    return [numbers.setdefault(root(_marks(p)[0]), len(numbers)) for p in points]


def _marks(point: Point) -> list[Hashable]:
    """What says that two points are of one dataset."""
    marks: list[Hashable] = []
    if point.content:
        marks.append(("content", point.length_s, point.content))
    marks.append(("source", point.source) if point.source else ("name", point.dataset))
    return marks


def _name(points: Sequence[Point]) -> str:
    """What the newest of the points calls its dataset."""
    named = [point for point in points if point.dataset]
    return _newest(named).dataset if named else ""


def _place(points: Sequence[Point]) -> str:
    """Where the newest of the points that say it were from."""
    placed = [point for point in points if point.source]
    return _newest(placed).source if placed else ""


def _newest(points: Sequence[Point]) -> Point:
    return max(points, key=lambda point: point.started_at)


def _tails(places: Mapping[int, str]) -> dict[int, str]:
    """The last names of each place, as many as tell it from the others."""
    parts = {number: place.rstrip("/").split("/") for number, place in places.items()}
    longest = max(map(len, parts.values()), default=0)
    for count in range(1, longest + 1):
        tails = {number: "/".join(names[-count:]) for number, names in parts.items()}
        if len(set(tails.values())) == len(tails):
            return tails
    return dict(places)


def _contents(points: Sequence[Point], datasets: Sequence[int]) -> list[str]:
    """What tells a point's utterances from others of the same dataset and length."""
    told = [""] * len(points)

    def cell(i: int) -> tuple[object, ...]:
        point = points[i]
        stage = search_stage(point.config)
        apart = stage if stage != FINAL else ""  # before its final a search reads less
        return datasets[i], point.length_s, apart

    indices = [i for i, point in enumerate(points) if point.content]
    for members in grouped(indices, cell).values():
        counts = {points[i].content: points[i].utterances for i in members}
        alone = len(set(counts.values())) == len(counts)
        for i in members if len(counts) > 1 else ():
            content = points[i].content
            told[i] = f"{counts[content]} utterances" if alone else f"#{content[:_SHOWN]}"
    return told


def _joined(name: str, *more: str) -> str:
    apart = ", ".join(filter(None, more))
    return f"{name} ({apart})" if apart else name


def usual_speech(points: Iterable[Point]) -> str | None:
    """The dataset that most systems were measured on; of two, people's speech, then the newest."""
    datasets = grouped(points, lambda point: point.dataset)

    def rank(name: str) -> tuple[int, bool, float]:
        members = datasets[name]
        systems = {(p.model, p.engine, p.optimisations, p.device, p.batch) for p in members}
        return len(systems), *max((not p.synthetic, p.started_at) for p in members)

    return max(datasets, key=rank, default=None)


def of_one_speech(points: Iterable[Point]) -> list[Point]:
    """The points of the usual speech: figures of different speech can't be ranked."""
    kept = list(points)
    usual = usual_speech(kept)
    return [point for point in kept if point.dataset == usual]
