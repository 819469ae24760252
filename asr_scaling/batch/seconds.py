"""Segments of like length together, up to so many seconds of audio in a batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from asr_scaling.core.workload import AudioBatch, Utterance
from asr_scaling.errors import ConfigError


@dataclass(frozen=True)
class Seconds:
    """Batches by their audio, for recordings that voice activity cuts into segments.

    ``seconds``: of audio in a batch, each segment padded to the longest; a longer segment is alone.
    """

    seconds: float = 60.0
    size: int = field(default=1, init=False)

    def __post_init__(self) -> None:
        if not self.seconds > 0:
            raise ConfigError(f"batch.seconds must be more than 0; got {self.seconds}.")

    def batches(self, utterances: Sequence[Utterance]) -> list[AudioBatch]:
        """Batches from the shortest segments to the longest; each segment is in one."""
        made: list[list[Utterance]] = []
        for utterance in sorted(utterances, key=lambda u: (u.duration_s, u.id)):
            fits = made and utterance.duration_s * (len(made[-1]) + 1) <= self.seconds
            if fits:
                made[-1].append(utterance)
            else:
                made.append([utterance])
        return [AudioBatch(tuple(batch)) for batch in made]
