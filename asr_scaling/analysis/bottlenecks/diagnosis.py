"""Where the time of a point goes, what bounds it, and the rules for sentences about it.

What a stage can save: Amdahl 1967. What bounds it: Williams, Waterman & Patterson 2009, Roofline.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from asr_scaling.analysis.points import Point, windows

Regime = Literal["compute", "memory", "overhead", "unknown"]
Pace = Literal["faster", "slower", "alike"]
STAGES = ("features", "transfer", "encoder", "decoder", "text")
"""In call order; others follow, "other", which no stage claims, last."""
ROOFED = ("encoder", "decoder")
"""The stages whose operations and bytes are counted."""
CLASSES = ("gemm", "attention", "convolution", "normalisation", "memory", "other")
"""Of operators, as profiler/trace.py tells them apart."""
NEAR_COMPUTE = 0.5
"""Share of peak FLOP/s. Good kernels on large matrices reach 0.5 to 0.8: little is left to tune."""
NEAR_MEMORY = 0.6
"""Share of copy speed: a copy is the easiest access pattern, and others rarely come nearer."""
COPIES = 0.2
"""Share of operator time in copies and look-ups: without a fifth at most 1.25 times as fast."""
AT_PEAK = 0.8
"""Share of peak FLOP/s from which on nobody asks where the rest of the encoder's time goes."""
BATCHING = 1.1
"""Ratio of RTFx below which a larger batch is not worth its latency."""


DERIVATIONS = {
    "Start with": "the stage that takes most of a call, at the reference length and the smallest "
    "batch. Another takes as long within noise when their intervals overlap.",
    "At most": "a call gets 1 / (1 - share) times as fast if that part of it cost nothing (Amdahl "
    "1967); of a change the part is all stages that it touches, and nothing bounds it where these "
    "are nearly the whole call.",
    "Near peak FLOP/s": f"the stage reaches {100 * NEAR_COMPUTE:g} % of it or more (MFU). Good "
    "kernels on large matrices reach 50 to 80 %, so tuning wins little: only fewer or cheaper "
    "operations do.",
    "Near copy speed": f"the stage moves its bytes at {100 * NEAR_MEMORY:g} % of it or more. A "
    "copy is the easiest access pattern, so only fewer bytes help. Near both, the larger share "
    "counts.",
    "Overhead": "both shares are known and neither is near: the hardware waits for dispatch, "
    "launches or the host. The decoder's shares are of its steps after the first.",
    "Promises": "what was measured of each stage with the change over without it, on this engine, "
    "family of models and class of processor, applied to the stages of this call. The interval is "
    "one of 95 % for what a measurement will show: the spread of what was measured, and what two "
    "processes differ by. Measured elsewhere only: on other engines, families or processors, with "
    "an interval that is wider by what these differ by. Only what engine, model and device take is "
    "offered, where the processor gains from it and 5 % or more is likely.",
    "Brought": "RTFx of the same system, speech and batch with the change over that without it, "
    "both among these points.",
    "Copies": f"copies, look-ups and allocations take {100 * COPIES:g} % of operator time or more.",
    "More is lost": "another stage has more time beyond what its operations and bytes take at the "
    "peaks: seconds × (1 - the larger of its two shares), and all its seconds where it is neither "
    "encoder nor decoder.",
    "Batching": f"RTFx at the largest batch is {BATCHING:g} times that at the smallest or more, or "
    "the other way round, and their intervals do not overlap. That it brings little is said where "
    "overhead or memory bounds the stage.",
    "Where the encoder's time goes": f"said where it reaches less than {100 * AT_PEAK:g} % of peak "
    "FLOP/s. Matrix products, attention and convolutions do the counted operations: their share of "
    "peak while they run is the encoder's over their share of its time, all of them in one call "
    "under torch's profiler.",
    "Largest batch": "the stage that takes most, or what bounds it, is another than at the "
    "smallest batch.",
}
"""The rules of sentences about bottlenecks: what each is about → when it holds, and why."""


