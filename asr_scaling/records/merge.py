"""Merges the rounds of a point, each of a process of its own, into one record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

from asr_scaling.core.cautions import Caution, caution
from asr_scaling.core.record import ROUNDS_FOLDER, RunRecord
from asr_scaling.core.sample import Sample
from asr_scaling.core.search_stage import search_stage
from asr_scaling.core.time_intervals import INTERVAL_OF, OF_ONE_ALONE, of_one_process
from asr_scaling.core.usual_figures import with_usual
from asr_scaling.machine.machine_kind import unlike
from asr_scaling.records.merged_figures import by_name, figures, fullness
from asr_scaling.records.process_intervals import (
    OfEach,
    figures_of_each,
    of_one_alone,
    scope,
    unsteady,
    with_usual_of_both_levels,
)

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

    - transcripts and what is counted in them are those of the round that scored most.

    The point has failed when a round has failed; what the others measured stays. Rounds on another
    kind of machine than that of the fullest round are left out, with a caution.
    """
    merged = _merged(rounds)
    if all(map(_block, rounds)):
        return of_one_process(with_usual(merged))
    return with_usual_of_both_levels(merged)


def _merged(rounds: Sequence[RunRecord]) -> RunRecord:
    every = sorted(map(_numbered, rounds), key=lambda r: (r.round or 0, r.started_at))
    fullest = max(every, key=fullness)
    ordered = [record for record in every if not unlike(fullest.environment, record.environment)]
    samples = sorted((s for r in ordered for s in r.samples), key=_taken)
    beats = sorted((b for r in ordered for b in r.beats), key=lambda b: (b.process, b.at))
    own = figures_of_each(ordered) if len(ordered) > 1 and all(map(fresh, ordered)) else ()
    metrics, unavailable = figures(ordered, samples, repeats := _repeats(ordered), own)
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
        loads=tuple(load for record in ordered for load in record.loads),
        job_s={name: sum(s) for name, s in by_name(r.job_s for r in ordered).items()},
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


def _block(record: RunRecord) -> bool:
    """Whether it is one of a search's blocks, which one process takes together."""
    return search_stage(record.config) == "search" and not fresh(record)


def _numbered(record: RunRecord) -> RunRecord:
    """The round with the number of its process at its calls and readings."""
    if not fresh(record):
        return record
    samples = tuple(replace(sample, process=record.round or 0) for sample in record.samples)
    beats = tuple(replace(beat, process=record.round or 0) for beat in record.beats)
    return replace(record, samples=samples, beats=beats)


def _repeats(rounds: Sequence[RunRecord]) -> dict[str, tuple[float, ...]]:
    runs = by_name(record.repeats for record in rounds)
    return {name: tuple(chain.from_iterable(values)) for name, values in runs.items()}


def _taken(sample: Sample) -> tuple[int, float]:
    """When a call was made; clocks of two processes need not agree."""
    return sample.process, sample.started_at


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


def _tags(rounds: Sequence[RunRecord], own: OfEach) -> dict[str, str]:
    """The values of each tag, as one, and how many rounds were merged.

    Where rounds were planned to make more calls than others, the calls of each are a tag too.
    """
    tags = by_name(record.tags for record in rounds)
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


def _without_round(config: Mapping[str, object]) -> dict[str, object]:
    sweep = config.get("sweep")
    if isinstance(sweep, Mapping):
        sweep = {key: value for key, value in sweep.items() if key != "round"}
    return {**config, "sweep": sweep}
