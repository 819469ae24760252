"""Warm-up → timed pass → the passes that disturb → quality: the order that keeps figures right."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from asr_scaling.core.cautions import Caution, caution
from asr_scaling.core.metric import Metric
from asr_scaling.core.option_checks import one_of
from asr_scaling.core.ports import PHASES, Measurement, Session
from asr_scaling.core.record import Findings
from asr_scaling.core.sample import Sample
from asr_scaling.core.statistics import mean_interval, precision, trend
from asr_scaling.core.timing_probe import timed_call
from asr_scaling.errors import ConfigError
from asr_scaling.machine.interference import MachineWatch, drift
from asr_scaling.machine.memory import release_memory
from asr_scaling.machine.metronome import Metronome, Probes, probes_of
from asr_scaling.measure.spoken_language import spoken_language

SCOPE = (
    "from mono float32 samples in memory to text on the host, per call, "
    "the device synchronised at the end; "
    "reading and decoding audio, batching and loading the model are outside"
)
STEADY_CALLS = 6
"""The warm-up is over when so many calls in a row don't get faster (Mann-Kendall test, 5 %)."""
_PATIENCE = 6
"""``min_iterations`` calls may take so many times ``max_seconds``; else ``_FEWEST`` calls do."""
_FEWEST = 3
"""Fewest calls for an interval of their mean."""
Ended = Literal["precision", "count", "budget"]
WARMED_BY = ("largest", "cheapest")


@dataclass(frozen=True)
class Pipeline:
    """Budgets of a point.

    The timed pass calls the batches in turn, each at least once, until its figures are precise
    enough or its time is spent.

    ``utterances``: at most this many distinct utterances; None for all.
    ``spread``: choose them evenly by length, of up to 64.
    ``scored``: have the texts of so many utterances scored, those beyond ``utterances`` without
    timing them; None for those alone.
    ``warmup``: calls before timing, at least; more follow until the last six get no faster.
    ``warmup_by``: on the "largest" batch, or on as many of the shortest utterance ("cheapest").
    ``warmup_seconds``: after these no more calls follow ``warmup``.
    ``min_iterations``: timed calls, at least; where they would take more than six times
    ``max_seconds``, three do, or half of them where no ``precision`` is asked for.
    ``precision``: timing ends when the 95 % interval of the median is within ± this share of it;
    None: when ``min_iterations`` calls are timed.
    ``max_seconds``: after these, timing ends as soon as ``min_iterations`` calls are timed.
    ``metronome``: whether known work between the calls shows the machine's state.
    ``probes``: makes that work; tests replace it.
    """

    utterances: int | None = 16
    spread: bool = False
    scored: int | None = None
    warmup: int = 1
    warmup_by: str = "largest"
    warmup_seconds: float = 5.0
    min_iterations: int = 6
    precision: float | None = 0.02
    max_seconds: float = 8.0
    metronome: bool = True
    probes: Probes = field(default=probes_of, repr=False)

    def __post_init__(self) -> None:
        utterances, scored = self.utterances, self.scored
        share = self.precision
        one_of("pipeline.warmup_by", self.warmup_by, WARMED_BY)
        for option, value, holds, bounds in (
            ("utterances", utterances, utterances is None or utterances >= 1, "at least 1 or null"),
            ("scored", scored, scored is None or scored >= 1, "at least 1 or null"),
            ("warmup", self.warmup, self.warmup >= 0, "0 or more calls"),
            ("warmup_seconds", self.warmup_seconds, self.warmup_seconds >= 0, "0 or more"),
            ("min_iterations", self.min_iterations, self.min_iterations >= 1, "at least 1"),
            ("precision", share, share is None or 0 < share < 1, "between 0 and 1, or null"),
            ("max_seconds", self.max_seconds, self.max_seconds > 0, "more than 0"),
        ):
            if not holds:
                raise ConfigError(f"pipeline.{option} must be {bounds}; got {value}.")


Collect = Callable[[str, Findings], None]


def measure(
    session: Session, pipeline: Pipeline, measurements: Mapping[str, Measurement], collect: Collect
) -> None:
    """Run every pass in order; ``collect`` gets the findings of each as soon as they are there."""
    release_memory()  # whatever was loaded before, calls begin with a heap without freed pages
    session.device.memory.reset()
    warm = _warm_up(session, pipeline)
    collect("warm-up", Findings((Metric("workload/warmup_iterations", len(session.warmup)),)))
    session.device_peak_bytes = session.device.memory.peak_bytes()
    with Metronome(session.device, pipeline.probes if pipeline.metronome else None) as metronome:
        collect("timed pass", _timed_pass(session, pipeline, warm, metronome))
    if (peak := session.device.memory.peak_bytes()) is not None:
        own = peak - metronome.device_bytes
        session.device_peak_bytes = max(session.device_peak_bytes or 0, own)
    for phase in PHASES:
        for measurement in measurements.values():
            if measurement.phase == phase:
                session.progress.stage(measurement.name)
                collect(measurement.name, measurement.measure(session))
    scored = any(measurement.name == "quality" for measurement in measurements.values())
    collect("language", spoken_language(session, scored))
    collect("workload", _processed(session))


