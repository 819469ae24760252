"""The optimiser as a sweep: the search asks for a point, it is launched, and its record is read.

All that was measured is in the folder of the sweep: ordinary points, the rounds of the final, and
optimise.json.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from hydra.core.override_parser.types import Override
from omegaconf import DictConfig

from asr_scaling.core.record import RECORD_FILE, ROUNDS_FOLDER, RunRecord
from asr_scaling.errors import AsrScalingError, ConfigError, DataError, MissingExtraError
from asr_scaling.machine.machine_kind import unlike
from asr_scaling.search.candidates import Entry, Trial
from asr_scaling.search.optimise import optimise
from asr_scaling.search.options import Options
from asr_scaling.search.outcome import Journal, Kind, Outcome
from asr_scaling.sweep.instantiate import build, build_job, options
from asr_scaling.sweep.rounds import merge_rounds
from asr_scaling.sweep.sweep_progress import SweepProgress
from asr_scaling.sweep.sweep_run import current
from asr_scaling.util.config_dir import conf_dir

_NOT_TRIED = ("fake",)
"""Engines that measure nothing real; they are tried only where the command line names them."""
_SEARCHED = "[latency,memory,quality]"
"""Profilers while searching; the final has those of the command line."""
_ELSEWHERE = (
    "It ran on another kind of machine than the first point ({}): "
    "have the launcher choose nodes of one kind."
)
_ORDER = {"alone": 0, "together": 1, "final": 2}
Compose = Callable[[Sequence[str]], DictConfig]
"""From overrides to Hydra's configuration."""
Launch = Callable[[Sequence[str], bool], None]
"""Measures the point of these overrides; True: in a fresh process."""


def run(
    folder: Path,
    given: Sequence[Override],
    compose: Compose,
    launch: Launch,
) -> Outcome:
    """Search, end the sweep and print what was found.

    given: the overrides of the command line.
    Raises ConfigError for a command line that leaves nothing to search, EngineError when the
    baseline can't be measured.
    """
    from asr_scaling.analysis.load_points import points
    from asr_scaling.report.optimise import wording

    sweep = current()
    config = compose([str(override.input_line) for override in given])
    chosen = _options(options(config), given, str(config.hydra.runtime.choices.engine))
    journal = Journal.read(folder) if config.sweep.get("resume") else None
    bench = SweepBench(
        folder, given, chosen, compose, launch, journal or Journal(), display=sweep.display
    )
    outcome = optimise(chosen, bench)
    bench.journal.outcome = outcome
    bench.journal.write(folder)
    merge_rounds(folder, sweep.sink, sweep.parent)
    sweep.finish("FINISHED")
    summary = wording.summary(outcome, points([str(folder)]))
    sys.stdout.writelines(f"{line}\n" for line in summary)
    return outcome


def _options(plain: Mapping[str, Any], given: Sequence[Override], engine: str) -> Options:
    keys = {override.key_or_group for override in given}
    for key, instead in (
        ("optimisation", "optimisations"),
        ("batch", "batches"),
        ("batch.size", "batches"),
    ):
        if key in keys:
            raise ConfigError(
                f"The optimiser chooses {key} itself: leave it out, or set optimiser.{instead}=[…]."
            )
    named = any(key == "engine" or key.startswith("engine.") for key in keys)
    if named and "optimiser.engines" in keys:
        raise ConfigError(
            "engine names the one engine to optimise, optimiser.engines several: "
            "leave one of them out."
        )
    others = [name for name in _names("engine") if name not in (engine, *_NOT_TRIED)]
    engines = (engine,) if named else (engine, *others)
    return Options.of(
        plain.get("optimiser") or {}, engines, _names("optimisation"), build(plain["pipeline"])
    )


def _names(group: str) -> tuple[str, ...]:
    return tuple(sorted(path.stem for path in (conf_dir() / group).glob("*.yaml")))


