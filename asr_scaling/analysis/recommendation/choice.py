"""Which measured points a recommendation for this machine goes by, and which of them it names."""

from __future__ import annotations

import functools
import json
import shlex
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from asr_scaling.analysis.caveats import error_rates
from asr_scaling.analysis.format import speech
from asr_scaling.analysis.points import Point
from asr_scaling.analysis.recommendation import rules
from asr_scaling.analysis.recommendation.rules import Rule
from asr_scaling.analysis.recommendation.scenarios import Recommendation, choose
from asr_scaling.analysis.reference_length import reference_length
from asr_scaling.analysis.speech_names import is_called, usual_speech, with_speech_names
from asr_scaling.analysis.system_names import named
from asr_scaling.machine.environment import environment
from asr_scaling.machine.machine_kind import machine_kind

_OF_NO_SYSTEM = ("dataset", "pipeline", "profiler", "tracking", "sweep", "optimiser", "hydra")
"""Groups of options that say how a system was measured; all others say what it is."""


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
        """Where WER is bounded the fastest; else the most accurate, the fastest where WERs tie."""
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
        fastest = rules.LOWEST_LATENCY if timed else rules.HIGHEST_RTFX
        wanted = "the lowest latency" if timed else "the highest RTFx"
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
    """The best of ``points`` of this machine. Loads whole the records of those it compares."""
    left_out: Counter[str] = Counter()

    def keep(those: Sequence[Point], suits: Callable[[Point], bool], reason: str) -> list[Point]:
        kept = list(filter(suits, those))
        left_out[reason] += len(those) - len(kept)
        return kept

    points = with_speech_names(points)
    left_out.update(other for point in points if (other := _other_machine(point)))
    here = [point for point in points if not _other_machine(point)]
    genuine = keep(here, lambda p: p.weights != "fake", "of engine=fake")
    finished = keep(genuine, lambda p: p.ok, "not measured to their end")
    dataset = _speech_meant(finished, budget)
    meant = keep(finished, lambda p: p.dataset == dataset, f"of other speech than {dataset}")
    length_s = reference_length(meant) if budget.length_s is None else budget.length_s
    other_lengths = f"of other lengths than {speech(length_s)}"
    long = keep(meant, lambda p: p.length_s == length_s, other_lengths)
    batch = budget.batch
    sized = keep(long, lambda p: batch in (None, p.batch), f"of other batches than {batch}")
    newest = {_configuration(point): point for point in sorted(sized, key=lambda p: p.started_at)}
    ids = set(map(id, newest.values()))
    again = "of configurations that were measured again"
    candidates = named(keep(sized, lambda p: id(p) in ids, again))
    best = choose(budget.rule, candidates, length_s, meant)
    why = ""
    if long and not sized:
        batches = ", ".join(map(str, sorted({point.batch for point in long})))
        why = f"No batch of {batch} was measured here; measured: {batches}."
    elif finished and not meant:
        names = ", ".join(sorted({point.dataset for point in finished}))
        why = f"No speech of {dataset} was measured here; measured: {names}."
    elif not here:
        why = f"No point was measured on this machine ({machine_kind(environment())})."
    best = replace(best, verdict=why, evidence=()) if why else best
    where = f"{speech(length_s)} of {dataset}" if dataset else speech(length_s)
    caveats = (*_other_speech(finished, dataset), *error_rates(candidates))
    return BestConfiguration(best, where, len(candidates), dict(+left_out), caveats)


def _other_machine(point: Point) -> str:
    """Where a point was measured if not here or on another GPU than this machine's; else empty."""
    own, other = environment(), point.environment
    if machine_kind(own) != machine_kind(other):
        return f"of another machine ({machine_kind(other)})"
    gpu = (other.get("device") or {}).get("gpu")
    if not point.device.startswith("cuda") or (gpu is not None and gpu in _gpus()):
        return ""
    return f"of another machine ({point.hardware})"


@functools.cache
def _gpus() -> tuple[str, ...]:
    """Names of the GPUs that this process sees; none of them is selected."""
    import torch

    return tuple(torch.cuda.get_device_properties(i).name for i in range(torch.cuda.device_count()))


def _speech_meant(points: Sequence[Point], budget: Budget) -> str | None:
    """The speech that is asked for; of several the usual one, at the length that is asked for."""
    called = [p for p in points if budget.dataset is None or is_called(p, budget.dataset)]
    long = [p for p in called if budget.length_s is None or p.length_s == budget.length_s]
    return usual_speech(long or called) or budget.dataset


def _other_speech(points: Sequence[Point], dataset: str | None) -> list[str]:
    """Where several speeches were measured: which is meant, and how to ask for another."""
    names = sorted({point.dataset for point in points if point.dataset} - {dataset})
    caveat = (
        f"Several speeches were measured here, and no figure of one is compared with another's: "
        f"this is for {dataset}. For another add "
        f"{' or '.join(f'--dataset {shlex.quote(name)}' for name in names)}."
    )
    return [caveat] if names and dataset else []


def _configuration(point: Point) -> str:
    """All that says what runs, and in which batches."""
    chosen = {key: own for key, own in point.config.items() if key not in _OF_NO_SYSTEM}
    return json.dumps([point.model, point.device, point.batch, chosen], sort_keys=True, default=str)
