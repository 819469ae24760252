"""Points for analysis: records without raw samples, so that ten thousand fit in memory."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from asr_scaling.analysis.beats import Beats, thinned
from asr_scaling.analysis.record_options import (
    serving_name,
    speech_name,
    speech_source,
    system_options,
    without_absent_modules,
)
from asr_scaling.core.cautions import Caution
from asr_scaling.core.decoding import decoding_name, with_decoding
from asr_scaling.core.energy_methods import METHOD, UNKNOWN, of_energy, power_known
from asr_scaling.core.judged import Stated, stated, usual
from asr_scaling.core.load_point import LoadPoint
from asr_scaling.core.older_records import ABOVE_IDLE, FITTED_IN
from asr_scaling.core.record import RunRecord, Status, choices
from asr_scaling.core.statistics import Interval
from asr_scaling.core.time_intervals import stages_within
from asr_scaling.core.typed_json import number
from asr_scaling.machine.machine_kind import hardware_name, machine_kind
from asr_scaling.util.redact import shown

NATURAL = "natural"
_BARELY = 1e-6


@dataclass(frozen=True)
class Point:
    """One point of a sweep. Times in seconds, sizes in bytes, rates as shares.

    ``system`` and ``device`` are what tables and figures call it; together they say what a figure
    is of.
    """

    name: str
    status: Status
    reason: str | None
    """Why it was not measured to its end."""
    model: str
    system: str
    """The model, and what tells it from other systems of the model in this report (naming.py)."""
    family: str
    parameters: int | None
    """How many the model has."""
    window_s: float | None
    """Seconds that the encoder always gets; None where it has no fixed window."""
    weights: str
    """Kind of weights, as "random"."""
    engine: str
    options: Mapping[str, str]
    """Of the engine by their names; of device, dataset and model as "device.threads"."""
    optimisations: tuple[str, ...]
    """In the order in which they are applied."""
    decoding: str
    """Its name, as "greedy"."""
    serving: str
    """How requests become calls, as "direct"; empty where none arrive."""
    device: str
    """As torch calls it, with hardware and host where the report has several of that name."""
    hardware: str
    """Name of the CPU or GPU that computed."""
    host: str
    dataset: str
    synthetic: bool
    """Whether the speech is synthesised."""
    copies: int
    """How many of the utterances are made copies of the others."""
    length_s: float | None
    """Of the dataset's fragments; None for natural utterances."""
    batch: int
    """Utterances in a call; 0 where the point failed before that was known."""
    audio_s: float
    """Mean seconds of audio of an utterance in a timed call."""
    utterances: int
    """Of the dataset."""
    calls: int
    """Timed calls."""
    slowest_s: float | None
    """The longest timed call."""
    load: Callable[[], RunRecord] = field(repr=False, compare=False)
    """Reads the whole record again, with its samples. Raises DataError when it is gone."""
    values: Mapping[str, float] = field(default_factory=dict)
    """Metric → its value."""
    intervals: Mapping[str, Interval] = field(default_factory=dict)
    """Metric → its interval of 95 %."""
    stages_within: Mapping[str, Interval] = field(default_factory=dict)
    """Metric of a stage → its interval over the calls alone."""
    unavailable: Mapping[str, str] = field(default_factory=dict)
    """Metric → why it is missing."""
    cautions: tuple[Caution, ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict)
    environment: Mapping[str, Any] = field(default_factory=dict)
    """The machine and its software."""
    config: Mapping[str, Any] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)
    """What the loaded system says of itself, as its dtype."""
    curve: tuple[Mapping[str, Any], ...] = ()
    """Batches that a search for the largest batch tried, with their peaks."""
    lanes: Mapping[str, Any] | None = None
    """When each module of a cascade worked in a call."""
    loads: tuple[LoadPoint, ...] = ()
    """What requests that arrive showed."""
    beats: tuple[Beats, ...] = field(default=(), repr=False, compare=False)
    """The machine's state while it was measured, thinned, of each process."""
    started_at: float = 0.0
    """Seconds since 1970."""
    ended_at: float = 0.0
    """Seconds since 1970."""
    content: str = ""
    """Hash of the utterances; empty where they were not loaded."""
    source: str = ""
    """Where the speech came from: a place on disk or on the hub, with its split."""

    @property
    def machine(self) -> str:
        """The kind of machine: processor, cores and memory."""
        return machine_kind(self.environment)

    @property
    def ok(self) -> bool:
        """Whether it was measured to its end."""
        return self.status == "ok"

    @property
    def random(self) -> bool:
        """Whether its weights are random, so that speed holds and texts mean nothing."""
        return self.weights == "random"

    @property
    def truncated(self) -> bool:
        """Whether part of the audio was not processed: its speed is of less than it was given."""
        return any(caution.kind == "TruncatedAudio" for caution in self.cautions)

    @property
    def wer_known(self) -> bool:
        """Whether its record has a WER; random weights have none, synthetic speech has one."""
        return "quality/wer" in self.values

    @property
    def error_rate(self) -> str:
        """The metric that its texts are judged by: CER in scripts without spaces, else WER."""
        by_characters = self.tags.get("quality/headline") == "cer"
        return "quality/cer" if by_characters else "quality/wer"

    @property
    def error_name(self) -> str:
        """ "CER" or "WER"."""
        return self.error_rate.rpartition("/")[2].upper()

    @property
    def energy_method(self) -> str:
        """How its joules were obtained: one of ``core.energy_methods``."""
        return self.tags.get(METHOD, UNKNOWN)

    @property
    def estimated(self) -> bool:
        """Whether its joules are estimated, not measured."""
        return "estimated" in self.energy_method

    @property
    def length(self) -> str:
        """ "15 s", or "natural"."""
        return length_name(self.length_s)

    @property
    def above_idle(self) -> bool:
        """Whether its peaks leave out what the process held before loading, as they once did."""
        searched = bool(self.curve) and not self.device.startswith("cuda")
        return ABOVE_IDLE in self.values or (searched and FITTED_IN not in self.tags)

    @property
    def keys(self) -> dict[str, str]:
        """What the page's filter goes by."""
        keys = {"model": self.system, "device": self.device, "length": self.length}
        return {**keys, "batch": str(self.batch)} if self.batch else keys

    def value(self, name: str) -> float | None:
        """A metric, None where it is not available."""
        return self.values.get(name)

    def at_usual(self, name: str) -> Stated | None:
        """A metric with its interval at the machine's usual state; None where that is not known."""
        return usual(name, self.values, self.intervals)

    def stated(self, name: str) -> Stated | None:
        """A metric with its interval, at the machine's usual state where that is known.

        Elsewhere as it was; None where it is not available.
        """
        return stated(name, self.values, self.intervals)

    def judged(self, name: str) -> float | None:
        """A metric to rank systems by: as ``stated``; None for joules whose power was guessed."""
        if of_energy(name) and not power_known(self.tags):
            return None
        found = self.stated(name)
        return None if found is None else found[0]


