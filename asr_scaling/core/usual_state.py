"""The usual state of a machine, and calls as they would have been at it.

The state is what the metronome's probes take (machine/metronome.py).
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from asr_scaling.core.control_variates import (
    Calls,
    Explained,
    Floats,
    States,
    explained,
    shifts,
    tells,
)
from asr_scaling.core.learned_state import Coefficients
from asr_scaling.core.sample import Beat, Sample
from asr_scaling.core.typed_json import number

_CALLS, _OF_PROCESS = 12, 4
_SHIFTS = 19
NO_REFERENCE = (
    "the usual state of this machine is not known: run python -m asr_scaling selftest before"
)
OTHER_PROBES = (
    "the usual state of this device is not known: the self-test's metronome read nothing that this "
    "record's did. compare brings two records of the device to the mean state of both"
)


@dataclass(frozen=True)
class Adjusted:
    """Calls as they would have been at the usual state of the machine.

    samples: the calls, with other times where the adjustment was made.
    made: whether it was.
    why: why not; empty where it was made.
    explained: share of the variance that the state explains where it was held out: of processes
        that were measured earlier, or of blocks of these calls; None with too little to judge.
    coefficients: probe → the share of a call's time that leans on what it measures.
    shift_error: standard error of the log of the mean time that the coefficients' brings.
    learned: number of earlier processes that the coefficients are from; 0 where they are from
        these calls.
    """

    samples: tuple[Sample, ...]
    made: bool = False
    why: str = ""
    explained: float | None = None
    coefficients: Mapping[str, float] = field(default_factory=dict)
    shift_error: float = 0.0
    learned: int = 0


def usual_state(beats: Iterable[Beat]) -> dict[str, float]:
    """Probe → median of the seconds that it took in ``beats``; empty without beats."""
    seconds: dict[str, list[float]] = {}
    for beat in beats:
        for probe, value in beat.seconds.items():
            seconds.setdefault(probe, []).append(value)
    return {probe: statistics.median(values) for probe, values in seconds.items()}


def reference_of(environment: Mapping[str, Any]) -> Mapping[str, float] | None:
    """The usual state that the self-test found on a record's machine; None where it found none."""
    certificate = environment.get("certificate")
    found = certificate.get("usual_state") if isinstance(certificate, Mapping) else None
    if not isinstance(found, Mapping):
        return None
    usual = {probe: s for probe, value in found.items() if (s := number(value)) and s > 0}
    return usual or None


def at_usual(
    samples: Sequence[Sample],
    beats: Sequence[Beat],
    reference: Mapping[str, float] | None,
    learned: Coefficients | None = None,
) -> Adjusted:
    """``samples`` at the state ``reference`` (probe → seconds), by control variates.

    learned: what earlier processes say of the system; None where too little was measured.

    With ``learned`` all calls of a process are shifted by how far its median state was from the
    reference. Without it each call is shifted by the state around it, with coefficients that are
    fitted to these calls, and left as it is where the state explains too little of them; ``why``
    says so.
    """
    probes = _probes(samples, beats)
    if not probes:
        return Adjusted(tuple(samples), why="no beats of the metronome lie between the calls")
    if learned is not None and reference is not None and _serves(learned, probes, reference):
        return _shifted(samples, beats, reference, learned)
    unknown = NO_REFERENCE
    if reference is not None:
        known = [probe for probe in probes if reference.get(probe, 0.0) > 0]
        if not known:
            reference, unknown = None, OTHER_PROBES
        probes = known or probes
    found = _fitted(samples, _states(beats, probes), probes, reference)
    return found if found.made or found.why else replace(found, why=unknown)


def _fitted(
    samples: Sequence[Sample],
    states: States,
    probes: Sequence[str],
    reference: Mapping[str, float] | None,
) -> Adjusted:
    """The calls, shifted by what is fitted to them. ``why`` is empty if only a reference lacks."""
    plain = Adjusted(tuple(samples))
    if why := _too_few(samples, states):
        return replace(plain, why=why)
    calls = _calls(samples)
    found = explained(calls, states)
    coefficients = dict(zip(probes, found.coefficients.tolist(), strict=True))
    judged = replace(plain, explained=found.share, coefficients=coefficients)
    if not tells(found.share, found.chance):
        return replace(judged, why=_unexplained(found))
    if reference is None:
        return judged
    usual = np.log([reference[probe] for probe in probes])
    off = states.around(calls) - usual
    factors = np.exp(-off @ found.coefficients).tolist()
    scaled = tuple(_scaled(s, factor) for s, factor in zip(samples, factors, strict=True))
    error = _shift_error(calls, off, found)
    return replace(judged, samples=scaled, made=True, shift_error=error)


