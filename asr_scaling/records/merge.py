"""The rounds of an interleaved sweep made whole: one record a point, its figures computed anew from all samples."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from asr_scaling.core.cautions import caution
from asr_scaling.core.record import ROUNDS_FOLDER, Metric, RunRecord, Sample
from asr_scaling.core.statistics import mean_interval, noise_floor
from asr_scaling.core.summary import NO_STEPS, summarise
from asr_scaling.machine.interference import times_by_input
from asr_scaling.machine.kind import unlike

_LATENCY, _FLOOR = "latency/mean_s", "noise/latency_floor"
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
"""Totals, bounds and coverage, of which a mean over rounds would be wrong."""
Found = tuple[Path, RunRecord]
"""A record and the path of its ``record.json``."""


def round_place(path: Path) -> Path | None:
    """<sweep>/<point> for <sweep>/rounds/<k>/<point>/record.json, where a round is; None for any other path."""
    parts = path.parts
    for i in range(len(parts) - 3, -1, -1):
        if parts[i] == ROUNDS_FOLDER and parts[i + 1].isdigit():
            return Path(*parts[:i], *parts[i + 2 : -1])
    return None


def rounds_by_place(found: Sequence[Found]) -> dict[Path, list[Found]]:
    """Folder where a point's whole record belongs → the rounds of that point."""
    places: dict[Path, list[Found]] = {}
    for path, record in found:
        if record.round is not None and (place := round_place(path)) is not None:
            places.setdefault(place, []).append((path, record))
    return places


def whole_points(found: Sequence[Found]) -> list[RunRecord]:
    """One record a point, in the order found: rounds stand aside for their point, or are merged where it is missing."""
    places, there = (
        rounds_by_place(found),
        {path.parent for path, record in found if record.round is None},
    )
    points = []
    for path, record in found:
        place = None if record.round is None else round_place(path)
        if place is None:
            points.append(record)
        elif place not in there:
            there.add(place)
            points.append(merge([each for _, each in places[place]]))
    return points


def merge(rounds: Sequence[RunRecord]) -> RunRecord:
    """The rounds of one point as one record.

    Samples and repeats follow one another in the order they were taken; latency, stages, throughput and the noise
    floor are computed anew from all samples, figures with repeats are the mean of all of these. Any other figure is the
    mean over the rounds that have it, with Student's interval over them, or the one figure of the only round that has
    it. A round that failed makes the point failed; what the others measured stays. Rounds of another kind of machine
    than that of the fullest round are left out, with a caution.
    """
    every = sorted(rounds, key=lambda record: (record.round or 0, record.started_at))
    fullest = max(every, key=_full)
    ordered = [record for record in every if not unlike(fullest.environment, record.environment)]
    first = ordered[0]
    samples = tuple(
        sorted((s for record in ordered for s in record.samples), key=lambda s: s.started_at)
    )
    repeats = _repeats(ordered)
    metrics, unavailable = _figures(ordered, samples, repeats)
    bad = next((record for record in every if record.status != "ok"), None)
    cautions = dict.fromkeys(kept for record in ordered for kept in record.cautions)
    if len(ordered) < len(every):
        stranger = next(record for record in every if record not in ordered)
        what = unlike(fullest.environment, stranger.environment)
        elsewhere = len(every) - len(ordered)
        cautions[caution("RoundsElsewhere", rounds=elsewhere, kinds=what)] = None
    asked = (first.config.get("sweep") or {}).get("rounds")
    if isinstance(asked, int) and len(ordered) < asked:
        cautions[caution("RoundsMissing", done=len(ordered), rounds=asked)] = None
    return replace(
        fullest,
        name=first.name,
        status=bad.status if bad else "ok",
        reason=f"round {bad.round}: {bad.reason}" if bad else None,
        config=_without_round(first.config),
        environment={**fullest.environment, **_hosts(ordered)},
        samples=samples,
        metrics=metrics,
        unavailable=unavailable,
        cautions=tuple(cautions),
        tags=_tags(ordered) | {"sweep/rounds": str(len(ordered))},
        artifacts=tuple(dict.fromkeys(name for record in ordered for name in record.artifacts)),
        repeats=repeats,
        job_s={
            key: sum(r.job_s.get(key, 0.0) for r in ordered)
            for record in ordered
            for key in record.job_s
        },
        started_at=min(record.started_at for record in ordered),
        ended_at=max(record.ended_at for record in ordered),
    )


def _full(record: RunRecord) -> tuple[bool, bool]:
    """How much besides times it has: only the first round takes every measurement."""
    return bool(record.transcripts), bool(record.system)


def _hosts(rounds: Sequence[RunRecord]) -> dict[str, str]:
    """All hosts of one kind that took part, as one name; nothing where there is one."""
    names = dict.fromkeys(
        str(record.environment["host"]) for record in rounds if record.environment.get("host")
    )
    return {"host": " + ".join(names)} if len(names) > 1 else {}


def _figures(
    rounds: Sequence[RunRecord], samples: Sequence[Sample], repeats: Mapping[str, tuple[float, ...]]
) -> tuple[tuple[Metric, ...], dict[str, str]]:
    """Metrics, and the reasons of those that no round could give."""
    rows: dict[str, list[Metric]] = {}
    unavailable: dict[str, str] = {}
    for record in rounds:
        for metric in record.metrics:
            rows.setdefault(metric.name, []).append(metric)
        for name, why in record.unavailable.items():
            unavailable.setdefault(name, why)
    metrics = {name: _mean(name, found, repeats.get(name, ())) for name, found in rows.items()}
    if samples and _LATENCY in metrics:
        anew = summarise(samples)
        metrics = {name: metric for name, metric in metrics.items() if name not in anew.unavailable}
        metrics |= {metric.name: metric for metric in anew.metrics}
        again = {
            name: why
            for name, why in anew.unavailable.items()
            if why != NO_STEPS or name not in unavailable
        }
        unavailable |= again  # the rounds know why an engine shows no steps, the samples don't
    floor = noise_floor(times_by_input(samples))
    if floor is not None:
        metrics[_FLOOR] = Metric(_FLOOR, floor, len(samples))
    return tuple(metrics.values()), {
        name: why for name, why in unavailable.items() if name not in metrics
    }


def _mean(name: str, found: Sequence[Metric], repeats: Sequence[float]) -> Metric:
    values = [metric.value for metric in found]
    if name in _COMBINED:
        return Metric(name, _COMBINED[name](values), sum(metric.n or 0 for metric in found) or None)
    if len(found) > 1 and repeats:
        return Metric(name, statistics.fmean(repeats), len(repeats), mean_interval(repeats))
    if len(set(values)) == 1:
        return found[0]
    return Metric(name, statistics.fmean(values), len(values), mean_interval(values))


def _repeats(rounds: Sequence[RunRecord]) -> dict[str, tuple[float, ...]]:
    names = dict.fromkeys(name for record in rounds for name in record.repeats)
    return {
        name: tuple(value for record in rounds for value in record.repeats.get(name, ()))
        for name in names
    }


def _tags(rounds: Sequence[RunRecord]) -> dict[str, str]:
    """Where rounds say different things, all of them."""
    names = dict.fromkeys(name for record in rounds for name in record.tags)
    return {
        name: ", ".join(dict.fromkeys(r.tags[name] for r in rounds if name in r.tags))
        for name in names
    }


def _without_round(config: Mapping[str, object]) -> dict[str, object]:
    sweep = config.get("sweep")
    own = (
        {key: value for key, value in sweep.items() if key != "round"}
        if isinstance(sweep, Mapping)
        else sweep
    )
    return {**config, "sweep": own}
