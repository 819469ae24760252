"""What searches share as sweeps: what they refuse, and points launched one after another."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from hydra.core.override_parser.types import Override
from omegaconf import DictConfig

from asr_scaling.core.record import RECORD_FILE, RunRecord
from asr_scaling.errors import ConfigError, DataError
from asr_scaling.sweep.sweep_progress import SweepProgress

Compose = Callable[[Sequence[str]], DictConfig]
"""From overrides to Hydra's configuration."""
Launch = Callable[[Sequence[str], bool], None]
"""Measures the point of these overrides; True: in a fresh process."""


def check_chosen(given: Sequence[Override], chosen: Mapping[str, str], who: str) -> None:
    """Raises ConfigError where the command line has what the search ``who`` chooses.

    chosen: its keys, and what to set instead.
    """
    keys = {override.key_or_group for override in given}
    for key, instead in chosen.items():
        if key in keys:
            raise ConfigError(f"{who} chooses {key} itself: leave it out, or set {instead}.")


def names_engine(given: Sequence[Override], purpose: str) -> bool:
    """Whether the command line names the one engine ``purpose``, as "to optimise".

    Raises ConfigError where it names several besides.
    """
    keys = {override.key_or_group for override in given}
    named = any(key == "engine" or key.startswith("engine.") for key in keys)
    if named and "optimiser.engines" in keys:
        raise ConfigError(
            f"engine names the one engine {purpose}, optimiser.engines several: "
            "leave one of them out."
        )
    return named


@dataclass
class Launches:
    """Points in the folder of a sweep, launched as a search asks for them."""

    folder: Path
    launch: Launch
    display: SweepProgress = field(default_factory=SweepProgress)
    _count: int = 0

    def measured(self, place: str, overrides: Sequence[str], alone: bool) -> tuple[RunRecord, bool]:
        """The record of the point in ``place``, and whether an earlier run of the search left it.

        alone: in a fresh process. Raises DataError when the point left no record.
        """
        try:
            before = self._record(place)
        except DataError:  # damaged by an earlier run of the search: it is measured again
            before = None
        self._count += 1
        self.display.total = self._count  # how many there will be is not known
        self.launch(overrides, alone)
        record = self._record(place)
        if record is None:
            raise DataError(
                f"The point in {self.folder / place} left no record: "
                "see its log, then resume the search."
            )
        return record, before is not None and before.started_at == record.started_at

    def _record(self, place: str) -> RunRecord | None:
        path = self.folder / place / RECORD_FILE
        return RunRecord.read(path) if path.exists() else None
