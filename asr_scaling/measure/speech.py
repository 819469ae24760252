"""The speech of a point: what is timed, and what is only transcribed to have its texts scored."""

from __future__ import annotations

from dataclasses import dataclass, replace

from asr_scaling.core.ports import Dataset, option_of
from asr_scaling.core.workload import Utterance, Workload
from asr_scaling.measure.pipeline import Pipeline

SPREAD_OVER = 64
"""Utterances of which some are chosen evenly by length, however few: more are chosen among more."""
_MOST_S = 1800.0
"""Seconds of speech that these may have, where the dataset's utterances are long."""


@dataclass(frozen=True)
class Speech:
    """What a point is measured on.

    ``workload``: what is timed, and scored.
    ``besides``: further utterances, which are only scored.
    """

    workload: Workload
    besides: tuple[Utterance, ...] = ()

    @property
    def utterances(self) -> tuple[Utterance, ...]:
        """All of them."""
        return (*self.workload.utterances, *self.besides)

    @property
    def longest_s(self) -> float:
        """Seconds of audio of the longest of them."""
        return max((utterance.duration_s for utterance in self.utterances), default=0.0)

    @classmethod
    def of(cls, dataset: Dataset, pipeline: Pipeline) -> Speech:
        """The speech that the options of ``pipeline`` ask for.

        Fragments of one length need no choice by length. What is timed does not depend on how much
        more is scored.
        Raises DataError when there is none.
        """
        workload = dataset.load(pipeline.utterances)
        if pipeline.spread and option_of(dataset, "length_s") is None:
            workload = _spread(dataset, workload)
        timed = {utterance.id for utterance in workload.utterances}
        missing = (pipeline.scored or 0) - len(timed)
        if missing <= 0:
            return cls(workload)
        more = dataset.load(pipeline.scored).utterances
        besides = tuple(u for u in more if u.id not in timed)[:missing]
        info = replace(workload.info, scored_besides=len(besides))
        return cls(replace(workload, info=info), besides)


def _spread(dataset: Dataset, some: Workload) -> Workload:
    """As many utterances of ``dataset`` as ``some`` are, of all lengths that it has."""
    count = len(some.utterances)
    affordable = int(_MOST_S * count / some.info.audio_s)
    return dataset.load(max(count, min(SPREAD_OVER, affordable))).spread(count)
