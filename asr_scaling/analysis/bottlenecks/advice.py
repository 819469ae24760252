"""What to optimise first: rules that turn the measurements of a system into one sentence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from asr_scaling.analysis.bottlenecks.diagnosis import (
    COPIES,
    PADDING,
    ROOFED,
    Diagnosis,
    amdahl,
    diagnose,
    gain,
    padding,
    regime,
    used,
)
from asr_scaling.analysis.bottlenecks.encoder import where_the_rest_goes
from asr_scaling.analysis.format import at_length, duration, percent, plain, why_missing
from asr_scaling.analysis.points import Point
from asr_scaling.analysis.reference_length import at, reference_length
from asr_scaling.util.groups import grouped

_STAGE = {
    "features": "computing features",
    "transfer": "transfer to the device",
    "text": "turning tokens into text",
    "other": "what no stage claims",
}
_REMEDY = {
    "features": "compute them on the device, or for the whole batch at once",
    "transfer": "pin the host's memory, and overlap copying with computing",
    "text": "turn tokens into text while the next call computes",
    "other": "a trace (profiler=all) shows what it is",
}
_ONLY_OTHER = "the engine can't be looked into, so its own profiler must say where the time goes"
_UNCOUNTED = "its operations and bytes are not counted, so a trace of it must say what it waits for"
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


def advice(points: Sequence[Point]) -> Mapping[str, str]:
    """System → what to optimise first: a sentence, one for each device where there are several."""
    advised = grouped(advise(points), lambda item: item.first.point.system)
    return {
        system: " ".join(item.sentence for item in advised.get(system, ()))
        or nothing(points, system)
        for system in dict.fromkeys(point.system for point in points)
    }


def advise(points: Sequence[Point]) -> list[Advice]:
    """The advice for each system and device whose stages were timed, at the reference length.

    A system that was not measured there is looked at where it was.
    """
    groups = grouped(points, lambda point: (point.system, point.device))
    length_s = reference_length(points)
    advised = []
    for (system, device), group in groups.items():
        members = at(group, length_s) or at(group, reference_length(group))
        diagnoses = list(filter(None, map(diagnose, sorted(members, key=lambda p: p.batch))))
        if diagnoses:
            where = f"On {device}, " if sum(name == system for name, _ in groups) > 1 else ""
            advised.append(_advice(diagnoses, where))
    return advised


def _advice(diagnoses: Sequence[Diagnosis], where: str) -> Advice:
    """diagnoses: of one system, device and length, by batch."""
    first, largest = diagnoses[0], diagnoses[-1]
    last = largest if largest.point.batch != first.point.batch else None
    batching = _batching(first, last)
    start = f"start with {_where_time_goes(first)}: {_bounded(first, first.stage)}"
    advice, remarks = [start, *_silence(first)], _also(first)
    if batching:
        (advice if _batching_helps(first) else remarks).append(batching)
    remarks += _at_largest(first, last)
    ratio = None if last is None else gain(first.point, last.point)[0]
    sentence = _sentence(where + "; ".join(advice))
    return Advice(first, last, ratio, sentence, tuple(map(_sentence, remarks)))


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
        return _ONLY_OTHER if list(place.stages) == ["other"] else _REMEDY.get(stage, _UNCOUNTED)
    rest = where_the_rest_goes(place.point) if stage == "encoder" else ""
    return "; ".join(filter(None, (_by_regime(place.point, stage), rest)))


def _by_regime(point: Point, stage: str) -> str:
    mfu, membw = (None if share is None else _percent(share) for share in used(point, stage))
    bound = regime(point, stage)
    if bound == "compute":
        cheaper = "`optimisation=[int8]` or `[bf16]`, a smaller model"
        return f"at {mfu} of peak FLOP/s, only fewer or cheaper operations help ({cheaper})"
    if bound == "memory":
        fewer = "`optimisation=[int8]`; larger batches share their reading"
        return f"at {membw} of copy speed, only fewer bytes help ({fewer})"
    if bound == "overhead":
        return (
            f"at {mfu} of peak FLOP/s and {membw} of copy speed, overhead bounds it, dispatch, "
            f"launches and waiting (try {_less_overhead(point, stage)})"
        )
    return _unknown(point, stage)


def _less_overhead(point: Point, stage: str) -> str:
    """Options under which the host has less to do."""
    if point.engine != "transformers":
        return "another engine"
    if point.family != "whisper":
        return "`engine=onnxruntime`"
    gpu = point.device.startswith("cuda")
    loop = "`optimisation=[cuda_graph]`" if gpu else "`optimisation=[decode_loop]`"
    return f"{loop}, `engine=faster_whisper`" if stage == "decoder" else "`engine=faster_whisper`"


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


def _silence(place: Diagnosis) -> list[str]:
    if place.silence < PADDING:
        return []
    return [
        f"{_percent(padding(place.point) or 0)} of the encoder's input is silence up to the "
        f"{place.point.window_s:g} s window (`optimisation=[dynamic_window]`; "
        f"{_at_most(place.silence)})"
    ]


def _also(place: Diagnosis) -> list[str]:
    """Copies, and the stage where tuning could win more."""
    remarks = []
    copies = place.point.values.get("ops/memory_share", 0.0)
    if copies >= COPIES:
        remarks.append(
            f"copies and look-ups take {_percent(copies)} of operator time (reuse buffers, fuse; "
            f"{_at_most(copies)})"
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
        return "what larger batches bring was not measured" if _batching_helps(first) else ""
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
