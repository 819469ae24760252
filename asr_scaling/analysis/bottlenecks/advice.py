"""What to optimise first: rules that turn the measurements of a system into one sentence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from asr_scaling.analysis.bottlenecks.diagnosis import (
    COPIES,
    ROOFED,
    Diagnosis,
    amdahl,
    diagnose,
    gain,
    regime,
    used,
)
from asr_scaling.analysis.bottlenecks.encoder import where_the_rest_goes
from asr_scaling.analysis.bottlenecks.offers import Kept, Offer, Possible, offers
from asr_scaling.analysis.bottlenecks.possible import refusal
from asr_scaling.analysis.format import (
    at_length,
    duration,
    percent,
    plain,
    why_missing,
    with_interval,
)
from asr_scaling.analysis.points import Point
from asr_scaling.analysis.reference_length import at, reference_length
from asr_scaling.util.groups import grouped

_STAGE = {
    "features": "computing features",
    "transfer": "transfer to the device",
    "text": "turning tokens into text",
    "other": "what no stage claims",
}
_ONLY_OTHER = "the engine can't be looked into, so its own profiler must say where the time goes"
_NOT_CLAIMED = "a trace (profiler=all) shows what it is"
_UNCOUNTED = "its operations and bytes are not counted, so a trace of it must say what it waits for"
_MOST_OFFERS = 2
"""In a sentence; the table has them all."""
_NEARLY_ALL = 20
"""A bound beyond which its figure says nothing."""
_REGIME = {
    "compute": "near peak FLOP/s",
    "memory": "near copy speed",
    "overhead": "bound by overhead",
    "unknown": "how near its peaks is not known",
}


@dataclass(frozen=True)
class Advice:
    """What to optimise first in a system on one device."""

    first: Diagnosis
    """At the smallest batch."""
    last: Diagnosis | None
    """At the largest batch; None where there is one batch only."""
    gain: float | None
    """RTFx of the largest batch over that of the smallest."""
    sentence: str
    """The advice."""
    remarks: tuple[str, ...] = ()
    """What else the rules found."""
    offers: tuple[Offer, ...] = ()
    """What would make it faster, the largest gain first; empty where nothing is known to."""


def advice(points: Sequence[Point]) -> Mapping[str, str]:
    """System → what to optimise first: a sentence, one for each device where there are several."""
    advised = grouped(advise(points), lambda item: item.first.point.system)
    return {
        system: " ".join(item.sentence for item in advised.get(system, ()))
        or nothing(points, system)
        for system in dict.fromkeys(point.system for point in points)
    }


def advise(points: Sequence[Point], possible: Possible = refusal) -> list[Advice]:
    """The advice for each system and device whose stages were timed, at the reference length.

    A system that was not measured there is looked at where it was.
    possible: says why a system can't run in another way.
    """
    groups = grouped(points, lambda point: (point.system, point.device))
    length_s = reference_length(points)
    advised = []
    for (system, device), group in groups.items():
        members = at(group, length_s) or at(group, reference_length(group))
        diagnoses = list(filter(None, map(diagnose, sorted(members, key=lambda p: p.batch))))
        if diagnoses:
            where = f"On {device}, " if sum(name == system for name, _ in groups) > 1 else ""
            found = offers(diagnoses[0].point, points, possible=possible)
            advised.append(_advice(diagnoses, found, where))
    return advised


def _advice(diagnoses: Sequence[Diagnosis], found: Sequence[Offer], where: str) -> Advice:
    """diagnoses: of one system, device and length, by batch."""
    first, largest = diagnoses[0], diagnoses[-1]
    last = largest if largest.point.batch != first.point.batch else None
    batching = _batching(first, last)
    start = f"start with {_where_time_goes(first)}: {_bounded(first, first.stage)}"
    advice, remarks = [start, *map(promise, found[:_MOST_OFFERS])], _also(first)
    said = any(offer.kept and offer.lever.kind == "batch" for offer in found[:_MOST_OFFERS])
    if batching and not said:
        (advice if _batching_helps(first) else remarks).append(batching)
    remarks += _at_largest(first, last)
    ratio = None if last is None else gain(first.point, last.point)[0]
    sentence = _sentence(where + "; ".join(advice))
    return Advice(first, last, ratio, sentence, tuple(map(_sentence, remarks)), tuple(found))


def promise(offer: Offer) -> str:
    """An offer in one clause, and what came of it where it was tried."""
    ends = f"{plain(offer.interval.low, 2)} to {plain(offer.interval.high, 2)}"
    promised = f"`{offer.option}` promises {plain(offer.gain, 2)}× ({ends}"
    if offer.bound is not None:
        promised += f"; at most {plain(offer.bound, 2)}× if {_listed(offer.touched)} cost nothing"
    promised += "; measured elsewhere only)" if offer.elsewhere else ")"
    return promised if offer.kept is None else f"{promised} and brought {_brought(offer.kept)}"


def _brought(kept: Kept) -> str:
    return f"{with_interval(kept.gain, kept.interval)}×"


def _listed(stages: Sequence[str]) -> str:
    *most, last = stages
    return f"{', '.join(most)} and {last}" if most else last


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:] + "."


def _where_time_goes(place: Diagnosis) -> str:
    where = f"{at_length(place.point.length_s)}, batch {place.point.batch}"
    spent = f"{duration(place.stages[place.stage])} of {duration(place.call_s)} {where}"
    tied = f"{_name(place.tied)} takes as long within noise" if place.tied else ""
    details = "; ".join(filter(None, (spent, _at_most(place.share()), tied)))
    return f"{_name(place.stage)}, {_percent(place.share())} of a call ({details})"


def _bounded(place: Diagnosis, stage: str) -> str:
    """What bounds a stage, by which figures, and what helps then."""
    if stage not in ROOFED:
        if stage == "other":
            return _ONLY_OTHER if list(place.stages) == ["other"] else _NOT_CLAIMED
        return _UNCOUNTED
    rest = where_the_rest_goes(place.point) if stage == "encoder" else ""
    return "; ".join(filter(None, (_by_regime(place.point, stage), rest)))


def _by_regime(point: Point, stage: str) -> str:
    mfu, membw = (None if share is None else _percent(share) for share in used(point, stage))
    bound = regime(point, stage)
    if bound == "compute":
        return f"at {mfu} of peak FLOP/s, only fewer or cheaper operations help"
    if bound == "memory":
        return f"at {membw} of copy speed, only fewer bytes help"
    if bound == "overhead":
        shares = f"{mfu} of peak FLOP/s and {membw} of copy speed"
        return f"at {shares}, overhead bounds it, dispatch, launches and waiting"
    return _unknown(point, stage)


def _unknown(point: Point, stage: str) -> str:
    """Why it is not known how near its peaks a stage is, and its lower roof where that is known."""
    names = [f"utilisation/{kind}_{stage}" for kind in ("mfu", "membw")]
    lacking = next(name for name in names if name not in point.values)
    why = point.unavailable.get(lacking, "profiler=all measures it")
    unknown = f"how near it is to the machine's peaks is not known ({why})"
    intensity, ridge = point.value(f"roofline/{stage}_intensity"), point.value("roofline/ridge")
    if intensity is None or ridge is None:
        return unknown
    roof = "peak FLOP/s are" if intensity > ridge else "copy speed is"
    counted = f"with {plain(intensity)} FLOP per byte (ridge {plain(ridge)})"
    return f"{unknown}, but {counted} {roof} its lower roof"


def _also(place: Diagnosis) -> list[str]:
    """Copies, and the stage where tuning could win more."""
    remarks = []
    copies = place.point.values.get("ops/memory_share", 0.0)
    if copies >= COPIES:
        remarks.append(
            f"copies and look-ups take {_percent(copies)} of operator time ({_at_most(copies)})"
        )
    if (other := place.farther) is not None:
        above, here = place.above_roof(other) or 0.0, place.above_roof(place.stage) or 0.0
        remarks.append(
            f"more is lost in {_name(other)}, {_percent(place.share(other))} of the call, "
            f"{duration(above)} beyond what its work takes at the peaks against {duration(here)}: "
            f"{_bounded(place, other)}"
        )
    return remarks


def _batching_helps(place: Diagnosis) -> bool:
    return place.stage in ROOFED and place.regime in ("overhead", "memory")


def _batching(first: Diagnosis, last: Diagnosis | None) -> str:
    """What larger batches bring; empty where that is nothing and nobody would expect more."""
    ratio, verdict = (None, "alike") if last is None else gain(first.point, last.point)
    if last is None or ratio is None:
        return ""
    batches = f"batch {last.point.batch} has {plain(ratio)}× the RTFx of batch {first.point.batch}"
    if verdict == "alike":
        return f"larger batches bring little: {batches}" if _batching_helps(first) else ""
    return batches if verdict == "faster" else f"larger batches cost speed: {batches}"


def _at_largest(first: Diagnosis, last: Diagnosis | None) -> list[str]:
    if last is None:
        return []
    judged = "unknown" not in (first.regime, last.regime)
    if last.stage == first.stage and (last.regime == first.regime or not judged):
        return []
    most = f"{_name(last.stage)} takes most, {_percent(last.share())} of a call"
    bound = f", {_REGIME[last.regime]}" if last.stage in ROOFED else ""
    return [f"at batch {last.point.batch} {most}{bound}"]


def nothing(points: Sequence[Point], system: str) -> str:
    """Why there is no advice on a system."""
    members = [point for point in points if point.system == system]
    if not any(point.ok for point in members):
        return f"Nothing was measured ({why_missing(members[0], '')})."
    return "Where the time goes is not known: no stage was timed (profiler=latency times them)."


def _name(stage: str) -> str:
    return _STAGE.get(stage, f"the {stage}" if stage in ROOFED else f"stage “{stage}”")


def _at_most(share: float) -> str:
    """The bound; empty where there is next to nothing else."""
    bound = amdahl(share)
    return f"at most {plain(bound, 2)}× if it cost nothing" if bound < _NEARLY_ALL else ""


def _percent(share: float) -> str:
    return percent(share, 3 if 0.99 < share < 1 else 2)
