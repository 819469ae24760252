"""Merges the rounds of a point, each of a process of its own, into one record."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any, TypeVar

from asr_scaling.core.call_summary import NO_STEPS, RTFX_WITHOUT, rtfx_without, summarise
from asr_scaling.core.cautions import Caution, caution
from asr_scaling.core.energy_methods import GUESSED, METHOD, of_energy
from asr_scaling.core.record import ROUNDS_FOLDER, Metric, RunRecord
from asr_scaling.core.sample import Sample
from asr_scaling.core.spread import spread_of
from asr_scaling.core.statistics import mean_interval, noise_floor
from asr_scaling.core.time_intervals import INTERVAL_OF, OF_ONE_ALONE
from asr_scaling.machine.interference import times_by_input
from asr_scaling.machine.machine_kind import unlike
from asr_scaling.records.process_intervals import (
    OF_STARTING,
    OfEach,
    figures_of_each,
    of_both_levels,
    of_one_alone,
    scope,
    unsteady,
    with_usual_of_both_levels,
)

_Value = TypeVar("_Value")
_LATENCY = "latency/mean_s"
_FLOOR = "noise/latency_floor"
_COMBINED: Mapping[str, Callable[[list[float]], float]] = {
    **dict.fromkeys(
        ("energy/windows", "energy/total_j", "energy/cpu_j", "energy/memory_j", "energy/gpu_j"), sum
    ),
    "workload/warmup_iterations": sum,
    "energy/ticks": min,
    **dict.fromkeys(
        ("workload/audio_s", "workload/processed_audio_s", "workload/repeated_utterances"), max
    ),
}
"""Metrics of which a mean over rounds would be wrong, with the function to use instead."""
RecordFile = tuple[Path, RunRecord]
"""A record and the path of its ``record.json``."""


def round_place(path: Path) -> Path | None:
    """The folder of the point to which the record of a round belongs.

    <sweep>/<point> for <sweep>/rounds/<k>/<point>/record.json; None for any other path.
    """
    parts = path.parts
    for i in range(len(parts) - 3, -1, -1):
        if parts[i] == ROUNDS_FOLDER and parts[i + 1].isdigit():
            return Path(*parts[:i], *parts[i + 2 : -1])
    return None


def rounds_by_place(files: Sequence[RecordFile]) -> dict[Path, list[RecordFile]]:
    """The rounds of each point, by the folder to which the point's merged record belongs."""
    places: dict[Path, list[RecordFile]] = {}
    for path, record in files:
        if record.round is not None and (place := round_place(path)) is not None:
            places.setdefault(place, []).append((path, record))
    return places


def whole_points(files: Sequence[RecordFile]) -> list[RunRecord]:
    """One record a point, in the order of ``files``.

    Rounds are left out where their point has a record, and are merged where it has none.
    """
    return [record for _, record in placed_points(files)]


def placed_points(files: Sequence[RecordFile]) -> list[tuple[Path, RunRecord]]:
    """``whole_points``, each with the folder where its record is or belongs."""
    places = rounds_by_place(files)
    there = {path.parent for path, record in files if record.round is None}
    points = []
    for path, record in files:
        place = None if record.round is None else round_place(path)
        if place is None:
            points.append((path.parent, record))
        elif place not in there:
            there.add(place)
            points.append((place, merge([part for _, part in places[place]])))
    return points


def merge(rounds: Sequence[RunRecord]) -> RunRecord:
    """The rounds of one point as one record.

    Samples, beats and repeats are kept in the order they were taken. Where each round was a process
    of its own, samples and beats say which. How metrics are merged:

    - latency, stages, throughput and the noise floor are computed again from all samples;
    - intervals of times of fresh processes are of both levels (process_intervals.py);
    - a metric with repeats is the mean of all repeats;
    - any other is the mean over the rounds that have it, with Student's interval over them.

    The point has failed when a round has failed; what the others measured stays. Rounds on another
    kind of machine than that of the fullest round are left out, with a caution.
    """
    return with_usual_of_both_levels(_merged(rounds))


