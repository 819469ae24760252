"""Names of systems and devices in a report, each with what tells it from others of its name."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from asr_scaling.analysis.points import Point
from asr_scaling.analysis.speech_names import with_speech_names
from asr_scaling.core.decoding import GREEDY
from asr_scaling.core.search_stage import FINAL, search_stage
from asr_scaling.machine.machine_kind import UNKNOWN_GPU
from asr_scaling.util.groups import grouped

_GROUPS = ("engine", "device", "dataset", "model", "optimisation", "decoding", "serving")
_OTHERS = "others"
"""Stands for every group of options that is not in ``_GROUPS``."""
_Member = tuple[str, str]
"""A group of options, and the engine, device, dataset, model … that they belong to."""
NO_OPTION = ("hydra", "tracking", "optimiser")
"""Groups of a record's options that say nothing of the point itself."""
_OF_THE_LOAD = "scenario"
"""Group of options that say what a system was given to do: points that differ in it alone are of
one system."""
_OF_THE_SPEECH = ("dataset", "dataset.path", "dataset.audio_root", "dataset.manifest")
"""Swept options that are in the dataset's name."""
_OF_THE_DEVICE = ("device.index",)
"""Swept options that are in the device's name."""


def named(points: Iterable[Point]) -> list[Point]:
    """The points with names that tell them apart.

    Systems of one model by what differs: engine, dataset, options that most points do not have,
    whatever a sweep varied, random weights; and points that would still share a name by the options
    in which they differ. Devices of one name by hardware, kind of machine and host. Facts that many
    points share are held once.
    """
    located = _located(with_speech_names(list(points)))
    usual = _Usual.of(located)
    shared: dict[str, Mapping[str, Any]] = {}
    systems = [
        replace(
            point,
            system=" · ".join(usual.parts(point)),
            environment=_once(point.environment, shared),
            facts=_once(point.facts, shared),
        )
        for point in located
    ]
    return _told_apart(systems)


@dataclass(frozen=True)
class _Usual:
    """What most points have."""

    engines: int
    """How many there are."""
    servings: int
    """How many there are."""
    dataset: str
    options: Mapping[_Member, Mapping[str, str | None]]
    """By the member of a group that they belong to."""
    weights: Mapping[str, set[str]]
    """Model → its known kinds of weights."""
    swept: frozenset[str]
    """Options that a sweep varied and whose values are not the same in all points."""

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
        finals = {point.dataset for point in points if search_stage(point.config) == FINAL}
        swept = [_swept(point) for point in points]
        keys = {key for own in swept for key in own if key not in _OF_THE_DEVICE}
        return cls(
            engines=len(engines),
            servings=len({point.serving for point in points} - {""}),
            dataset=max(datasets, key=lambda name: (name in finals, datasets[name]), default=""),
            options={member: _most(member[0], those) for member, those in members.items()},
            weights=weights,
            swept=frozenset(key for key in keys if len({own.get(key) for own in swept}) > 1),
        )

    def parts(self, point: Point) -> list[str]:
        """The name of a point's system: its model, and what sets it apart."""
        parts = [point.model]
        if self.engines > 1 and point.engine:
            parts.append(point.engine)
        if point.optimisations:
            parts.append(" + ".join(point.optimisations))
        apart = {} if point.dataset in ("", self.dataset) else {"dataset": point.dataset}
        if point.decoding != GREEDY.name:
            apart["decoding"] = point.decoding
        if self.servings > 1 and point.serving:
            apart["serving"] = point.serving
        for member in _members(point):
            for name, value in self.options[member].items():
                if (own := point.options.get(name)) != value:
                    apart[name] = own or "default"
        for key, value in _swept(point).items():
            if key in self.swept:
                name = "dataset" if key in _OF_THE_SPEECH else key.removeprefix("engine.")
                own = point.dataset if name == "dataset" else point.options.get(name)
                apart.setdefault(name, own or value)
        parts += [f"{name}={value}" for name, value in apart.items()]
        if len(self.weights[point.model]) > 1 and point.random:
            parts.append("random weights")
        return parts


