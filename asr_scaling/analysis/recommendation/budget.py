"""What is asked of a configuration, and the rule that follows from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from asr_scaling.analysis.points import Point
from asr_scaling.analysis.recommendation import rules
from asr_scaling.analysis.recommendation.rules import Rule
from asr_scaling.analysis.recommendation.within_loss import MAX_WER_LOSS
from asr_scaling.core.option_checks import must_be
from asr_scaling.errors import ConfigError

_ALONE = "asked for together with --qps"
_OF_CALLS = {
    "--min-rtfx": "min_rtfx",
    "--memory": "memory_bytes",
    "--max-joules": "energy_j_per_audio_s",
    "--batch": "batch",
}
"""Bounds of which requests that arrive have no figure."""


@dataclass(frozen=True)
class Budget:
    """What is asked of a configuration; None asks for nothing."""

    latency_p95_s: float | None = None
    min_rtfx: float | None = None
    max_wer: float | None = None
    """As a share."""
    max_wer_loss: float | None = None
    """Share of words that speed may cost against the plain system; None: see ``allowed_loss``."""
    memory_bytes: float | None = None
    energy_j_per_audio_s: float | None = None
    length_s: float | None = None
    """Of the speech that is meant; None for natural utterances, where there are any."""
    dataset: str | None = None
    """Of the speech that is meant; None for that of the newest sweep."""
    batch: int | None = None
    """Utterances in a call; None for any, or for 1 where latency is bounded (a live request)."""
    qps: float | None = None
    """Requests a second that arrive; the other bounds are then of requests, not of calls."""
    latency_p99_s: float | None = None
    """Of requests; asked for only with ``qps``."""

    def __post_init__(self) -> None:
        if self.qps is None:
            must_be("--latency-p99", self.latency_p99_s, self.latency_p99_s is None, _ALONE)
            return
        calls = {option: getattr(self, name) for option, name in _OF_CALLS.items()}
        given = [option for option, value in calls.items() if value is not None]
        if given:
            raise ConfigError(
                f"--qps asks about requests, and {' and '.join(given)} would bound calls: bound "
                "requests by --latency-p95, --latency-p99 and --max-wer."
            )

    @property
    def requests_bound(self) -> str:
        """The bound on the latency of requests, as a scenario writes it; empty where none is."""
        asked = {"p95": self.latency_p95_s, "p99": self.latency_p99_s}
        return ",".join(f"{name}<{bound:g}s" for name, bound in asked.items() if bound is not None)

    def rule(self, points: Sequence[Point]) -> Rule:
        """The fastest within the bounds whose WER loses no more than is allowed."""
        bounds = (
            (rules.tail_limit, self.latency_p95_s),
            (rules.rtfx_limit, self.min_rtfx),
            (rules.wer_limit, self.max_wer),
            (rules.memory_limit, self.memory_bytes),
            (rules.energy_limit, self.energy_j_per_audio_s),
        )
        limits = tuple(limit(bound) for limit, bound in bounds if bound is not None)
        timed = self.latency_p95_s is not None
        shown = {
            "tail": timed,
            "rtfx": True,
            "wer": True,
            "memory": self.memory_bytes is not None,
            "energy": self.energy_j_per_audio_s is not None,
        }
        return Rule(
            "Recommended",
            "the lowest latency" if timed else "the highest RTFx",
            rules.LOWEST_LATENCY if timed else rules.HIGHEST_RTFX,
            None,
            limits,
            tuple(name for name, matters in shown.items() if matters),
            live=timed and self.batch is None,
            max_wer_loss=allowed_loss(self.max_wer_loss, self.max_wer, points),
        )


def allowed_loss(
    asked: float | None, max_wer: float | None, points: Sequence[Point]
) -> float | None:
    """Share of words that speed may cost: what is asked.

    Else none is counted where WER itself is bounded (None); else what the newest search of
    ``points`` was asked for; else ``MAX_WER_LOSS``.
    """
    if asked is not None or max_wer is not None:
        return asked
    newest = sorted(points, key=lambda point: -point.started_at)
    searched = ((point.config.get("optimiser") or {}).get("max_wer_loss") for point in newest)
    points_lost = next((own for own in searched if isinstance(own, (int, float))), None)
    return MAX_WER_LOSS if points_lost is None else points_lost / 100