@dataclass(frozen=True)
class Diagnosis:
    """Where the time of a point goes."""

    point: Point
    stages: Mapping[str, float]
    """Stage → mean seconds of a call, in call order."""
    stage: str
    """The longest."""

    @property
    def call_s(self) -> float:
        """Mean seconds of a call: the sum of its stages."""
        return math.fsum(self.stages.values())

    def share(self, stage: str | None = None) -> float:
        """Of the call that a stage takes; of the longest when none is named."""
        return self.stages.get(stage or self.stage, 0.0) / self.call_s

    @property
    def regime(self) -> Regime:
        """What bounds the longest stage."""
        return regime(self.point, self.stage)

    def above_roof(self, stage: str) -> float | None:
        """Seconds of a stage that neither its operations nor its bytes need at the machine's peaks.

        All of them where the stage has no roof; None where its shares of the peaks are not known.
        """
        if stage not in ROOFED:
            return self.stages[stage]
        shares = [share for share in used(self.point, stage) if share is not None]
        return self.stages[stage] * (1 - min(1.0, max(shares))) if shares else None

    @property
    def tied(self) -> str | None:
        """The second longest stage, where it takes as long within noise."""
        rest = [stage for stage in self.stages if stage != self.stage]
        second = max(rest, key=lambda stage: self.stages[stage], default="")
        within = {**self.point.intervals, **self.point.stages_within}
        first, other = (within.get(f"stage/{s}_s") for s in (self.stage, second))
        return second if first and other and other.high >= first.low else None

    @property
    def farther(self) -> str | None:
        """The stage with most time above its roof; None where it is the longest, or unknown."""
        above = {stage: self.above_roof(stage) for stage in self.stages}
        lost = {stage: above_s for stage, above_s in above.items() if above_s is not None}
        farthest = max(lost, key=lambda stage: lost[stage], default="")
        farther = self.stage in lost and lost[farthest] > lost[self.stage]
        return farthest if farther else None


def stage_seconds(point: Point) -> dict[str, float]:
    """Stage → mean seconds of a call, in call order; empty where no stage was timed."""
    names = {name[len("stage/") : -len("_s")] for name in point.values if name.startswith("stage/")}
    order = dict.fromkeys((*STAGES, *sorted(names - {"other"}), "other"))
    return {name: point.values[f"stage/{name}_s"] for name in order if name in names}


def stage_shares(point: Point) -> dict[str, float]:
    """Stage → its share of a call, in call order; empty where no stage was timed."""
    stages = stage_seconds(point)
    call_s = sum(stages.values()) or 1.0
    return {stage: seconds / call_s for stage, seconds in stages.items()}


def class_shares(point: Point) -> dict[str, float]:
    """Operator class → share of operator time; empty where no trace was taken."""
    names = {name: f"ops/{name}_share" for name in CLASSES}
    return {name: point.values[metric] for name, metric in names.items() if metric in point.values}


def diagnose(point: Point) -> Diagnosis | None:
    """Where its time goes; None where no stage was timed."""
    stages = stage_seconds(point)
    if not math.fsum(stages.values()) > 0:
        return None
    return Diagnosis(point, stages, max(stages, key=lambda name: stages[name]))


def amdahl(share: float) -> float:
    """Times as fast as a whole gets when a ``share`` of it costs nothing; infinite for 1."""
    return 1 / (1 - share) if share < 1 else math.inf


def used(point: Point, stage: str) -> tuple[float | None, float | None]:
    """Shares of peak FLOP/s and of copy speed that a stage reaches, None where not known."""
    return point.value(f"utilisation/mfu_{stage}"), point.value(f"utilisation/membw_{stage}")


def regime(point: Point, stage: str) -> Regime:
    """What bounds a stage: the peak it is near; overhead near none; else unknown."""
    mfu, membw = used(point, stage)
    near_compute, near_memory = (mfu or 0.0) >= NEAR_COMPUTE, (membw or 0.0) >= NEAR_MEMORY
    if near_memory and (not near_compute or (membw or 0.0) > (mfu or 0.0)):
        return "memory"
    if near_compute:
        return "compute"
    return "unknown" if mfu is None or membw is None else "overhead"


def padding(point: Point) -> float | None:
    """Share of the encoder's input that is silence behind the audio; None without a fixed window.

    1 - audio / (whole windows that hold it), of an utterance of mean length.
    """
    margin = point.options.get("window_margin_s", "null") != "null"
    shortened = margin or "dynamic_window" in point.optimisations
    if not point.window_s or shortened or not point.audio_s > 0:
        return None
    return max(0.0, 1 - point.audio_s / (windows(point.audio_s, point.window_s) * point.window_s))


def gain(small: Point, large: Point) -> tuple[float | None, Pace]:
    """RTFx of the second over that of the first, and what it amounts to.

    "faster" and "slower" need a change by ``BATCHING`` or more and, where both are known, intervals
    that don't overlap.
    """
    one, other = small.stated("throughput/rtfx"), large.stated("throughput/rtfx")
    if not one or not other or not one[0] or not other[0]:
        return None, "alike"
    (a, before), (b, after) = one, other
    overlap = before and after and after.low <= before.high and before.low <= after.high
    if overlap or 1 / BATCHING < b / a < BATCHING:
        return b / a, "alike"
    return b / a, "faster" if b > a else "slower"