@dataclass
class SweepBench:
    """Measures for the search, one launched point at a time.

    given: the overrides of the command line.
    journal: seconds of points that an earlier run of the search measured.
    spent_s: seconds spent on all points, also by an earlier run.
    """

    folder: Path
    given: Sequence[Override]
    options: Options
    compose: Compose
    launch: Launch
    journal: Journal
    spent_s: float = 0.0
    display: SweepProgress = field(default_factory=SweepProgress)
    _since: float = field(default_factory=time.monotonic)
    _checked: dict[Entry, tuple[Kind, str] | None] = field(default_factory=dict)
    _count: int = 0
    _first: RunRecord | None = None

    def refusal(self, entry: Entry) -> tuple[Kind, str] | None:
        """Builds the point, composes its optimisations and asks its engine; loads nothing."""
        if entry not in self._checked:
            self._checked[entry] = self._refusal(entry)
        return self._checked[entry]

    def _refusal(self, entry: Entry) -> tuple[Kind, str] | None:
        try:
            system = build_job(options(self.compose(self._overrides(entry, {})))).system
            if idle := system.idle_optimisations:
                same = f"optimisation={idle[0]} changes nothing here: it is what runs without it."
                return "refused", same
            system.composed().engine.check(system.model)
        except MissingExtraError as error:
            return "not installed", str(error)
        except AsrScalingError as error:
            return "refused", str(error)
        return None

    def measure(self, trial: Trial) -> RunRecord:
        """Launch the point and read its record.

        Time that an earlier run of the search spent on the point counts as spent.
        """
        place = self._place(trial)
        try:
            before = self._record(place)
        except DataError:  # damaged by an earlier run of the search: it is measured again
            before = None
        self._count += 1
        self.display.total = self._count  # how many there will be is not known
        more = {**self._wanted(trial), "hydra.sweep.subdir": f"'{place}'"}
        self.launch(self._overrides(trial.entry, more), trial.round is not None)
        record = self._record(place)
        if record is None:
            raise DataError(
                f"The point in {self.folder / place} left no record: "
                "see its log, then resume the search."
            )
        now = time.monotonic()
        took = now - self._since
        if before is not None and before.started_at == record.started_at:
            took = self.journal.seconds.get(place, record.ended_at - record.started_at)
        self._since = now
        self.spent_s += took
        self.journal.seconds[place] = took
        self.journal.write(self.folder)
        self._first = self._first or record
        what = unlike(self._first.environment, record.environment)
        return replace(record, status="failed", reason=_ELSEWHERE.format(what)) if what else record

    def _wanted(self, trial: Trial) -> dict[str, str]:
        """Key → value of the overrides that a trial needs beside those of its candidate."""
        wanted = {"optimiser.stage": str(trial.stage)}
        if trial.stage != "final":
            wanted |= self._short(trial.entry.batch)
        elif self.options.final.utterances is not None:
            wanted["pipeline.utterances"] = str(self.options.final.utterances)
        if trial.round is not None:
            processes = str(self.options.processes)
            wanted |= {"+sweep.round": str(trial.round), "sweep.processes": processes}
        return wanted

    def _record(self, place: str) -> RunRecord | None:
        path = self.folder / place / RECORD_FILE
        return RunRecord.read(path) if path.exists() else None

    def _short(self, batch: int) -> dict[str, str]:
        """Budgets while searching.

        Batch 1 has enough calls for an interval; of the long calls of larger batches there are few.
        """
        full, searching = self.options.pipeline, self.options
        shorter = {
            "utterances": min(searching.utterances, full.utterances or searching.utterances),
            "max_seconds": min(searching.max_seconds, full.max_seconds),
            "warmup_seconds": min(1.0, full.warmup_seconds),
            "min_iterations": min(6 if batch == 1 else 2, full.min_iterations),
        }
        budgets = {f"pipeline.{key}": str(value) for key, value in shorter.items()}
        return {**budgets, "profiler": _SEARCHED}

    def _overrides(self, entry: Entry, more: Mapping[str, str]) -> list[str]:
        """The overrides of a point; they replace those of the command line with the same key."""
        chosen = {
            "engine": entry.candidate.engine,
            "optimisation": f"[{','.join(entry.candidate.optimisations)}]",
            "batch.size": str(entry.batch),
            **more,
        }
        given = {
            override.get_key_element(): str(override.input_line)
            for override in self.given
            if _concerns(override, entry.candidate.optimisations)
        }
        return list((given | {key: f"{key}={value}" for key, value in chosen.items()}).values())

    def _place(self, trial: Trial) -> str:
        """The folder of a trial's point, the same at every run of the search."""
        candidate, stage = trial.entry.candidate, trial.stage
        names = "_".join((candidate.engine, *candidate.optimisations))
        place = f"{_ORDER[stage]}_{stage}_b{trial.entry.batch}_{names}"
        return place if trial.round is None else f"{ROUNDS_FOLDER}/{trial.round}/{place}"


def _concerns(override: Override, optimisations: Sequence[str]) -> bool:
    """Whether an override is for a point: an optimisation's is where that is applied."""
    group, *rest = override.key_or_group.split(".")
    return group != "optimisation" or (bool(rest) and rest[0] in optimisations)