def _warm_up(session: Session, pipeline: Pipeline) -> bool:
    """True when the last calls showed no trend, False when the budget ended first."""
    session.progress.stage("warm-up")
    start = time.perf_counter()
    largest = pipeline.warmup_by == "largest"
    batch = session.largest if largest else session.cheapest
    while len(session.warmup) < pipeline.warmup or (pipeline.warmup and pipeline.warmup_seconds):
        session.warmup.append(timed_call(session, batch, keep=largest))
        compiling = session.system.facts.compile_s or 0.0  # is no reason to warm up less
        done, spent = len(session.warmup), time.perf_counter() - start - compiling
        last = [sample.total_s for sample in session.warmup[-STEADY_CALLS:]]
        if done >= max(pipeline.warmup, STEADY_CALLS) and not trend([last]).falls:
            return True
        if done >= pipeline.warmup and spent > pipeline.warmup_seconds:
            return False
        session.progress.advance(
            min(1.0, max(done / STEADY_CALLS, spent / max(pipeline.warmup_seconds, 1e-9)))
        )
    return False


def _timed_pass(session: Session, pipeline: Pipeline, warm: bool, metronome: Metronome) -> Findings:
    session.progress.stage("timed pass")
    batches, samples = session.batches, list[Sample]()
    metronome.beat()
    for watch in session.watches.values():
        watch.begin()
    machine = MachineWatch()
    rule, ended = _Rule(pipeline, len(batches)), None
    start = time.perf_counter()
    while ended is None:
        if beat_s := metronome.look():
            for watch in session.watches.values():
                watch.beside(beat_s)
        batch = batches[len(samples) % len(batches)]
        samples.append(timed_call(session, batch))
        session.samples, session.beats = tuple(samples), metronome.beats
        for watch in session.watches.values():
            watch.after(batch)
        machine.look()
        spent = time.perf_counter() - start
        ended = rule.ended(samples, spent)
        session.progress.advance(rule.fraction(len(samples), spent))
    metronome.beat()
    session.beats = metronome.beats
    noise = machine.findings(samples, session.warmup[-STEADY_CALLS:] if warm else ())
    cautions = (*noise.cautions, *drift(samples, warm))
    if len(samples) < len(batches):
        calls = {"done": len(samples), "batches": len(batches)}
        cut = caution("TimedPassCut", **calls, max_seconds=pipeline.max_seconds)
        cautions = (*cautions, cut)
    warmup = "steady" if warm else "not shown to be steady"
    tags = {"timing/ended_by": ended, "timing/warmup": warmup}
    if metronome.why_not:
        tags["timing/metronome"] = metronome.why_not
    return Findings(noise.metrics, noise.unavailable, cautions, tags)


class _Rule:
    """When the timed pass has enough."""

    def __init__(self, pipeline: Pipeline, batches: int) -> None:
        self._pipeline, self._wanted = pipeline, max(pipeline.min_iterations, batches)
        self._look_at = self._wanted

    def ended(self, samples: list[Sample], spent_s: float) -> Ended | None:
        n, pipeline = len(samples), self._pipeline
        if n >= self._wanted:
            if pipeline.precision is None:
                return "count"
            if n >= self._look_at:
                # sorting all samples after every call would cost more than the calls
                self._look_at = n + max(1, n // 20)
                if _known_within([sample.total_s for sample in samples], pipeline.precision):
                    return "precision"
        affordable = spent_s / n * pipeline.min_iterations <= _PATIENCE * pipeline.max_seconds
        least = pipeline.min_iterations if affordable else self._fewest
        return "budget" if spent_s > pipeline.max_seconds and n >= least else None

    @property
    def _fewest(self) -> int:
        least = self._pipeline.min_iterations
        half = least if self._pipeline.precision is not None else max(1, least // 2)
        return min(_FEWEST, half)

    def fraction(self, n: int, spent_s: float) -> float:
        done = n / self._wanted if self._pipeline.precision is None else 0.0
        return min(1.0, max(done, spent_s / self._pipeline.max_seconds))


_CAUTIOUS = 1.6
"""The mean's interval must be so much narrower than the asked one: a chance gap between two values
would end the pass otherwise."""


def _known_within(times: list[float], share: float) -> bool:
    """True when the intervals of the median and of the mean say: known within ± ``share``.

    A pass that stops as soon as an interval is narrow has intervals that hold the truth less often:
    in 91 % of simulated passes with the median's alone, in 93 to 95 % with both
    (tests/core/test_coverage.py).
    """
    mean = mean_interval(times)
    if mean is None or precision(times) > share:
        return False
    middle = (mean.low + mean.high) / 2
    return _CAUTIOUS * mean.half(middle) <= share * middle


def _processed(session: Session) -> Findings:
    """Seconds of audio given and processed; each utterance that was transcribed counts once."""
    given = {u.id: u.duration_s for u in session.workload.utterances if u.id in session.processed_s}
    lost = sum(max(0.0, given[key] - session.processed_s[key]) for key in given)
    cautions: list[Caution] = []
    if lost > 0.05:
        cautions.append(caution("TruncatedAudio", seconds=lost))
    if session.differing:
        differing, repeated = len(session.differing), len(session.repeated)
        cautions.append(caution("NonDeterministic", differing=differing, repeated=repeated))
    processed_s = sum(session.processed_s[key] for key in given)
    metrics = (
        Metric("workload/audio_s", sum(given.values()), len(given)),
        Metric("workload/processed_audio_s", processed_s, len(given)),
        Metric("workload/repeated_utterances", len(session.repeated), len(given)),
        *_decodings(session),
    )
    return Findings(metrics, cautions=tuple(cautions))


def _decodings(session: Session) -> list[Metric]:
    """How often utterances were decoded, each by its first call; of engines that tell."""
    told = session.decoded.values()
    if not told:
        return []
    n, times = len(told), [decodings for _, decodings in told]
    return [
        Metric("decoding/redecoded_share", sum(count > 1 for count in times) / n, n),
        Metric("decoding/per_utterance", sum(times) / n, n),
        Metric("decoding/highest_temperature", max(temperature for temperature, _ in told), n),
    ]
