"""Word errors of points by utterance, read from their whole records once."""

from __future__ import annotations

from dataclasses import dataclass, field

from asr_scaling.analysis.comparison.word_errors import word_counts
from asr_scaling.analysis.points import Point
from asr_scaling.core.word_loss import Counts, WordLoss, wholly_wrong, word_loss
from asr_scaling.errors import AsrScalingError


@dataclass
class WordCounts:
    """Losses of WER between points. Each record is read at most once."""

    _known: dict[int, tuple[Point, Counts | None]] = field(default_factory=dict)
    """By identity; the point is kept so that its identity stays its own."""

    def loss(self, reference: Point, point: Point) -> WordLoss | None:
        """Of ``point`` against ``reference``; None where no word was scored in both alike, and
        where a record is gone."""
        ours, theirs = self._of(reference), self._of(point)
        if ours is None or theirs is None:
            return None
        try:
            return word_loss(ours, theirs)
        except ValueError:  # other references, of another normaliser
            return None

    def wholly_wrong(self, point: Point) -> int:
        """Utterances of which it gets more words wrong than there are."""
        return sum(map(wholly_wrong, (self._of(point) or {}).values()))

    def _of(self, point: Point) -> Counts | None:
        if id(point) not in self._known:
            try:
                counts: Counts | None = word_counts(point.load())
            except AsrScalingError:
                counts = None
            self._known[id(point)] = point, counts
        return self._known[id(point)][1]


def far_beyond(reference: Point, point: Point, max_loss: float) -> bool:
    """Whether the two WERs alone show a loss of more than ``max_loss``: intervals so far apart that
    no pairing by utterance could bring them together."""
    ours = reference.intervals.get(reference.error_rate)
    theirs = point.intervals.get(point.error_rate)
    return ours is not None and theirs is not None and theirs.low - ours.high > max_loss
