"""The optimiser as a sweep: the search asks for a trial, it is launched, and its record is read.

All that was measured is in the folder of the sweep: the trials as rounds of points, the points made
of them, and optimise.json.
"""

from __future__ import annotations

import sys
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import fmean
from typing import Any

from hydra.core.override_parser.types import Override
from omegaconf import DictConfig

from asr_scaling.analysis.comparison.word_errors import word_counts
from asr_scaling.core.record import RunRecord
from asr_scaling.machine.environment import environment
from asr_scaling.machine.instructions import processor_class
from asr_scaling.machine.machine_kind import unlike
from asr_scaling.measure.model_cache import ModelCache, free_bytes
from asr_scaling.records.merge import merge
from asr_scaling.search.bench import Kind, Observed
from asr_scaling.search.candidates import Candidate, Entry, Stage, Trial
from asr_scaling.search.optimise import optimise
from asr_scaling.search.options import Options
from asr_scaling.search.outcome import Journal, Outcome
from asr_scaling.search.priors import Priors, priors_of
from asr_scaling.search.speedup import Gain, gain
from asr_scaling.sweep.instantiate import build, options
from asr_scaling.sweep.rounds import merge_rounds
from asr_scaling.sweep.search_launches import (
    Compose,
    Launch,
    Launches,
    check_chosen,
    names_engine,
)
from asr_scaling.sweep.search_points import SearchPoints
from asr_scaling.sweep.search_systems import SearchSystems
from asr_scaling.sweep.sweep_run import current
from asr_scaling.util.config_dir import conf_dir

_NOT_TRIED = ("fake",)
"""Engines that measure nothing real; they are tried only where the command line names them."""
_CHOSEN = {
    "optimisation": "optimiser.optimisations=[…]",
    "batch": "optimiser.batches=[…]",
    "batch.size": "optimiser.batches=[…]",
}
"""What the optimiser chooses itself → what to set instead."""
_ELSEWHERE = (
    "It ran on another kind of machine than the first point ({}): "
    "have the launcher choose nodes of one kind."
)


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
    plain = options(config)
    chosen = _options(plain, given, str(config.hydra.runtime.choices.engine))
    trials = SearchPoints(given, chosen, tuple(plain.get("profiler") or {}))
    systems = SearchSystems(lambda engine: options(compose(trials.with_everything(engine))))
    journal = Journal.read(folder) if config.sweep.get("resume") else None
    sweep.models = ModelCache(spare_bytes=free_bytes() // 2)
    launches = Launches(folder, launch, sweep.display)
    bench = SweepBench(launches, trials, systems, journal or Journal(), sweep.models)
    outcome = optimise(chosen, bench, _priors(config))
    bench.journal.outcome = outcome
    bench.journal.write(folder)
    merge_rounds(folder, sweep.sink, sweep.parent)
    sweep.finish("FINISHED")
    summary = wording.summary(outcome, points([str(folder)]))
    sys.stdout.writelines(f"{line}\n" for line in summary)
    return outcome


def _priors(config: DictConfig) -> Priors:
    """What is expected of this machine's processor, or of a GPU that was chosen."""
    device = str(config.hydra.runtime.choices.device)
    return priors_of(processor_class(environment(), device))


def _options(plain: Mapping[str, Any], given: Sequence[Override], engine: str) -> Options:
    check_chosen(given, _CHOSEN, "The optimiser")
    named = names_engine(given, "to optimise")
    others = [name for name in _names("engine") if name not in (engine, *_NOT_TRIED)]
    engines = (engine,) if named else (engine, *others)
    return Options.of(
        plain.get("optimiser") or {}, engines, _names("optimisation"), build(plain["pipeline"])
    )


def _names(group: str) -> tuple[str, ...]:
    return tuple(sorted(path.stem for path in (conf_dir() / group).glob("*.yaml")))


@dataclass
class SweepBench:
    """Measures for the search, one launched trial at a time.

    journal: seconds of trials that an earlier run of the search measured.
    models: what stays loaded in this process.
    spent_s: seconds spent so far, also by an earlier run.
    """

    launches: Launches
    points: SearchPoints
    systems: SearchSystems
    journal: Journal
    models: ModelCache = field(default_factory=ModelCache)
    spent_s: float = 0.0
    _since: float = field(default_factory=time.monotonic)
    _first: RunRecord | None = None
    _ok: dict[tuple[Entry, Stage], list[RunRecord]] = field(
        default_factory=lambda: defaultdict(list)
    )

    def refusal(self, entry: Entry) -> tuple[Kind, str] | None:
        """Composes its optimisations and asks its engine; loads nothing."""
        return self.systems.refusal(entry)

    def resolved(self, candidate: Candidate) -> Candidate:
        """The candidate with the optimisations that its own need beside them."""
        return self.systems.resolved(candidate)

    def regroups(self, entry: Entry) -> bool:
        """Composes it, and looks at what makes its batches."""
        return self.systems.regroups(entry)

    def measure(self, trial: Trial) -> Observed:
        """Launch the trial's point and read its record.

        What an earlier run of the search measured takes the time that it took then.
        """
        place = self.points.place(trial)
        alone = trial.stage != "search" or self.systems.changes_its_process(trial.entry)
        if trial.stage != "search":
            self.models.clear()  # it would take memory from the process that measures
        overrides = self.points.overrides(trial, alone)
        record, again = self.launches.measured(place, overrides, alone)
        record = self._of_one_kind(record)
        if record.status == "ok":
            self._ok[trial.entry, trial.stage].append(record)
        return observed(record, self._took(place, record, again))

    def gain(self, base: Entry, entry: Entry, stage: Stage) -> Gain | None:
        """``entry`` over ``base`` by all trials of ``stage`` so far; None where one has none."""
        ours, theirs = self._ok[base, stage], self._ok[entry, stage]
        return gain(merge(ours), merge(theirs)) if ours and theirs else None

    def _took(self, place: str, record: RunRecord, again: bool) -> float:
        """Seconds since the trial before; those of an earlier run where that measured it."""
        now = time.monotonic()
        took = now - self._since
        if again:
            took = self.journal.seconds.get(place, record.ended_at - record.started_at)
        self._since = now
        self.spent_s += took
        self.journal.seconds[place] = took
        self.journal.write(self.launches.folder)
        return took

    def _of_one_kind(self, record: RunRecord) -> RunRecord:
        """The record; as failed where it is of another kind of machine than the first."""
        self._first = self._first or record
        what = unlike(self._first.environment, record.environment)
        return replace(record, status="failed", reason=_ELSEWHERE.format(what)) if what else record


def observed(record: RunRecord, took_s: float) -> Observed:
    """What a search learns of a trial's record; ``took_s``: wall seconds of the whole trial."""
    if record.status != "ok":
        return Observed(took_s=took_s, problem=record.reason or record.status)
    times: dict[str, list[float]] = defaultdict(list)
    for sample in record.samples:
        times["+".join(sample.utterances)].append(sample.total_s)
    loading = "load" in record.job_s  # a system that stayed loaded had been compiled before
    compile_s = (record.system.get("facts") or {}).get("compile_s") if loading else None
    return Observed(
        seconds={call: fmean(seconds) for call, seconds in times.items()},
        words=word_counts(record) if "quality/wer" in record.values else {},
        took_s=took_s,
        calls_s=record.job_s.get("engine_calls", 0.0),
        compile_s=compile_s or 0.0,
    )
