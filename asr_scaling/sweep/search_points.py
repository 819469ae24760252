"""A trial of a search as a point of a sweep: its overrides, its folder, and its budgets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hydra.core.override_parser.types import Override

from asr_scaling.core.record import ROUNDS_FOLDER
from asr_scaling.search.candidates import Candidate, Stage, Trial
from asr_scaling.search.options import Options

_ORDER: dict[Stage, int] = {"search": 0, "semifinal": 1, "final": 2}
_LONG_CALL_S = 6.0
"""Of calls that take longer, a search times one of a batch, and else two."""
_PATIENCE = 3.0
"""Calls of a pair are too long when one takes so many times the pipeline's ``max_seconds``."""
_CHOSEN = ("latency", "quality")
"""Profilers of a search and its semifinal, as far as the command line has them."""
_SEVERAL = ("optimisation", "profiler")
"""Groups of which a point has several choices, or none."""


@dataclass(frozen=True)
class SearchPoints:
    """Makes points of trials.

    given: the overrides of the command line.
    profilers: those of the command line.
    """

    given: Sequence[Override]
    options: Options
    profilers: Sequence[str]

    def place(self, trial: Trial) -> str:
        """The folder of a trial's point, the same at every run of the search."""
        candidate, stage = trial.entry.candidate, trial.stage
        names = "_".join((candidate.engine, *candidate.optimisations))
        point = f"{_ORDER[stage]}_{stage}_b{trial.entry.batch}_{names}"
        return f"{ROUNDS_FOLDER}/{trial.number}/{point}"

    def overrides(self, trial: Trial, alone: bool) -> list[str]:
        """Those of a trial's point; they replace the command line's of the same option.

        alone: the trial has a process of its own.
        """
        more = {
            "batch.size": str(trial.entry.batch),
            "optimiser.stage": trial.stage,
            "optimiser.rank": str(trial.rank) if trial.stage == "final" else "null",
            **self._budgets(trial),
            "hydra.sweep.subdir": f"'{self.place(trial)}'",
        }
        profilers = self._profilers(trial.stage)
        if trial.stage != "final":
            more["profiler"] = _listed(profilers)
        return [*self.of(trial.entry.candidate, profilers, more), *self._round(trial, alone)]

    def of(
        self, candidate: Candidate, profilers: Sequence[str], more: Mapping[str, str]
    ) -> list[str]:
        """Overrides of a point of a candidate: the command line's, and ``more`` in their place.

        profilers: those that the point has.
        """
        names = {"optimisation": candidate.optimisations, "profiler": profilers}
        chosen = {"engine": candidate.engine, "optimisation": _listed(candidate.optimisations)}
        given = {
            override.get_key_element(): str(override.input_line)
            for override in self.given
            if _concerns(override, names)
        }
        made = {key: f"{key}={value}" for key, value in {**chosen, **more}.items()}
        return list((given | made).values())

    def with_everything(self, engine: str) -> list[str]:
        """Overrides of a point that has every part a search may ask for with an engine."""
        every = Candidate(engine, self.options.optimisations)
        return self.of(every, self.profilers, {"batch.size": "1"})

    def _profilers(self, stage: Stage) -> list[str]:
        return [name for name in self.profilers if stage == "final" or name in _CHOSEN]

    def _round(self, trial: Trial, alone: bool) -> list[str]:
        """Which of the point's processes it is; blocks of a search have one process together."""
        processes = "~sweep.processes"
        if alone:
            count = self.options.processes if trial.stage == "final" else 1
            processes = f"sweep.processes={count}"
        return [f"+sweep.round={trial.number}", processes]

    def _budgets(self, trial: Trial) -> dict[str, str]:
        """Options of the pipeline, all of which the record has."""
        batch, options = trial.entry.batch, self.options
        if trial.stage == "final":
            found = self._final(batch)
        elif trial.stage == "semifinal":
            found = {**self._calls(batch, options.semifinal_utterances(batch)), **self._semifinal()}
        else:
            few = min(options.utterances, options.pipeline.utterances or options.utterances)
            found = {**self._calls(batch, few if batch == 1 else batch), **self._search(batch)}
        if trial.utterances is not None:
            found["scored"] = trial.utterances
        return {f"pipeline.{key}": _written(value) for key, value in found.items()}

    def _calls(self, batch: int, utterances: int) -> dict[str, object]:
        """Utterances of all lengths: each a call at batch 1, else two calls of batches."""
        calls = utterances if batch == 1 else 2
        return {"utterances": utterances, "spread": True, "warmup": 1, "min_iterations": calls}

    def _search(self, batch: int) -> dict[str, object]:
        """Every call once, or the one batch twice unless that takes long."""
        full_s = self.options.pipeline.max_seconds
        return {
            "warmup_by": "cheapest",
            "warmup_seconds": 0,
            "precision": None,
            "max_seconds": full_s if batch == 1 else _LONG_CALL_S / _PATIENCE,
            "metronome": False,
        }

    def _semifinal(self) -> dict[str, object]:
        full = self.options.pipeline
        return {
            "warmup_seconds": min(1.0, full.warmup_seconds),
            "max_seconds": min(self.options.max_seconds, full.max_seconds),
        }

    def _final(self, batch: int) -> dict[str, object]:
        """The budgets of the command line, on the same utterances at every batch size.

        They are two batches of the largest size at least, as one does not show what regrouping
        gains. As many of them are timed as the command line asks for, also where that takes longer
        than ``max_seconds``; the others where there is time.
        """
        full, sizes = self.options.pipeline, self.options.batches
        if full.utterances is None:
            return {}
        count = max(full.utterances, *(2 * size for size in sizes if size > 1), 1)
        sure = max(full.utterances, *sizes)
        return {"utterances": count, "min_iterations": max(full.min_iterations, -(-sure // batch))}


def _listed(names: Sequence[str]) -> str:
    return f"[{','.join(names)}]"


def _written(value: object) -> str:
    """As Hydra takes it."""
    if value is None:
        return "null"
    return str(value).lower() if isinstance(value, bool) else str(value)


def _concerns(override: Override, chosen: Mapping[str, Sequence[str]]) -> bool:
    """Whether an override is for a point: an option of a choice is where that is ``chosen``."""
    group, *rest = override.key_or_group.split(".")
    return group not in _SEVERAL or not rest or rest[0] in chosen[group]