def _serves(learned: Coefficients, probes: Sequence[str], reference: Mapping[str, float]) -> bool:
    return all(name in probes and reference.get(name, 0.0) > 0 for name in learned.probes)


def _shifted(
    samples: Sequence[Sample],
    beats: Sequence[Beat],
    reference: Mapping[str, float],
    learned: Coefficients,
) -> Adjusted:
    """The calls of each process, shifted by its median state."""
    off = {
        process: learned.off(usual_state(b for b in beats if b.process == process), reference)
        for process in {sample.process for sample in samples}
    }
    factors = {process: math.exp(-learned.shift(one)) for process, one in off.items()}
    return Adjusted(
        tuple(_scaled(sample, factors[sample.process]) for sample in samples),
        made=True,
        explained=learned.explained,
        coefficients=dict(zip(learned.probes, learned.values, strict=True)),
        shift_error=learned.error(np.mean(list(off.values()), axis=0)),
        learned=learned.processes,
    )


def _probes(samples: Sequence[Sample], beats: Sequence[Beat]) -> list[str]:
    """Probes that every beat has; none where a process has calls and no beats."""
    beating = {beat.process for beat in beats}
    if not beats or any(sample.process not in beating for sample in samples):
        return []
    names = set.intersection(*(set(beat.seconds) for beat in beats))
    return sorted(n for n in names if all(beat.seconds[n] > 0 for beat in beats))


def _too_few(samples: Sequence[Sample], states: States) -> str:
    """Why there is too little to judge the state by; empty where there is enough."""
    processes = [sample.process for sample in samples]
    fewest = min(processes.count(process) for process in set(processes))
    if len(samples) < _CALLS or fewest < _OF_PROCESS:
        return (
            f"too few calls to tell what the machine's state does to them: {_CALLS} are needed, "
            f"{_OF_PROCESS} of each process: raise pipeline.max_seconds"
        )
    if shifts(states) < _SHIFTS:
        return "too few beats of the metronome to judge by: raise pipeline.max_seconds"
    return ""


def _unexplained(found: Explained) -> str:
    return (
        "the machine's state does not explain what differs between calls: "
        f"{max(0.0, found.share):.0%} of it on calls that were held out, and a state without "
        f"meaning explains as much in {found.chance:.0%} of cases"
    )


def _states(beats: Sequence[Beat], probes: Sequence[str]) -> States:
    ordered = sorted(beats, key=lambda beat: (beat.process, beat.at))
    return States(
        np.array([beat.process for beat in ordered]),
        np.array([beat.at for beat in ordered]),
        np.log([[beat.seconds[probe] for probe in probes] for beat in ordered]),
    )


def _calls(samples: Sequence[Sample]) -> Calls:
    inputs: dict[tuple[str, ...], int] = {}
    work = [(np.log(max(s.processed_s, 1e-3)), np.log1p(sum(s.tokens))) for s in samples]
    return Calls(
        np.array([s.process for s in samples]),
        np.array([inputs.setdefault(s.utterances, len(inputs)) for s in samples]),
        np.array(work, dtype=float),
        np.array([s.started_at + s.total_s / 2 for s in samples]),
        np.log([s.total_s for s in samples]),
    )


def _scaled(sample: Sample, factor: float) -> Sample:
    first = sample.first_token_s
    return replace(
        sample,
        total_s=factor * sample.total_s,
        stages={name: factor * seconds for name, seconds in sample.stages.items()},
        first_token_s=None if first is None else factor * first,
        step_s=tuple(factor * seconds for seconds in sample.step_s),
    )


def _shift_error(calls: Calls, off: Floats, found: Explained) -> float:
    """The error of the mean over processes of their mean shift: they share the coefficients."""
    means = [off[calls.process == process].mean(axis=0) for process in np.unique(calls.process)]
    mean = np.mean(means, axis=0)
    return float(np.sqrt(mean @ found.covariance @ mean))
