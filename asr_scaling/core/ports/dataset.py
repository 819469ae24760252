"""Where speech comes from and how utterances become batches."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol, runtime_checkable

from asr_scaling.core.ports.engine import Device, System
from asr_scaling.core.record import Findings
from asr_scaling.core.workload import AudioBatch, Utterance, Workload


class Dataset(Protocol):
    """A source of speech with transcripts."""

    @property
    def name(self) -> str | None: ...  # noqa: D102

    def load(self, limit: int | None) -> Workload:
        """At most ``limit`` utterances, the same ones at every call.

        Raises DataError when there is none.
        """


@runtime_checkable
class Listing(Protocol):
    """A dataset that can say which files it reads, among others in its folders."""

    def files(self) -> Sequence[Path]:
        """Every one of them. Raises DataError when they can't be listed."""


class Batching(Protocol):
    """How utterances become batches."""

    @property
    def size(self) -> int: ...  # noqa: D102

    def batches(self, utterances: Sequence[Utterance]) -> list[AudioBatch]:
        """Batches of ``size``; every utterance is in at least one."""


@runtime_checkable
class Fitting(Protocol):
    """A batching whose size the loaded system decides."""

    def fit(
        self, system: System, device: Device, utterance: Utterance
    ) -> tuple[Batching, Findings]:
        """The batching of the largest size that fits, found by trying batches of ``utterance``.

        Where the device has no memory of its own, what fits is judged by all that this process
        holds.
        Raises OutOfMemoryError when not even one utterance fits.
        """