def _merged(rounds: Sequence[RunRecord]) -> RunRecord:
    every = sorted(map(_numbered, rounds), key=lambda r: (r.round or 0, r.started_at))
    fullest = max(every, key=_full)
    ordered = [record for record in every if not unlike(fullest.environment, record.environment)]
    samples = sorted((s for r in ordered for s in r.samples), key=_taken)
    beats = sorted((b for r in ordered for b in r.beats), key=lambda b: (b.process, b.at))
    own = figures_of_each(ordered) if len(ordered) > 1 and all(map(fresh, ordered)) else ()
    metrics, unavailable = _figures(ordered, samples, repeats := _repeats(ordered), own)
    return replace(
        fullest,
        **_outcome(every),
        name=ordered[0].name,
        config=_without_round(ordered[0].config),
        environment={**fullest.environment, **_hosts(ordered)},
        samples=tuple(samples),
        beats=tuple(beats),
        metrics=metrics,
        unavailable=unavailable,
        cautions=_cautions(every, ordered, fullest),
        tags=_tags(ordered, own),
        artifacts=tuple(dict.fromkeys(name for record in ordered for name in record.artifacts)),
        repeats=repeats,
        job_s={name: sum(s) for name, s in _by_name(r.job_s for r in ordered).items()},
        started_at=min(record.started_at for record in ordered),
        ended_at=max(record.ended_at for record in ordered),
    )


def _outcome(rounds: Sequence[RunRecord]) -> dict[str, Any]:
    """Status and reason: those of the first round that failed."""
    bad = next((record for record in rounds if record.status != "ok"), None)
    if bad is None:
        return {"status": "ok", "reason": None}
    which = f"process {(bad.round or 0) + 1}" if fresh(bad) else f"round {bad.round}"
    return {"status": bad.status, "reason": f"{which}: {bad.reason}"}


def fresh(record: RunRecord) -> bool:
    """Whether a round was a process of its own; those of earlier versions shared one."""
    return "processes" in (record.config.get("sweep") or {})


def _numbered(record: RunRecord) -> RunRecord:
    """The round with the number of its process at its calls and readings."""
    if not fresh(record):
        return record
    samples = tuple(replace(sample, process=record.round or 0) for sample in record.samples)
    beats = tuple(replace(beat, process=record.round or 0) for beat in record.beats)
    return replace(record, samples=samples, beats=beats)


def _repeats(rounds: Sequence[RunRecord]) -> dict[str, tuple[float, ...]]:
    runs = _by_name(record.repeats for record in rounds)
    return {name: tuple(chain.from_iterable(values)) for name, values in runs.items()}


def _taken(sample: Sample) -> tuple[int, float]:
    """When a call was made; clocks of two processes need not agree."""
    return sample.process, sample.started_at


def _full(record: RunRecord) -> tuple[bool, bool]:
    """How much a round has besides times; only the first round takes every measurement."""
    return bool(record.transcripts), bool(record.system)


def _cautions(
    every: Sequence[RunRecord], merged: Sequence[RunRecord], fullest: RunRecord
) -> tuple[Caution, ...]:
    """Those of the ``merged`` rounds, and ones about rounds that are left out or missing."""
    cautions = dict.fromkeys(kept for record in merged for kept in record.cautions)
    missing = len(every) - len(merged)
    if missing:
        other = next(record for record in every if record not in merged)
        difference = unlike(fullest.environment, other.environment)
        cautions[caution("RoundsElsewhere", rounds=missing, kinds=difference)] = None
    cautions |= dict.fromkeys(unsteady(merged) if all(map(fresh, merged)) else ())
    sweep = merged[0].config.get("sweep") or {}
    asked = sweep.get("processes", sweep.get("rounds"))
    if isinstance(asked, int) and len(merged) < asked:
        cautions[caution("RoundsMissing", done=len(merged), rounds=asked)] = None
    return tuple(cautions)


def _by_name(rounds: Iterable[Mapping[str, _Value]]) -> dict[str, list[_Value]]:
    """All values of each name, in the order of the rounds."""
    values: dict[str, list[_Value]] = {}
    for own in rounds:
        for name, value in own.items():
            values.setdefault(name, []).append(value)
    return values


