"""What points are called: systems of one model, and devices of one name, are told apart by what
differs.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from asr_scaling.analysis.points import UNKNOWN_GPU, Point

_GROUPS = ("engine", "device", "dataset", "model", "optimisation")
_Member = tuple[str, str]
"""A group of options, and the engine, device, dataset, model or optimisations they belong to."""


def named(points: Iterable[Point]) -> list[Point]:
    """The points with names that tell them apart.

    Systems of one model by what differs: engine, dataset, options that most points do not have,
    random weights. Devices of one name by hardware, kind of machine and host. Facts that many
    points share are held once.
    """
    found, shared = _located(list(points)), dict[str, Mapping[str, Any]]()
    usual = _Usual.of(found)
    return [
        replace(
            point,
            system=" · ".join(usual.parts(point)),
            environment=_once(point.environment, shared),
            facts=_once(point.facts, shared),
        )
        for point in found
    ]


@dataclass(frozen=True)
class _Usual:
    """What most points have."""

    engines: int
    """How many there are."""
    dataset: str
    options: Mapping[_Member, Mapping[str, str | None]]
    """By the member of a group that they belong to."""
    weights: Mapping[str, set[str]]
    """Kinds of weights by model."""

    @classmethod
    def of(cls, points: Sequence[Point]) -> _Usual:
        members: dict[_Member, list[Point]] = {}
        weights: dict[str, set[str]] = {}
        for point in points:
            weights.setdefault(point.model, set()).add(point.weights)
            for member in _members(point):
                members.setdefault(member, []).append(point)
        engines = {point.engine for point in points if point.engine}
        datasets = Counter(point.dataset for point in points if point.dataset)
        options = {member: _most(member[0], those) for member, those in members.items()}
        return cls(
            len(engines), next((name for name, _ in datasets.most_common(1)), ""), options, weights
        )

    def parts(self, point: Point) -> list[str]:
        """The name of a point's system: its model, and what sets it apart."""
        parts = [point.model]
        if self.engines > 1 and point.engine:
            parts.append(point.engine)
        if point.optimisations:
            parts.append(" + ".join(point.optimisations))
        if point.dataset not in ("", self.dataset):
            parts.append(f"dataset={point.dataset}")
        for member in _members(point):
            for name, value in self.options[member].items():
                own = point.options.get(name)
                if own != value:
                    parts.append(f"{name}={own or 'default'}")
        if len(self.weights[point.model] - {"unknown"}) > 1 and point.random:
            parts.append("random weights")
        return parts


def _members(point: Point) -> list[_Member]:
    named = (
        point.engine,
        point.device,
        point.dataset,
        point.model,
        " + ".join(point.optimisations),
    )
    return list(zip(_GROUPS, named, strict=True))


def _most(group: str, points: Sequence[Point]) -> dict[str, str | None]:
    """For each option of a group the value that most points have, the first one met where two are
    as many.
    """
    names = dict.fromkeys(
        name for point in points for name in point.options if _group(name) == group
    )
    return {
        name: Counter(point.options.get(name) for point in points).most_common(1)[0][0]
        for name in names
    }


def _group(option: str) -> str:
    return option.partition(".")[0] if "." in option else "engine"


def _located(points: Sequence[Point]) -> list[Point]:
    """The points, their devices named so that each is of one hardware and one kind of machine.

    Hosts of one kind that shared a sweep between them are one device; where some point was measured
    on two of them they are what is compared, and told apart. A GPU that wasn't known when a point
    failed is the one that other points of its device and host ran on.
    """
    known = {(p.device, p.host): p.hardware for p in points if p.hardware != UNKNOWN_GPU}
    lost = (
        known.get((p.device, p.host), UNKNOWN_GPU) if p.hardware == UNKNOWN_GPU else p.hardware
        for p in points
    )
    found = [
        replace(point, hardware=hardware) for point, hardware in zip(points, lost, strict=True)
    ]
    shared = _shared(found)
    places = [
        _Place(p.device, p.hardware, p.machine, None if _kind(p) in shared else p.host)
        for p in found
    ]
    names = _names(dict.fromkeys(places))
    return [replace(point, device=names[place]) for point, place in zip(found, places, strict=True)]


@dataclass(frozen=True)
class _Place:
    """Where points may stand for one another."""

    device: str
    hardware: str
    machine: str
    host: str | None
    """None where several hosts of a kind do."""


def _kind(point: Point) -> tuple[str, str, str]:
    return point.device, point.hardware, point.machine


def _shared(points: Sequence[Point]) -> set[tuple[str, str, str]]:
    """The kinds of which no two hosts measured the same: each host has a part of the points."""
    hosts: dict[tuple[object, ...], set[str]] = {}
    for point in points:
        options = tuple(sorted(point.options.items()))
        what = (
            point.model,
            point.weights,
            point.engine,
            point.optimisations,
            options,
            point.dataset,
        )
        hosts.setdefault((_kind(point), *what, point.length_s, point.batch), set()).add(point.host)
    compared = {key[0] for key, names in hosts.items() if len(names) > 1}
    return {_kind(point) for point in points} - compared


def _names(found: Iterable[_Place]) -> dict[_Place, str]:
    """Place → the device's name in the report.

    "cpu (AMD EPYC, 2 cores)" where several hardwares share it; with the machine where that hardware
    is in several kinds of machine, and with the host where a kind has several.
    """
    places, names = list(found), dict[_Place, str]()
    for place in places:
        alike = [other for other in places if other.device == place.device]
        twins = [other for other in alike if other.hardware == place.hardware]
        more = [place.hardware]
        if len({other.machine for other in twins}) > 1:
            more.append(place.machine.removeprefix(f"{place.hardware}, "))
        if sum(other.machine == place.machine for other in twins) > 1:
            more.append(place.host or "unknown host")
        names[place] = place.device if len(alike) == 1 else f"{place.device} ({', '.join(more)})"
    return names


def _once(value: Mapping[str, Any], shared: dict[str, Mapping[str, Any]]) -> Mapping[str, Any]:
    return shared.setdefault(json.dumps(value, sort_keys=True, default=str), value)