def length_name(length_s: float | None) -> str:
    """ "15 s", or "natural"."""
    return NATURAL if length_s is None else f"{length_s:g} s"


def length_order(length_s: float | None) -> float:
    """What lengths are sorted by: natural ones last."""
    return math.inf if length_s is None else length_s


def windows(audio_s: float, window_s: float | None) -> int:
    """Windows that ``audio_s`` seconds begin; 1 for a model without windows.

    A millionth of a window more begins no new one.
    """
    return max(1, math.ceil(audio_s / window_s - _BARELY)) if window_s else 1


def _intervals(record: RunRecord) -> Mapping[str, Interval]:
    """Of the metrics; joules of guessed power have none, whatever an older record says."""
    if power_known(record.tags):
        return record.intervals
    return {name: ends for name, ends in record.intervals.items() if not of_energy(name)}


def to_point(record: RunRecord, load: Callable[[], RunRecord] | None = None) -> Point:
    """``record`` without samples, its texts fit to be shown; ``load`` gives it back whole."""
    whole, config = record, without_absent_modules(with_decoding(record.config))
    record = shown(replace(record, transcripts=(), beats=(), config=config), but=("samples",))
    return replace(
        _without_findings(record, load or (lambda: whole)),
        values=record.values,
        intervals=_intervals(record),
        stages_within=stages_within(whole),
        unavailable=record.unavailable,
        cautions=record.cautions,
        tags=record.tags,
        environment=record.environment,
        config=record.config,
        facts=record.system.get("facts", {}),
        curve=tuple(record.system.get("memory_by_batch", ())),
        lanes=record.system.get("lanes"),
        loads=record.loads,
        beats=thinned(whole.beats, whole.samples),
        started_at=record.started_at,
        ended_at=record.ended_at,
    )


def _without_findings(record: RunRecord, load: Callable[[], RunRecord]) -> Point:
    """The point with what was measured and its calls, but not yet with what was found."""
    config = record.config
    model = record.system.get("model") or config.get("model", {})
    facts = record.system.get("facts", {})
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
        window_s=number(model.get("window_s")),
        weights=str(facts.get("weights", "unknown")),
        engine=record.engine,
        options=system_options(config),
        optimisations=record.optimisations,
        decoding=decoding_name(record.system, choices(config)),
        serving=serving_name(config),
        device=record.device,
        hardware=hardware_name(record.environment, record.device),
        host=str(record.environment.get("host", "")),
        dataset=str(record.dataset.get("name") or speech_name(config)),
        content=str(record.dataset.get("digest") or ""),
        source=speech_source(record),
        synthetic=bool(record.dataset.get("synthetic")),
        copies=int(record.dataset.get("copies") or 0),
        length_s=record.length_s,
        batch=_batch(record),
        audio_s=sum(s.audio_s for s in samples) / utterances if utterances else 0.0,
        utterances=int(record.dataset.get("utterances") or 0),
        calls=len(samples),
        slowest_s=max((s.total_s for s in samples), default=None),
        load=load,
    )


def _batch(record: RunRecord) -> int:
    """0 where a point failed before its batch was known."""
    size = record.batch
    return int(size) if isinstance(size, (int, float)) and math.isfinite(size) else 0
