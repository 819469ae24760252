"""Points as a report needs them: a record without its raw samples, so that ten thousand fit in memory."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from asr_scaling.caution import Caution
from asr_scaling.record import RunRecord, Status
from asr_scaling.stats import Interval

NATURAL = "natural"
_NAMED = ("_target_", "seed")


@dataclass(frozen=True)
class Point:
    """One point of a sweep. Times in seconds, sizes in bytes, rates as shares.

    ``system``: model, and whatever of engine and options tells it from others of the same model in this report; the
    name that tables and figures use. ``hardware``: name of the CPU or GPU that computed. ``length_s``: the dataset's
    length, None for natural utterances. ``audio_s``: mean seconds of audio of an utterance in a timed call.
    ``slowest_s``: longest timed call. ``wer_known``: whether WER means anything (real weights, scored).
    ``load``: the whole record again, with its samples. DataError when it is gone.
    """

    name: str
    status: Status
    reason: str | None
    model: str
    system: str
    family: str
    parameters: int | None
    window_s: float | None
    weights: str
    engine: str
    options: Mapping[str, str]
    device: str
    hardware: str
    host: str
    dataset: str
    synthetic: bool
    length_s: float | None
    batch: int
    audio_s: float
    utterances: int
    calls: int
    slowest_s: float | None
    load: Callable[[], RunRecord] = field(repr=False, compare=False)
    values: Mapping[str, float] = field(default_factory=dict)
    intervals: Mapping[str, Interval] = field(default_factory=dict)
    unavailable: Mapping[str, str] = field(default_factory=dict)
    cautions: tuple[Caution, ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict)
    environment: Mapping[str, Any] = field(default_factory=dict)
    config: Mapping[str, Any] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)
    curve: tuple[Mapping[str, Any], ...] = ()
    started_at: float = 0.0
    ended_at: float = 0.0

    @property
    def ok(self) -> bool:
        """Whether it was measured to its end."""
        return self.status == "ok"

    @property
    def random(self) -> bool:
        """Whether its weights are random, so that speed holds and texts mean nothing."""
        return self.weights == "random"

    @property
    def wer_known(self) -> bool:
        """Whether it has a WER at all; that of synthetic speech is known, and labelled."""
        return "quality/wer" in self.values

    @property
    def length(self) -> str:
        """ "15 s", or "natural"."""
        return NATURAL if self.length_s is None else f"{self.length_s:g} s"

    @property
    def keys(self) -> dict[str, str]:
        """What the page's filter goes by."""
        return {"model": self.system, "device": self.device, "length": self.length, "batch": str(self.batch)}

    def value(self, name: str) -> float | None:
        """A metric, None where it is not available."""
        return self.values.get(name)


def to_point(record: RunRecord, load: Callable[[], RunRecord] | None = None) -> Point:
    """``record`` without samples; ``load`` gives it back whole."""
    model = record.system.get("model") or record.config.get("model", {})
    facts = record.system.get("facts", {})
    device = str(record.system.get("device") or record.config.get("device", {}).get("_target_", "").rpartition(".")[0])
    samples = record.samples
    utterances = sum(len(sample.utterances) for sample in samples)
    return Point(
        name=record.name,
        status=record.status,
        reason=record.reason,
        model=str(model.get("name", record.name)),
        system=str(model.get("name", record.name)),
        family=str(model.get("family", "")),
        parameters=facts.get("parameters") or model.get("parameters"),
        window_s=model.get("window_s"),
        weights=str(facts.get("weights", "unknown")),
        engine=str(record.system.get("engine", "")),
        options=_options(record.config.get("engine", {})),
        device=device.rpartition(".")[2],
        hardware=_hardware(record.environment, device),
        host=str(record.environment.get("host", "")),
        dataset=str(record.dataset.get("name", "")),
        synthetic=bool(record.dataset.get("synthetic")),
        length_s=record.config.get("dataset", {}).get("length_s"),
        batch=_batch(record),
        audio_s=sum(s.audio_s for s in samples) / utterances if utterances else 0.0,
        utterances=int(record.dataset.get("utterances") or 0),
        calls=len(samples),
        slowest_s=max((s.total_s for s in samples), default=None),
        load=load or (lambda: record),
        values=record.values,
        intervals=record.intervals,
        unavailable=record.unavailable,
        cautions=record.cautions,
        tags=record.tags,
        environment=record.environment,
        config=record.config,
        facts=facts,
        curve=tuple(record.system.get("memory_by_batch", ())),
        started_at=record.started_at,
        ended_at=record.ended_at,
    )


def named(points: Iterable[Point]) -> list[Point]:
    """The points, systems of one model told apart by what differs between them: engine, options other than most points
    have, random weights; facts that many share are held once.
    """
    found, shared = list(points), dict[str, Mapping[str, Any]]()
    engines = {point.engine for point in found if point.engine}
    usual = {engine: _usual([point.options for point in found if point.engine == engine]) for engine in engines}
    kinds: dict[str, set[str]] = {}
    for point in found:
        kinds.setdefault(point.model, set()).add(point.weights)
    return [
        replace(
            point,
            system=" · ".join(_parts(point, len(engines) > 1, usual.get(point.engine, {}), kinds[point.model])),
            environment=_once(point.environment, shared),
            facts=_once(point.facts, shared),
        )
        for point in found
    ]


def _parts(point: Point, engines: bool, usual: Mapping[str, str | None], kinds: set[str]) -> list[str]:
    parts = [point.model]
    if engines and point.engine:
        parts.append(point.engine)
    options = ((name, point.options.get(name)) for name in usual)
    parts += [f"{name}={value or 'default'}" for name, value in options if value != usual[name]]
    if len(kinds - {"unknown"}) > 1 and point.random:
        parts.append("random weights")
    return parts


def _usual(options: Sequence[Mapping[str, str]]) -> dict[str, str | None]:
    """For each option the value that most points have, the first one met where two are as many."""
    names = dict.fromkeys(name for each in options for name in each)
    return {name: Counter(each.get(name) for each in options).most_common(1)[0][0] for name in names}


def _options(engine: Mapping[str, Any]) -> dict[str, str]:
    return {str(key): str(value) for key, value in engine.items() if key not in _NAMED}


def _once(value: Mapping[str, Any], shared: dict[str, Mapping[str, Any]]) -> Mapping[str, Any]:
    return shared.setdefault(json.dumps(value, sort_keys=True, default=str), value)


def _hardware(machine: Mapping[str, Any], device: str) -> str:
    gpu = machine.get("device", {}).get("gpu")
    if gpu and device.startswith("cuda"):
        return str(gpu)
    return f"{machine.get('cpu', 'unknown CPU')}, {machine.get('cpu_cores', '?')} cores"


def _batch(record: RunRecord) -> int:
    """Utterances in a call: as timed, else as asked for; 0 where a point failed before its batch was known."""
    if record.samples:
        return len(record.samples[0].utterances)
    asked = record.config.get("batch", {}).get("size")
    return int(asked) if isinstance(asked, (int, float)) and math.isfinite(asked) else 0
