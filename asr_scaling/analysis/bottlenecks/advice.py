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
_MEASURE = "profiler=all measures it"
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
    systems = dict.fromkeys(point.system for point in points)
    found = advise(points)
    said = {
        system: [each.sentence for each in found if each.first.point.system == system]
        for system in systems
    }
    return {
        system: " ".join(sentences) or nothing(points, system) for system, sentences in said.items()
    }


def advise(points: Sequence[Point]) -> list[Advice]:
    """The advice for each system and device whose stages were timed, at the reference length.

    A system that was not measured there is looked at where it was.
    """
    groups: dict[tuple[str, str], list[Point]] = {}
    for point in points:
        groups.setdefault((point.system, point.device), []).append(point)
    length = reference_length(points)
    found = []
    for (system, device), group in groups.items():
        there = [
            d
            for p in at(group, length) or at(group, reference_length(group))
            if (d := diagnose(p)) is not None
        ]
        if there:
            where = f"On {device}, " if sum(key[0] == system for key in groups) > 1 else ""
            found.append(_advice(sorted(there, key=lambda d: d.point.batch), where))
    return found


def _advice(there: Sequence[Diagnosis], where: str) -> Advice:
    first, largest = there[0], there[-1]
    last = largest if largest.point.batch != first.point.batch else None
    batching = _batching(first, last)
    remedy = [batching] if batching and _batching_helps(first) else []
    start = f"start with {_where_time_goes(first)}: {_bounded(first, first.stage)}"
    remarks = [
        *_also(first),
        *([batching] if batching and not remedy else []),
        *_at_largest(first, last),
    ]
    ratio = None if last is None else gain(first.point, last.point)[0]
    sentence = _sentence(where + "; ".join((start, *_silence(first), *remedy)))
    return Advice(first, last, ratio, sentence, tuple(map(_sentence, remarks)))


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:] + "."


def _where_time_goes(found: Diagnosis) -> str:
    point, seconds = found.point, found.stages[found.stage]
    alike = f"{_name(found.tied)} takes as long within noise" if found.tied else ""
    spent = f"{duration(seconds)} of {duration(found.call_s)} {at_length(point.length_s)}, batch {point.batch}"
    said = "; ".join(filter(None, (spent, _at_most(found.share()), alike)))
    return f"{_name(found.stage)}, {_percent(found.share())} of a call ({said})"


def _bounded(found: Diagnosis, stage: str) -> str:
    """What bounds a stage, by which figures, and what helps then."""
    point = found.point
    if stage not in ROOFED:
        return _ONLY_OTHER if list(found.stages) == ["other"] else _REMEDY.get(stage, _UNCOUNTED)
    said = _by_regime(point, stage)
    rest = where_the_rest_goes(point) if stage == "encoder" else ""
    return f"{said}; {rest}" if rest else said


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
            "launches and waiting "
            f"(try {_less_overhead(point, stage)})"
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
    """Why it can't be judged how near its peaks a stage is, and which peak is the lower roof where
    that is known.
    """
    names = [f"utilisation/{kind}_{stage}" for kind in ("mfu", "membw")]
    lacking = next(name for name in names if name not in point.values)
    said = f"how near it is to the machine's peaks is not known ({point.unavailable.get(lacking, _MEASURE)})"
    intensity, ridge = point.value(f"roofline/{stage}_intensity"), point.value("roofline/ridge")
    if intensity is None or ridge is None:
        return said
    roof = "peak FLOP/s are" if intensity > ridge else "copy speed is"
    return f"{said}, but with {plain(intensity)} FLOP per byte (ridge {plain(ridge)}) {roof} its lower roof"


def _silence(found: Diagnosis) -> list[str]:
    if found.silence < PADDING:
        return []
    return [
        f"{_percent(padding(found.point) or 0)} of the encoder's input is silence up to the "
        f"{found.point.window_s:g} s window (`optimisation=[dynamic_window]`; "
        f"{_at_most(found.silence)})"
    ]


def _also(found: Diagnosis) -> list[str]:
    """Copies, and the stage where tuning could win more."""
    copies, remarks = found.point.value("ops/memory_share"), []
    if copies is not None and copies >= COPIES:
        remarks.append(
            f"copies and look-ups take {_percent(copies)} of operator time (reuse buffers, fuse; "
            f"{_at_most(copies)})"
        )
    if (other := found.farther) is not None:
        above, here = found.above_roof(other) or 0.0, found.above_roof(found.stage) or 0.0
        remarks.append(
            f"more is lost in {_name(other)}, {_percent(found.share(other))} of the call, "
            f"{duration(above)} beyond "
            f"what its work takes at the peaks against {duration(here)}: {_bounded(found, other)}"
        )
    return remarks


def _batching_helps(found: Diagnosis) -> bool:
    return found.stage in ROOFED and found.regime in ("overhead", "memory")


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
    where = f"at batch {last.point.batch} {_name(last.stage)} takes most, {_percent(last.share())} of a call"
    return [f"{where}, {_REGIME[last.regime]}" if last.stage in ROOFED else where]


def nothing(points: Sequence[Point], system: str) -> str:
    """Why there is no advice on a system."""
    its = [point for point in points if point.system == system]
    if not any(point.ok for point in its):
        return f"Nothing was measured ({why_missing(its[0], '')})."
    return "Where the time goes is not known: no stage was timed (profiler=latency times them)."


def _name(stage: str) -> str:
    return _STAGE.get(stage, f"the {stage}" if stage in ROOFED else f"stage “{stage}”")


def _at_most(share: float) -> str:
    """The bound; empty where there is next to nothing else."""
    bound = amdahl(share)
    return f"at most {plain(bound, 2)}× if it cost nothing" if bound < _NEARLY_ALL else ""


def _percent(share: float) -> str:
    return percent(share, 3 if 0.99 < share < 1 else 2)
