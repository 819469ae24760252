"""Which module to move, batch, give fewer threads or let work at the same time, and what it brings.

Every rule names a cause that the figures show, one option that cures it, and a bound on the gain:
Amdahl's (1967), 1 / (1 - share), where the module's whole time could vanish.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from asr_scaling.analysis.comparison.verdict import RTFX
from asr_scaling.analysis.format import percent, plain
from asr_scaling.analysis.modules.costs import ModuleCost, batching, costs, overlapped
from asr_scaling.analysis.points import Point
from asr_scaling.analysis.recommendation.paired_comparison import compare_points
from asr_scaling.core.module_use import RECOGNITION, VAD
from asr_scaling.core.statistics import Interval

_WORTH = 0.05
"""Share of the calls' time, or of the processor's, below which a module is left as it is."""
_WORTH_AT_ONCE = 0.15
"""Share of a call that could be saved from which modules are told to work at once."""
_ONE_BY_ONE = 4.0
"""Things for each of which a module is called alone, at least, before a batch is worth it."""
_IDLE = 1.3
"""Processor seconds over its own wall seconds from which a module's threads wait in a loop, where
it was given none of its own."""
_PADDED = 0.15
"""Share of padding in what recognition is given from which batches of like length are worth it."""
_BUSY = 0.25
"""Share of the processor's time from which a module counts while recognition is elsewhere."""
_NO_BOUND = 50.0


@dataclass(frozen=True)
class Tried:
    """What a change brought once it was measured.

    point: with the change.
    gain: RTFx over that without it.
    interval: of 95 %; None where there was too little for one.
    cores: cores kept busy by all modules without and with the change; None where not known.
    """

    point: Point
    gain: float
    interval: Interval | None
    cores: tuple[float, float] | None


@dataclass(frozen=True)
class ModuleAdvice:
    """One change of one module.

    module: the module that is to be changed.
    cause: what the figures show, as a sentence.
    option: what to type, as "speaker.device=cuda".
    bound: most that RTFx can grow by, as a factor; None where nothing bounds it.
    freed_cores: cores that need no longer be busy, at most; None where not known.
    tried: what it brought; None where it was not tried among these points.
    """

    module: str
    cause: str
    option: str
    bound: float | None
    freed_cores: float | None
    tried: Tried | None = None


def module_advice(point: Point, beside: Sequence[Point]) -> tuple[ModuleAdvice, ...]:
    """What to change about the modules of a cascade, what promises most first.

    beside: other points, among which what was tried is looked for.
    """
    found = [replace(advice, tried=tried(point, advice.option, beside)) for advice in _found(point)]
    return tuple(sorted(found, key=_promise, reverse=True))


def _promise(advice: ModuleAdvice) -> float:
    return (advice.bound or _NO_BOUND) + 0.01 * (advice.freed_cores or 0.0)


def _found(point: Point) -> Iterator[ModuleAdvice]:
    modules = costs(point)
    recognition = next((each for each in modules if each.name == RECOGNITION), None)
    if recognition is None:
        return
    for each in modules:
        if each.name != RECOGNITION:
            yield from _of_module(each, recognition)
    yield from _of_padding(point, recognition)
    yield from _of_overlap(point, modules)


def _of_module(each: ModuleCost, recognition: ModuleCost) -> Iterator[ModuleAdvice]:
    """At most one change of a module: the first whose cause is there."""
    share = percent(each.wall_share, 2)
    bound = _amdahl(each.wall_share)
    small, usual = each.wall_share < _WORTH, each.usual_batch or 1
    if not small and not recognition.on_cpu and _left_behind(each):
        kept = f"keeps {plain(each.cores or 0.0, 2)} cores busy"
        if each.cpu_share is not None:
            kept += f", {percent(each.cpu_share, 2)} of the processor's time"
        cause = f"{each.name} computes on the processor and {kept}, while recognition is on "
        device = recognition.device.partition(":")[0]
        cause += f"{recognition.device}; it takes {share} of a call"
        yield ModuleAdvice(each.name, cause, f"{each.name}.device={device}", bound, each.cores)
    elif not small and each.batch is not None and each.batch < usual and _alone(each):
        cause = (
            f"{each.name} takes {share} of a call in {plain(each.calls)} calls of its own, because "
            f"it is given {each.batch} at once"
        )
        yield ModuleAdvice(each.name, cause, f"{each.name}.batch={usual}", bound, None)
    elif not small and not each.on_cpu and each.name == VAD:
        cause = (
            f"{each.name} takes {share} of a call on {each.device}, where a small network waits "
            "for each of its steps to be launched"
        )
        yield ModuleAdvice(each.name, cause, f"{each.name}.device=cpu", bound, None)
    elif each.threads is None and each.cpu_s is not None and each.cpu_s > _IDLE * each.wall_s:
        idle_s = each.cpu_s - each.wall_s
        cores = (each.cores or 0.0) * idle_s / each.cpu_s
        if cores < _WORTH:
            return
        cause = (
            f"{each.name} uses {plain(each.cpu_s, 2)} s of processor time for "
            f"{plain(each.wall_s, 2)} s of work: it was given no number of threads, and those that "
            "wait keep cores busy"
        )
        yield ModuleAdvice(each.name, cause, f"{each.name}.threads=1", None, cores)


