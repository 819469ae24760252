"""Names of systems and devices in a report, each with what tells it from others of its name."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from asr_scaling.analysis.points import UNKNOWN_GPU, Point
from asr_scaling.util.groups import grouped

_GROUPS = ("engine", "device", "dataset", "model", "optimisation")
_Member = tuple[str, str]
"""A group of options, and the engine, device, dataset, model or optimisations they belong to."""


def named(points: Iterable[Point]) -> list[Point]:
    """The points with names that tell them apart.

    Systems of one model by what differs: engine, dataset, options that most points do not have,
    random weights. Devices of one name by hardware, kind of machine and host. Facts that many
    points share are held once.
    """
    located = _located(list(points))
    usual = _Usual.of(located)
    shared: dict[str, Mapping[str, Any]] = {}
    return [
        replace(
            point,
            system=" · ".join(usual.parts(point)),
            environment=_once(point.environment, shared),
            facts=_once(point.facts, shared),
        )
        for point in located
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
    """Model → its known kinds of weights."""

    @classmethod
    def of(cls, points: Sequence[Point]) -> _Usual:
        members: dict[_Member, list[Point]] = {}
        weights: dict[str, set[str]] = {}
        for point in points:
            weights.setdefault(point.model, set()).update({point.weights} - {"unknown"})
            for member in _members(point):
                members.setdefault(member, []).append(point)
        engines = {point.engine for point in points if point.engine}
        datasets = Counter(point.dataset for point in points if point.dataset)
        options = {member: _most(member[0], those) for member, those in members.items()}
        return cls(
            len(engines), max(datasets, key=datasets.__getitem__, default=""), options, weights
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
                if (own := point.options.get(name)) != value:
                    parts.append(f"{name}={own or 'default'}")
        if len(self.weights[point.model]) > 1 and point.random:
            parts.append("random weights")
        return parts


def _members(point: Point) -> list[_Member]:
    optimisations = " + ".join(point.optimisations)
    names = (point.engine, point.device, point.dataset, point.model, optimisations)
    return list(zip(_GROUPS, names, strict=True))


def _most(group: str, points: Sequence[Point]) -> dict[str, str | None]:
    """For each option of a group the value that most points have, the first of two as frequent."""
    names = dict.fromkeys(name for point in points for name in point.options)
    return {
        name: Counter(point.options.get(name) for point in points).most_common(1)[0][0]
        for name in names
        if (name.partition(".")[0] if "." in name else "engine") == group
    }


class _Kind(NamedTuple):
    """Devices of one name, hardware and kind of machine."""

    device: str
    hardware: str
    machine: str


_Place = tuple[_Kind, str | None]
"""Where points may stand for one another: a kind and a host, None for all hosts of the kind."""


def _kind(point: Point) -> _Kind:
    return _Kind(point.device, point.hardware, point.machine)


def _located(points: Sequence[Point]) -> list[Point]:
    """The points, their devices named so that each is of one hardware and one kind of machine.

    Hosts of one kind that shared a sweep between them are one device; where some point was measured
    on two of them they are what is compared, and told apart. A GPU that wasn't known when a point
    failed is the one that other points of its device and host ran on.
    """
    gpus = {(p.device, p.host): p.hardware for p in points if p.hardware != UNKNOWN_GPU}
    points = [
        replace(p, hardware=gpus.get((p.device, p.host), p.hardware))
        if p.hardware == UNKNOWN_GPU
        else p
        for p in points
    ]
    compared = _compared(points)
    places = [(_kind(p), p.host if _kind(p) in compared else None) for p in points]
    names = _names(list(dict.fromkeys(places)))
    return [
        replace(point, device=names[place]) for point, place in zip(points, places, strict=True)
    ]


def _compared(points: Sequence[Point]) -> set[_Kind]:
    """The kinds of which two hosts measured the same; elsewhere each has a part of the points."""

    def measured(point: Point) -> tuple[object, ...]:
        system = (point.model, point.weights, point.engine, point.optimisations)
        options = tuple(sorted(point.options.items()))
        return _kind(point), system, options, point.dataset, point.length_s, point.batch

    alike = grouped(points, measured).values()
    return {_kind(members[0]) for members in alike if len({point.host for point in members}) > 1}


def _names(places: Sequence[_Place]) -> dict[_Place, str]:
    """Place → the device's name in the report.

    "cpu (AMD EPYC, 2 cores)" where several hardwares share it; with the machine where that hardware
    is in several kinds of machine, and with the host where a kind has several.
    """
    names = {}
    for kind, host in places:
        alike = [other for other, _ in places if other.device == kind.device]
        twins = [other for other in alike if other.hardware == kind.hardware]
        more = [kind.hardware]
        if len(set(twins)) > 1:
            more.append(kind.machine.removeprefix(f"{kind.hardware}, "))
        if twins.count(kind) > 1:
            more.append(host or "unknown host")
        name = kind.device if len(alike) == 1 else f"{kind.device} ({', '.join(more)})"
        names[kind, host] = name
    return names


def _once(value: Mapping[str, Any], shared: dict[str, Mapping[str, Any]]) -> Mapping[str, Any]:
    return shared.setdefault(json.dumps(value, sort_keys=True, default=str), value)
