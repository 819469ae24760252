"""Sentences that must stand beside the figures of several points; none where none is needed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from asr_scaling.analysis.points import Point
from asr_scaling.core.workload import with_copies
from asr_scaling.machine.machine_kind import gpu_name
from asr_scaling.util.groups import grouped

SYNTHETIC = (
    "WER of synthetic speech compares systems with each other only and says nothing about "
    "people's speech."
)
BY_CHARACTERS = (
    "References in a script without spaces between words are judged by CER: it stands where WER is "
    "named, and bounds on WER bound it."
)


def error_rates(points: Iterable[Point]) -> list[str]:
    """Where some WER is of synthetic speech or of copies, or is a CER, or by another normaliser."""
    known = [point for point in points if point.wer_known]
    caveats = [SYNTHETIC] if any(point.synthetic for point in known) else []
    copied = sorted({with_copies(p.utterances, p.copies) for p in known if p.copies})
    caveats += [f"WER is of {speech}." for speech in copied]
    if any(point.error_name == "CER" for point in known):
        caveats.append(BY_CHARACTERS)
    labels = {point.tags.get("quality/normaliser") for point in known} - {None}
    if len(labels) > 1:
        caveats.append(
            f"WER is by several normalisers ({'; '.join(sorted(map(str, labels)))}), so that a "
            "difference may be theirs: score all alike with python -m asr_scaling rescore."
        )
    return caveats


def different_speech(points: Iterable[Point]) -> list[str]:
    """Where the finished points are of several datasets."""
    names = sorted({point.dataset for point in points if point.ok and point.dataset})
    caveat = (
        f"The speech is of several datasets ({', '.join(names)}): figures of different ones can't "
        "be compared."
    )
    return [caveat] if len(names) > 1 else []


def other_speech(points: Iterable[Point], here: Sequence[Point]) -> list[str]:
    """Where finished points are of other speech than those that are ranked here."""
    ranked = {point.dataset for point in here}
    others = Counter(p.dataset for p in points if p.ok and p.dataset and p.dataset not in ranked)
    named = ", ".join(f"{name} ({count})" for name, count in sorted(others.items()))
    caveat = (
        f"Ranked are the points on {', '.join(sorted(ranked))}: figures of different speech can't "
        f"be compared. Left out with their number of points: {named}."
    )
    return [caveat] if others and ranked else []


def several_kinds(points: Iterable[Point]) -> list[str]:
    """Where the finished points are of several kinds of machine."""
    kinds = kinds_of(point for point in points if point.ok)
    caveat = (
        f"The points are of {len(kinds)} kinds of machine ({'; '.join(kinds)}): no ratio and no "
        "law is of two."
    )
    return [caveat] if len(kinds) > 1 else []


def several_hosts(points: Iterable[Point]) -> list[str]:
    """Where a device is several hosts of one kind."""
    caveats = []
    for device, members in grouped(points, lambda point: point.device).items():
        hosts = dict.fromkeys(point.host or "an unknown host" for point in members)
        if len(hosts) > 1:
            caveats.append(
                f"{device} is {len(hosts)} hosts of one kind ({', '.join(hosts)}), each of which "
                "measured a part of the points: intervals don't cover what differs between them."
            )
    return caveats


def partly(points: Iterable[Point]) -> list[str]:
    """Where some left audio out."""
    systems = ", ".join(sorted({p.system for p in points if p.ok and p.truncated}))
    caveat = f"Part of the audio was not transcribed, so speed is overstated: {systems}."
    return [caveat] if systems else []


def kinds_of(points: Iterable[Point]) -> dict[str, list[Point]]:
    """Name of a kind of machine → its points; several GPUs in it are kinds of their own."""
    kinds: dict[str, list[Point]] = {}
    for machine, members in grouped(points, lambda point: point.machine).items():
        gpus = {name for point in members if (name := gpu_name(point.environment))}
        for point in members:
            own = gpu_name(point.environment) if len(gpus) > 1 else next(iter(gpus), None)
            kinds.setdefault(f"{own} with {machine}" if own else machine, []).append(point)
    return kinds
