"""What must stand beside the figures of several points: one sentence each, none where there is
nothing to say.
"""

from __future__ import annotations

from collections.abc import Iterable

from asr_scaling.analysis.points import Point
from asr_scaling.machine.kind import gpu_name

SYNTHETIC = (
    "WER of synthetic speech compares systems with each other only and says nothing about "
    "people's speech."
)


def synthetic(points: Iterable[Point]) -> list[str]:
    """Where some WER is of synthetic speech."""
    return [SYNTHETIC] if any(point.synthetic and point.wer_known for point in points) else []


def different_speech(points: Iterable[Point]) -> list[str]:
    """Where the points that were measured to their end are of several datasets."""
    names = sorted({point.dataset for point in points if point.ok and point.dataset})
    if len(names) < 2:
        return []
    return [
        f"The speech is of several datasets ({', '.join(names)}): figures of different ones can't "
        "be compared."
    ]


def several_kinds(points: Iterable[Point]) -> list[str]:
    """Where the points are of several kinds of machine."""
    kinds = kinds_of(point for point in points if point.ok)
    if len(kinds) < 2:
        return []
    return [
        f"The points are of {len(kinds)} kinds of machine ({'; '.join(kinds)}): no ratio and no "
        "law is of two."
    ]


def several_hosts(points: Iterable[Point]) -> list[str]:
    """Where a device is several hosts of one kind."""
    hosts: dict[str, dict[str, None]] = {}
    for point in points:
        hosts.setdefault(point.device, {})[point.host or "an unknown host"] = None
    return [
        f"{device} is {len(names)} hosts of one kind ({', '.join(names)}), each of which measured "
        "a part of the "
        "points: intervals don't cover what differs between them."
        for device, names in hosts.items()
        if len(names) > 1
    ]


def kinds_of(points: Iterable[Point]) -> dict[str, list[Point]]:
    """Name of a kind → its points: those of one kind of machine, and of one GPU where it was
    measured with several.
    """
    machines: dict[str, list[Point]] = {}
    for point in points:
        machines.setdefault(point.machine, []).append(point)
    found: dict[str, list[Point]] = {}
    for machine, those in machines.items():
        gpus = {name for point in those if (name := gpu_name(point.environment))}
        for point in those:
            own = gpu_name(point.environment) if len(gpus) > 1 else next(iter(gpus), None)
            found.setdefault(f"{own} with {machine}" if own else machine, []).append(point)
    return found


def partly(points: Iterable[Point]) -> list[str]:
    """Where some left audio out."""
    systems = sorted({point.system for point in points if point.ok and point.truncated})
    return (
        [f"Part of the audio was not transcribed, so speed is overstated: {', '.join(systems)}."]
        if systems
        else []
    )
