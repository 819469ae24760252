"""How much of the machine the timed calls used, and what bounds them."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import cycle

from asr_scaling.core.call_summary import NO_STEPS
from asr_scaling.core.cautions import caution
from asr_scaling.core.metric import Metric
from asr_scaling.core.option_checks import must_be
from asr_scaling.core.ports import Phase, Session
from asr_scaling.core.record import Findings
from asr_scaling.core.sample import Sample
from asr_scaling.core.statistics import ratio_interval
from asr_scaling.core.usual_state import usual_state
from asr_scaling.core.workload import AudioBatch
from asr_scaling.machine.interference import read_counters
from asr_scaling.machine.peak_rates import DTYPES, Peaks, peaks
from asr_scaling.machine.sampler import Machine, Sampler
from asr_scaling.profiler._figures import Figures, findings_of, nothing_of
from asr_scaling.profiler._sampler import sampled_metrics, summarise

MOST_HZ = 10
_PARTS = ("", "_encoder", "_decoder")
_RATES = tuple(f"utilisation/{kind}{part}" for kind in ("mfu", "membw") for part in _PARTS)
_ROOFLINE = ("roofline/encoder_intensity", "roofline/decoder_intensity", "roofline/ridge")
_PEAKS = ("peak/flop_per_s", "peak/byte_per_s")
_NO_MODULES = "the engine shows no torch modules whose operations could be counted"
_NO_COUNTS = "needs counted FLOPs and bytes: put flops before utilisation in profiler=[…]"
_NO_STAGE = "the engine marks no stage 'encoder'"
_NO_CALLS = (
    "the timed pass has no call on the batch with the longest utterance: raise pipeline.max_seconds"
)
_SHRINKS = (
    "utterances of several windows leave the batch as they end, "
    "so the operations of a call are not known: set batch=1"
)

_AGAIN = (
    "a part of the batch with the longest utterance was decoded again in every call, so the "
    "operations of a call are not known"
)


@dataclass(frozen=True)
class Utilisation:
    """Reads the machine in a pass of its own.

    ``seconds``: length of the pass.
    ``hz``: readings a second, at most 10.
    A call longer than twice ``seconds`` is not sampled, so that slow points cost nothing.
    """

    seconds: float = 2.0
    hz: float = 5
    name: str = field(default="utilisation", init=False)
    phase: Phase = field(default="disturbing", init=False)

    def __post_init__(self) -> None:
        must_be("profiler.utilisation.seconds", self.seconds, self.seconds > 0, "more than 0")
        bound = f"above 0 and at most {MOST_HZ}"
        must_be("profiler.utilisation.hz", self.hz, 0 < self.hz <= MOST_HZ, bound)

    def measure(self, session: Session) -> Findings:
        """Utilisation of the timed calls, and the machine while it runs them again."""
        used, sampled = utilisation(session), self._sampled(session)
        return Findings(
            (*used.metrics, *sampled.metrics),
            {**used.unavailable, **sampled.unavailable},
            (*used.cautions, *sampled.cautions),
            used.tags,
        )

    def _sampled(self, session: Session) -> Findings:
        typical_s = statistics.median([sample.total_s for sample in session.samples] or [0.0])
        if typical_s > 2 * self.seconds:
            longer = f"raise profiler.utilisation.seconds to {math.ceil(typical_s)}"
            reason = f"one call takes {typical_s:.1f} s: {longer}"
            return nothing_of(sampled_metrics(), reason)
        machine, before = Machine(session.device), read_counters().throttled
        try:
            with Sampler(machine.read, self.hz) as sampler:
                self._pass(session)
        finally:
            machine.close()
        own = Metric("utilisation/sampler_share", sampler.share, 1)
        if sampler.error is not None:
            names = [name for name in sampled_metrics() if name != own.name]
            return Findings((own,), dict.fromkeys(names, sampler.error))
        sampled = summarise(sampler.readings, machine.no_gpu)
        cautions, after = sampled.cautions, read_counters().throttled
        if before is not None and after is not None and after > before:
            events = f"{after - before} thermal events of the processor"
            cautions = (*cautions, caution("Throttled", events=events))
        return Findings((*sampled.metrics, own), sampled.unavailable, cautions)

    def _pass(self, session: Session) -> None:
        start = time.perf_counter()
        for batch in cycle(session.batches):
            session.transcribe(batch)
            spent = time.perf_counter() - start
            session.progress.advance(min(1.0, spent / self.seconds))
            if spent >= self.seconds:
                return


def utilisation(session: Session) -> Findings:
    """MFU, memory bandwidth and roofline of the timed calls on the longest utterance's batch.

    Peaks are measured when needed. MFU: Chowdhery et al. 2022, PaLM, appendix B. Roofline:
    Williams, Waterman & Patterson 2009.
    """
    reason, dtype = None, session.system.facts.dtype
    if not session.system.modules:
        reason = _NO_MODULES
    elif "bytes/encoder_weights" not in session.values:
        reason = _NO_COUNTS
    elif dtype not in DTYPES:
        reason = f"no peak is measured in {dtype}: choose engine.dtype of {', '.join(DTYPES)}"
    if reason is None:
        try:
            peak, cautions = peaks(session.device, dtype, state=usual_state(session.beats))
        except (RuntimeError, MemoryError, OSError) as error:  # no kernel for it, a full disk
            reason = f"the machine's peaks can't be measured: {type(error).__name__}: {error}"
    if reason is not None:
        return nothing_of((*_RATES, *_ROOFLINE, *_PEAKS), reason)
    # every utterance of it is padded to the one whose operations were counted
    longest = max(session.workload.utterances, key=lambda utterance: utterance.duration_s)
    batch = next(batch for batch in session.batches if longest in batch.utterances)
    rates, roofline = _rates(session, batch, peak), _roofline(session.values, len(batch), peak)
    limits = map(Metric, _PEAKS, (peak.flop_per_s, peak.byte_per_s))
    return Findings(
        (*rates.metrics, *roofline.metrics, *limits),
        {**rates.unavailable, **roofline.unavailable},
        cautions,
        roofline.tags,
    )


def _work(values: Mapping[str, float], stage: str, size: int = 1) -> tuple[float, float]:
    """Operations and bytes of a stage for a batch of ``size``, whose weights are read once.

    Both are 0 where they were not counted.
    """
    names = f"flops/{stage}", f"bytes/{stage}", f"bytes/{stage}_weights"
    flops, moved, weights = (values.get(name, 0.0) for name in names)
    return size * flops, weights + size * (moved - weights)


def _rates(session: Session, batch: AudioBatch, peak: Peaks) -> Findings:
    """Work over time at the peak: of the call, the encoder, and decoding steps after the first."""
    ids = tuple(utterance.id for utterance in batch.utterances)
    samples = [sample for sample in session.samples if sample.utterances == ids]
    if not samples:
        return nothing_of(_RATES, _NO_CALLS)
    samples = [sample for sample in samples if not sample.again]
    if not samples:
        return nothing_of(_RATES, _AGAIN)
    window_s = session.model.window_s
    if window_s is not None and batch.longest_s > window_s and len(batch) > 1:
        return nothing_of(_RATES, _SHRINKS)
    figures: Figures = {}
    for part, done in _done(session.values, len(batch), samples).items():
        for kind, most, i in (("mfu", peak.flop_per_s, 0), ("membw", peak.byte_per_s, 1)):
            name = f"utilisation/{kind}{part}"
            work, time_s = [row[i] for row in done], [row[2] * most for row in done]
            figures[name] = NO_STEPS if part == "_decoder" else _NO_STAGE
            if sum(work) and sum(time_s):
                rate, interval = sum(work) / sum(time_s), ratio_interval(work, time_s)
                figures[name] = Metric(name, rate, len(done), interval)
    return findings_of(figures)


_Done = list[tuple[float, float, float]]
"""For each call operations, bytes and seconds."""


def _done(values: Mapping[str, float], size: int, samples: Sequence[Sample]) -> dict[str, _Done]:
    stages = ("encoder", "decoder_first", "decoder_step")
    encoded, began, stepped = (_work(values, stage, size) for stage in stages)
    rows: dict[str, _Done] = {part: [] for part in _PARTS}
    for sample in samples:
        n = len(sample.step_s)
        whole = [a + b + n * c for a, b, c in zip(encoded, began, stepped, strict=True)]
        rows[""].append((whole[0], whole[1], sample.total_s))
        rows["_encoder"].append((*encoded, sample.stages.get("encoder", 0.0)))
        rows["_decoder"].append((n * stepped[0], n * stepped[1], sum(sample.step_s)))
    return rows


def _roofline(values: Mapping[str, float], size: int, peak: Peaks) -> Findings:
    """Operations per byte at this batch size, and on which side of the ridge they lie."""
    figures: Figures = {"roofline/ridge": Metric("roofline/ridge", peak.ridge)}
    tags: dict[str, str] = {}
    for part, stage in (("encoder", "encoder"), ("decoder", "decoder_step")):
        name = f"roofline/{part}_intensity"
        flops, moved = _work(values, stage, size)
        figures[name] = NO_STEPS if part == "decoder" else "its operators moved no bytes"
        if moved:
            figures[name] = Metric(name, flops / moved)
            tags[f"roofline/{part}"] = "compute" if flops / moved > peak.ridge else "memory"
    return findings_of(figures, tags=tags)