def _tags(rounds: Sequence[RunRecord], own: OfEach) -> dict[str, str]:
    """The values of each tag, as one, and how many rounds were merged.

    Where rounds were planned to make more calls than others, the calls of each are a tag too.
    """
    tags = _by_name(record.tags for record in rounds)
    joined = {name: ", ".join(dict.fromkeys(values)) for name, values in tags.items()}
    joined["sweep/rounds"] = str(len(rounds))
    if any("calls" in (record.config.get("sweep") or {}) for record in rounds):
        joined["sweep/calls"] = ", ".join(str(len(record.samples)) for record in rounds)
    if own:
        joined[INTERVAL_OF] = scope(rounds)
        if alone := of_one_alone(rounds, own):
            joined[OF_ONE_ALONE] = ", ".join(alone)
    return joined


def _hosts(rounds: Sequence[RunRecord]) -> dict[str, str]:
    """The names of all hosts that took part, as one; nothing where there is only one."""
    names = dict.fromkeys(
        str(record.environment["host"]) for record in rounds if record.environment.get("host")
    )
    return {"host": " + ".join(names)} if len(names) > 1 else {}


def _figures(
    rounds: Sequence[RunRecord],
    samples: Sequence[Sample],
    repeats: Mapping[str, tuple[float, ...]],
    own: OfEach,
) -> tuple[tuple[Metric, ...], dict[str, str]]:
    """Metrics of the merged record, and why others are unavailable in every round.

    own: the figures of each round where these are several processes; else none.
    """
    rows = _by_name({metric.name: metric for metric in record.metrics} for record in rounds)
    reasons = _by_name(record.unavailable for record in rounds)
    unavailable = {name: first for name, (first, *_) in reasons.items()}
    metrics = {name: _mean(name, row, repeats.get(name, ())) for name, row in rows.items()}
    if samples and _LATENCY in metrics:
        summary = summarise(samples)
        for name, why in summary.unavailable.items():
            metrics.pop(name, None)
            if why != NO_STEPS or name not in unavailable:  # a round's own reason says more
                unavailable[name] = why
        metrics |= {metric.name: metric for metric in summary.metrics}
        _without_looping(rounds, samples, metrics, unavailable)
    if own:
        metrics = of_both_levels(metrics, own, spread_of(rounds[0].environment))
    floor = noise_floor(times_by_input(samples))
    if floor is not None:
        metrics[_FLOOR] = Metric(_FLOOR, floor, len(samples))
    if any(record.tags.get(METHOD) == GUESSED for record in rounds):
        metrics |= {n: replace(m, interval=None) for n, m in metrics.items() if of_energy(n)}
    lacking = {name: why for name, why in unavailable.items() if name not in metrics}
    return tuple(metrics.values()), lacking


def _without_looping(
    rounds: Sequence[RunRecord],
    samples: Sequence[Sample],
    metrics: dict[str, Metric],
    unavailable: dict[str, str],
) -> None:
    """RTFx without looping utterances over all samples, where a round has looked for them."""
    transcripts = [row for record in rounds for row in record.transcripts]
    if (RTFX_WITHOUT not in metrics and RTFX_WITHOUT not in unavailable) or not transcripts:
        return
    found = rtfx_without(samples, {row["id"] for row in transcripts if row.get("looping")})
    metrics.pop(RTFX_WITHOUT, None)
    if isinstance(found, Metric):
        metrics[RTFX_WITHOUT] = found
    else:
        unavailable[RTFX_WITHOUT] = found


def _mean(name: str, metrics: Sequence[Metric], repeats: Sequence[float]) -> Metric:
    values = [metric.value for metric in metrics]
    if name in _COMBINED:
        n = sum(metric.n or 0 for metric in metrics) or None
        return Metric(name, _COMBINED[name](values), n)
    if len(metrics) > 1 and repeats:
        return Metric(name, statistics.fmean(repeats), len(repeats), mean_interval(repeats))
    if len(set(values)) == 1 and not name.startswith(OF_STARTING):
        return metrics[0]
    return Metric(name, statistics.fmean(values), len(values), mean_interval(values))


def _without_round(config: Mapping[str, object]) -> dict[str, object]:
    sweep = config.get("sweep")
    if isinstance(sweep, Mapping):
        sweep = {key: value for key, value in sweep.items() if key != "round"}
    return {**config, "sweep": sweep}