def _swept(point: Point) -> Mapping[str, str]:
    """What its sweep varied beside model, engine, optimisations, length, batch and load."""
    found = (point.config.get("hydra") or {}).get("swept")
    if not isinstance(found, Mapping):
        return {}
    return {key: own for key, own in found.items() if key.partition(".")[0] != _OF_THE_LOAD}


def _load(point: Point) -> str:
    """What the system was given to do, beside calls."""
    return json.dumps(point.config.get(_OF_THE_LOAD), sort_keys=True, default=str)


def _members(point: Point) -> list[_Member]:
    optimisations = " + ".join(point.optimisations)
    parts = (point.engine, point.device, point.dataset, point.model)
    names = (*parts, optimisations, point.decoding, point.serving)
    return [*zip(_GROUPS, names, strict=True), (_OTHERS, "")]


def _most(group: str, points: Sequence[Point]) -> dict[str, str | None]:
    """For each option of a group the value that most points have, the first of two as frequent."""
    names = dict.fromkeys(name for point in points for name in point.options)
    return {
        name: Counter(point.options.get(name) for point in points).most_common(1)[0][0]
        for name in names
        if _group(name) == group
    }


def _group(option: str) -> str:
    first, dot, _ = option.partition(".")
    if not dot:
        return "engine"
    return first if first in _GROUPS else _OTHERS


def _told_apart(points: Sequence[Point]) -> list[Point]:
    """The points, those that share name, device, length and batch with the options that differ."""
    names = [point.system for point in points]
    cells = grouped(range(len(points)), lambda i: _cell(points[i]))
    for places in cells.values():
        own = [_measured(points[i]) for i in places]
        if any(config != own[0] for config in own):
            for i, more in zip(places, _differing(own), strict=True):
                names[i] = " · ".join((names[i], *more))
    return [replace(point, system=name) for point, name in zip(points, names, strict=True)]


def _cell(point: Point) -> tuple[object, ...]:
    stage = search_stage(point.config)  # of a search: same, more calls
    return point.system, point.device, point.host, point.length_s, point.batch, stage


def _measured(point: Point) -> dict[str, Any]:
    left_out = (*NO_OPTION, _OF_THE_LOAD, *(() if point.serving else ("serving",)))
    found = {key: value for key, value in point.config.items() if key not in left_out}
    speech = found.get("dataset")
    if isinstance(speech, Mapping):  # where it lies says nothing: its name goes by its content
        found["dataset"] = {k: v for k, v in speech.items() if f"dataset.{k}" not in _OF_THE_SPEECH}
    return found


def _differing(configs: Sequence[Mapping[str, Any]]) -> list[list[str]]:
    """Of each the options, as few as tell them apart, whose values most of them don't have."""
    rows = [{key: _word(value) for key, value in leaves(config)} for config in configs]
    keys = dict.fromkeys(key for row in rows for key in row)
    varying = [key for key in keys if len({row.get(key) for row in rows}) > 1]
    wanted = len({tuple(row.get(key) for key in varying) for row in rows})
    kept: list[str] = []
    for key in sorted(varying, key=lambda key: (-len({row.get(key) for row in rows}), len(key))):
        if len(_seen(rows, kept)) == wanted:
            break
        if len(_seen(rows, [*kept, key])) > len(_seen(rows, kept)):
            kept.append(key)
    usual = {key: Counter(row.get(key) for row in rows).most_common(1)[0][0] for key in kept}
    return [
        [f"{key}={row.get(key, 'default')}" for key in kept if row.get(key) != usual[key]]
        for row in rows
    ]


def _seen(rows: Sequence[Mapping[str, str]], keys: Sequence[str]) -> set[tuple[str | None, ...]]:
    return {tuple(row.get(key) for key in keys) for row in rows}


def _word(value: Any) -> str:
    return "null" if value is None else str(value)


def leaves(options: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    """Dotted name and value of every option, but for the names of classes."""
    for key, value in options.items():
        if isinstance(value, Mapping):
            yield from leaves(value, f"{before}{key}.")
        elif key != "_target_":
            yield f"{before}{key}", value


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
        how = (point.optimisations, point.decoding, point.serving)
        system = (point.model, point.weights, point.engine, *how, _load(point))
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
