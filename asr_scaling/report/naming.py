"""What points are called: systems of one model, and devices of one name, are told apart by what differs."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from asr_scaling.report.points import UNKNOWN_GPU, Point

_GROUPS = ("engine", "device", "dataset", "model", "optimisation")
_Member = tuple[str, str]
"""A group of options, and the engine, device, dataset, model or optimisations whose they are."""


def named(points: Iterable[Point]) -> list[Point]:
    """The points, systems of one model told apart by what differs between them (engine, dataset, options other than
    most points have, random weights), devices of one name by hardware and host. Facts that many share are held once.
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
    """What most points have. ``options``: by the member of a group whose they are. ``weights``: kinds by model."""

    engines: int
    dataset: str
    options: Mapping[_Member, Mapping[str, str | None]]
    weights: Mapping[str, set[str]]

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
        return cls(len(engines), next((name for name, _ in datasets.most_common(1)), ""), options, weights)

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
    named = (point.engine, point.device, point.dataset, point.model, " + ".join(point.optimisations))
    return list(zip(_GROUPS, named, strict=True))


def _most(group: str, points: Sequence[Point]) -> dict[str, str | None]:
    """For each option of a group the value that most points have, the first one met where two are as many."""
    names = dict.fromkeys(name for point in points for name in point.options if _group(name) == group)
    return {name: Counter(point.options.get(name) for point in points).most_common(1)[0][0] for name in names}


def _group(option: str) -> str:
    return option.partition(".")[0] if "." in option else "engine"


def _located(points: Sequence[Point]) -> list[Point]:
    """The points, their devices named so that each is of one hardware and host.

    A GPU that wasn't known when a point failed is the one that other points of its device and host ran on.
    """
    known = {(p.device, p.host): p.hardware for p in points if p.hardware != UNKNOWN_GPU}
    lost = (known.get((p.device, p.host), UNKNOWN_GPU) if p.hardware == UNKNOWN_GPU else p.hardware for p in points)
    found = [replace(point, hardware=hardware) for point, hardware in zip(points, lost, strict=True)]
    names = _places(dict.fromkeys((p.device, p.hardware, p.host) for p in found))
    return [replace(p, device=names[p.device, p.hardware, p.host]) for p in found]


def _places(found: Iterable[tuple[str, str, str]]) -> dict[tuple[str, str, str], str]:
    """Device, hardware and host → the device's name in the report: "cpu (AMD EPYC, 2 cores)" where several hardwares
    share it, with the host behind where several hosts have that hardware.
    """
    places, names = list(found), dict[tuple[str, str, str], str]()
    for device, hardware, host in places:
        alike = [other for other in places if other[0] == device]
        twins = sum(other[1] == hardware for other in alike)
        more = hardware if twins == 1 else f"{hardware}, {host or 'unknown host'}"
        names[device, hardware, host] = device if len(alike) == 1 else f"{device} ({more})"
    return names


def _once(value: Mapping[str, Any], shared: dict[str, Mapping[str, Any]]) -> Mapping[str, Any]:
    return shared.setdefault(json.dumps(value, sort_keys=True, default=str), value)
