"""How much faster one way to run a model is than another on the same speech, at what WER."""

from __future__ import annotations

from dataclasses import dataclass

from asr_scaling.analysis.comparison.verdict import NOISE, RTFX, WER, WITHOUT_INTERVAL, compare
from asr_scaling.core.record import RunRecord
from asr_scaling.core.statistics import Interval
from asr_scaling.errors import ConfigError

UNKNOWN_FLOOR = 0.05
"""The noise floor where neither the calls nor the machine's certificate tell it."""
SPARE_WORDS = 2
"""Wrong words more that may be chance in the little speech of a search; the final allows none."""


@dataclass(frozen=True)
class Gain:
    """B against A."""

    factor: float
    """Of speed: 2.0 is twice as fast."""
    interval: Interval | None
    """Of the factor; None where the calls were too few."""
    floor: float
    """Changes of speed up to this share are noise."""
    wer: float | None = None
    """Change of WER as a share (0.01 is one point); None where a WER is not known."""
    wer_interval: Interval | None = None
    words: int = 0
    """Words that the change of WER rests on."""

    @property
    def faster(self) -> bool:
        """Significantly: the interval excludes 1 and the factor exceeds the noise floor."""
        if self.interval is None:
            return self.factor > 1 + WITHOUT_INTERVAL * self.floor
        return self.interval.low > 1 and self.factor > 1 + self.floor

    @property
    def promising(self) -> bool:
        """Worth keeping in a search, whose few calls give wide intervals.

        Without this, a short window would be dropped because one of six utterances was decoded
        twice. The final uses ``faster``.
        """
        return self.faster or self.factor > 1 + WITHOUT_INTERVAL * self.floor

    @property
    def slower(self) -> bool:
        """Significantly."""
        if self.interval is None:
            return self.factor < 1 / (1 + WITHOUT_INTERVAL * self.floor)
        return self.interval.high < 1 and self.factor < 1 / (1 + self.floor)

    def too_wrong(self, max_loss: float, *, final: bool) -> bool:
        """Whether WER rose by more than ``max_loss`` points; an unknown one never did.

        Significantly; or, in the ``final``, at all; or, in a search, by more than a few words,
        which may be chance.
        """
        if self.wer is None:
            return False
        loss = max_loss / 100
        if self.wer_interval is not None and self.wer_interval.low > loss:
            return True
        spare = 0.0 if final or not self.words else SPARE_WORDS / self.words
        return self.wer > max(loss, spare) + 1e-9


def gain(a: RunRecord, b: RunRecord) -> Gain:
    """B against A: paired by speech where both timed the same, else from their RTFx alone.

    Both must be "ok" and of one kind of machine; they may be of two hosts.
    """
    floor = _floor(a, b)
    words = sum(int(row.get("words", 0)) for row in b.transcripts)
    factor = b.values[RTFX] / a.values[RTFX]
    try:
        comparison = compare(a, b, allow=("host",))
    except ConfigError:
        return Gain(factor, None, floor, words=words)
    speed, wer = comparison.row(RTFX), comparison.row(WER)
    factor = factor if speed.relative is None else 1 + speed.relative
    interval = speed.interval and Interval(1 + speed.interval.low, 1 + speed.interval.high)
    return Gain(factor, interval, floor, wer.absolute, wer.interval, words)


def _floor(a: RunRecord, b: RunRecord) -> float:
    """The largest that is known: of either's calls, or of the machine's certificate."""
    floors = [record.values.get(NOISE) for record in (a, b)]
    for record in (a, b):
        floors.append((record.environment.get("certificate") or {}).get("noise_floor"))
    return max((float(floor) for floor in floors if floor is not None), default=UNKNOWN_FLOOR)