def _left_behind(each: ModuleCost) -> bool:
    """Whether it uses the processor although it could be where recognition is.

    A detector of voice activity is too small a network to gain there.
    """
    busy = (each.cpu_share or 0.0) >= _BUSY
    return each.on_cpu and each.movable and each.name != VAD and busy


def _alone(each: ModuleCost) -> bool:
    """Whether it is called once for nearly each thing that it is given; a detector's frames are
    not counted, so its batch alone says it."""
    if each.name == VAD:
        return True
    return each.items >= _ONE_BY_ONE and each.calls >= 0.5 * each.items / (each.batch or 1)


def _of_padding(point: Point, recognition: ModuleCost) -> Iterator[ModuleAdvice]:
    padded = point.values.get("module/recognition/padding_share")
    if padded is None or padded < _PADDED or batching(point) != "fixed":
        return
    cause = (
        f"{percent(padded, 2)} of what recognition is given is padding: segments of any length are "
        "in one batch"
    )
    yield ModuleAdvice(
        RECOGNITION, cause, "batch=seconds", _amdahl(padded * recognition.wall_share), None
    )


def _of_overlap(point: Point, modules: Sequence[ModuleCost]) -> Iterator[ModuleAdvice]:
    """Modules on several devices, or with threads of their own, can work at once."""
    if overlapped(point) or len(modules) < 2:
        return
    slowest = max(modules, key=lambda each: each.wall_share)
    busy = sum(each.cores or 0.0 for each in modules)
    cores = float(point.environment.get("cpu_cores") or 1)
    shortest = max(slowest.wall_share, busy / cores)
    if 1 - shortest < _WORTH_AT_ONCE:
        return
    cause = (
        f"modules work one after the other: {slowest.name} takes {percent(slowest.wall_share, 2)} "
        f"of a call, the others wait, and {plain(busy, 2)} of {plain(cores)} cores are busy"
    )
    yield ModuleAdvice(slowest.name, cause, "cascade.overlap=true", 1 / shortest, None)


def _amdahl(share: float) -> float | None:
    return 1 / (1 - share) if share < 1 - 1 / _NO_BOUND else None


def tried(point: Point, option: str, beside: Sequence[Point]) -> Tried | None:
    """What ``option`` brought, where one of ``beside`` differs from ``point`` by it alone."""
    wanted = _with(settings(point), option)
    same = [
        other for other in beside if other.ok and _alike(point, other) and settings(other) == wanted
    ]
    if not same or wanted == settings(point):
        return None
    other = min(same, key=lambda each: abs(each.started_at - point.started_at))
    row = compare_points(other, point).row(RTFX)
    if row.relative is None:
        return None
    ends = row.interval and Interval(1 + row.interval.low, 1 + row.interval.high)
    return Tried(other, 1 + row.relative, ends, _cores(point, other))


def _cores(point: Point, other: Point) -> tuple[float, float] | None:
    busy = [[each.cores for each in costs(one)] for one in (point, other)]
    if any(None in row for row in busy):
        return None
    before, after = (sum(each or 0.0 for each in row) for row in busy)
    return before, after


def settings(point: Point) -> dict[str, str]:
    """What makes a cascade what it is, as options: "speaker.device" → "cpu"."""
    found: dict[str, str] = {"cascade.overlap": str(overlapped(point)).lower()}
    for each in costs(point):
        found[each.name] = each.choice
        if each.name != RECOGNITION:
            found[f"{each.name}.device"] = each.device.partition(":")[0]
            found[f"{each.name}.threads"] = str(each.threads)
            found[f"{each.name}.batch"] = str(each.batch)
    way = batching(point)
    return found | {"batch": way if way == "seconds" else f"{way} {point.batch}"}


def _with(found: dict[str, str], option: str) -> dict[str, str]:
    key, _, value = option.partition("=")
    return {**found, key: value}


def _alike(point: Point, other: Point) -> bool:
    """Whether both recognise the same speech with the same model, engine and machine."""
    same = (
        "model",
        "engine",
        "optimisations",
        "decoding",
        "hardware",
        "host",
        "content",
        "length_s",
    )
    return all(getattr(point, name) == getattr(other, name) for name in same)
