"""Which measured points a recommendation for this machine goes by, and which of them it names."""

from __future__ import annotations

import functools
import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from asr_scaling.analysis.caveats import synthetic
from asr_scaling.analysis.format import speech
from asr_scaling.analysis.naming import named
from asr_scaling.analysis.points import Point
from asr_scaling.analysis.recommendation import rules
from asr_scaling.analysis.recommendation.rules import Rule
from asr_scaling.analysis.recommendation.scenarios import Recommendation, choose
from asr_scaling.analysis.reference_length import reference_length
from asr_scaling.machine.environment import environment
from asr_scaling.machine.kind import machine_kind

_PARTS = ("model", "engine", "optimisation", "device", "batch", "seed")
"""Options that say what a system is; the others say what it was measured on."""


@dataclass(frozen=True)
class Budget:
    """What is asked of a configuration; None asks for nothing."""

    latency_p95_s: float | None = None
    min_rtfx: float | None = None
    max_wer: float | None = None
    """As a share."""
    memory_bytes: float | None = None
    energy_j_per_audio_s: float | None = None
    length_s: float | None = None
    """Of the speech that is meant; None for what most systems were measured on."""
    dataset: str | None = None
    """Of the speech that is meant; None for what most systems were measured on."""
    batch: int | None = None
    """Utterances in a call; None for any, or for 1 where latency is bounded (a live request)."""

    @property
    def rule(self) -> Rule:
        """Where WER is bounded the fastest within all bounds; else the most accurate, the fastest
        where WERs tie.
        """
        bounds = (
            (rules.tail_limit, self.latency_p95_s),
            (rules.rtfx_limit, self.min_rtfx),
            (rules.wer_limit, self.max_wer),
            (rules.memory_limit, self.memory_bytes),
            (rules.energy_limit, self.energy_j_per_audio_s),
        )
        limits = tuple(limit(bound) for limit, bound in bounds if bound is not None)
        timed = self.latency_p95_s is not None
        live = timed and self.batch is None
        fastest, wanted = rules.HIGHEST_RTFX, "the highest RTFx"
        if timed:
            fastest, wanted = rules.LOWEST_LATENCY, "the lowest latency"
        shown = tuple(name for name in rules.SHOWN if timed or name != "tail")
        if self.max_wer is not None:
            return Rule("Recommended", wanted, fastest, None, limits, shown, live)
        wanted = f"the lowest WER; where WERs don't differ significantly, {wanted}"
        return Rule("Recommended", wanted, rules.LOWEST_WER, fastest, limits, shown, live)


@dataclass(frozen=True)
class BestConfiguration:
    """The recommendation for this machine, and what it was chosen from."""

    found: Recommendation
    """Its winner is None where nothing meets the budget."""
    speech: str
    """What it is for."""
    measured: int
    """Configurations that it was chosen among."""
    left_out: Mapping[str, int]
    """Reason → number of points that were not considered."""
    caveats: tuple[str, ...] = ()
    """What must stand beside it."""


def best_configuration(points: Sequence[Point], budget: Budget) -> BestConfiguration:
    """The best of ``points`` of this machine under ``budget``. Loads whole the records of those
    that it compares.
    """
    left_out: Counter[str] = Counter()
    here = _kept(points, left_out, _elsewhere)
    genuine = _kept(
        here, left_out, lambda point: "of engine=fake" if point.weights == "fake" else ""
    )
    finished = _kept(
        genuine, left_out, lambda point: "" if point.ok else "not measured to their end"
    )
    dataset = budget.dataset or _usual_dataset(finished)
    meant = _kept(
        finished,
        left_out,
        lambda p: "" if p.dataset == dataset else f"of other speech than {dataset}",
    )
    length_s = reference_length(meant) if budget.length_s is None else budget.length_s
    said = f"of other lengths than {speech(length_s)}"
    long = _kept(meant, left_out, lambda p: "" if p.length_s == length_s else said)
    said = f"of other batches than {budget.batch}"
    sized = _kept(long, left_out, lambda p: "" if budget.batch in (None, p.batch) else said)
    known = named(_newest(sized, left_out))
    found = choose(budget.rule, known, length_s, meant)
    why = ""
    if long and not sized:
        batches = ", ".join(str(batch) for batch in sorted({point.batch for point in long}))
        why = f"No batch of {budget.batch} was measured here; measured: {batches}."
    elif finished and not meant:
        names = ", ".join(sorted({point.dataset for point in finished}))
        why = f"No speech of {dataset} was measured here; measured: {names}."
    elif not here:
        why = f"No point was measured on this machine ({_this_machine()})."
    found = replace(found, verdict=why, evidence=()) if why else found
    where = f"{speech(length_s)} of {dataset}" if dataset else speech(length_s)
    return BestConfiguration(found, where, len(known), dict(left_out), tuple(synthetic(known)))


def _kept(
    points: Sequence[Point], left_out: Counter[str], why_not: Callable[[Point], str]
) -> list[Point]:
    """The points that there is no reason against; the reasons of the others are counted."""
    kept = []
    for point in points:
        if reason := why_not(point):
            left_out[reason] += 1
        else:
            kept.append(point)
    return kept


def _elsewhere(point: Point) -> str:
    """Which other kind of machine a point was measured on; empty for this one's, with one of its
    GPUs.
    """
    own, other = environment(), point.environment
    if machine_kind(own) != machine_kind(other):
        return f"of another machine ({machine_kind(other)})"
    if not point.device.startswith("cuda"):
        return ""
    gpu = (other.get("device") or {}).get("gpu")
    return "" if gpu is not None and gpu in _gpus() else f"of another machine ({point.hardware})"


@functools.cache
def _gpus() -> tuple[str, ...]:
    """Names of the GPUs that this process sees; none of them is selected."""
    import torch

    return tuple(torch.cuda.get_device_properties(i).name for i in range(torch.cuda.device_count()))


def _this_machine() -> str:
    return machine_kind(environment())


def _usual_dataset(points: Sequence[Point]) -> str | None:
    """The one that most systems were measured on; where two are as many people's speech, then the
    newest.
    """
    systems: dict[str, set[str]] = {}
    last: dict[str, tuple[bool, float]] = {}
    for point in points:
        systems.setdefault(point.dataset, set()).add(_configuration(point))
        last[point.dataset] = max(
            last.get(point.dataset, (False, 0.0)), (not point.synthetic, point.started_at)
        )
    return max(systems, key=lambda name: (len(systems[name]), last[name]), default=None)


def _newest(points: Sequence[Point], left_out: Counter[str]) -> list[Point]:
    """Of every configuration its newest point."""
    newest: dict[str, Point] = {}
    for point in sorted(points, key=lambda point: point.started_at):
        newest[_configuration(point)] = point
    if len(points) > len(newest):
        left_out["of configurations that were measured again"] += len(points) - len(newest)
    kept = set(map(id, newest.values()))
    return [point for point in points if id(point) in kept]


def _configuration(point: Point) -> str:
    """All that says what runs, and in which batches."""
    chosen = {part: point.config.get(part) for part in _PARTS}
    return json.dumps([point.model, point.device, point.batch, chosen], sort_keys=True, default=str)
