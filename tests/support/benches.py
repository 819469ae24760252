"""A bench with known laws: what each engine and optimisation gains and costs,
so that the best answer is known."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from asr_scaling.core.call_summary import summarise
from asr_scaling.core.record import RunRecord
from asr_scaling.core.spread import Spread, with_spread
from asr_scaling.measure.pipeline import Pipeline
from asr_scaling.search.candidates import Candidate, Entry, Trial
from asr_scaling.search.options import Options
from asr_scaling.search.outcome import Kind
from support.studies import TINY, record

BASE = Candidate("transformers")
SECONDS = 10.0
"""What every point takes, unless told otherwise."""


def options(**changed: Any) -> Options:
    given = {
        "engines": ("transformers", "other"),
        "optimisations": ("a", "b", "c", "slow"),
        "batches": (1,),
    }
    given |= {"final_utterances": 6}
    quick = Pipeline(utterances=6, max_seconds=1, warmup_seconds=0, min_iterations=3)
    return Options(**{**given, "pipeline": quick, **changed})


@dataclass
class Bench:
    """``gains``: engine or optimisation → factor of speed. ``joint``: set of optimisations → what
    it gains more or less than the product. ``wer``: optimisation → points that it costs.
    ``refused``: any of these names refuses a candidate; ``clash``: pairs that do; ``needs``: what
    must stand before another, ``first``: before all. ``failing``: when measured.
    ``noise`` and ``between``: standard deviation of the logarithm of a call's and of a process's
    time, of which the machine knows the second. ``again``: of
    every sixth call takes the baseline's time as well. ``seconds``: of a point, by stage;
    ``batch_seconds``: of one of the baseline's speed, by batch.
    """

    gains: Mapping[str, float]
    joint: Mapping[frozenset[str], float] = field(default_factory=dict)
    wer: Mapping[str, float] = field(default_factory=dict)
    refused: Mapping[str, tuple[Kind, str]] = field(default_factory=dict)
    clash: tuple[frozenset[str], ...] = ()
    needs: Mapping[str, str] = field(default_factory=dict)
    first: tuple[str, ...] = ()
    failing: tuple[str, ...] = ()
    smaller_batch: float = 1.0
    random: bool = False
    noise: float = 0.0
    between: float = 0.0
    again: tuple[str, ...] = ()
    seconds: Mapping[str, float] = field(default_factory=dict)
    batch_seconds: Mapping[int, float] = field(default_factory=dict)
    spent_s: float = 0.0
    trials: list[Trial] = field(default_factory=list)

    def refusal(self, entry: Entry) -> tuple[Kind, str] | None:
        names = entry.candidate.optimisations
        for name in (entry.candidate.engine, *names):
            if name in self.refused:
                return self.refused[name]
            if name in self.needs and self.needs[name] not in names[: names.index(name)]:
                return "refused", f"{name} needs {self.needs[name]}."
            if name in self.first and names.index(name) > 0:
                return "refused", f"{name} comes first."
        for one, two in itertools.combinations(names, 2):
            if frozenset((one, two)) in self.clash:
                return "refused", f"{one} and {two} clash."
        return None

    def measure(self, trial: Trial) -> RunRecord:
        assert trial not in self.trials, "nothing is measured twice"
        assert self.refusal(trial.entry) is None, "what is refused is never measured"
        self.trials.append(trial)
        paced = self.batch_seconds.get(trial.entry.batch, 0.0) / self.factor(trial.entry)
        self.spent_s += paced or self.seconds.get(trial.stage, SECONDS)
        names = (trial.entry.candidate.engine, *trial.entry.candidate.optimisations)
        if any(name in self.failing for name in names):
            return replace(
                self.made(trial, 1.0), status="failed", reason="it broke", samples=(), metrics=()
            )
        return self.made(trial, self.factor(trial.entry))

    def factor(self, entry: Entry) -> float:
        """Speed, as a multiple of the bare baseline's."""
        names = entry.candidate.optimisations
        factor = self.gains.get(entry.candidate.engine, 1.0)
        for name in names:
            factor *= self.gains.get(name, 1.0)
        for together, more in self.joint.items():
            factor *= more if together <= set(names) else 1.0
        return factor * (self.smaller_batch if entry.batch == 8 else 1.0)

    def made(self, trial: Trial, factor: float) -> RunRecord:
        candidate, batch = trial.entry.candidate, trial.entry.batch
        points = 0.0493 + sum(self.wer.get(name, 0.0) for name in candidate.optimisations) / 100
        law = replace(TINY, call_s=0.0, window_cost_s=0.3 / factor, per_s=0.01 / factor, wer=points)
        law = replace(law, wer=None) if self.random else law
        dice = random.Random(str(trial))
        slower = math.exp(dice.gauss(0, self.between)) if self.between else 1.0
        law = replace(law, window_cost_s=slower * law.window_cost_s, per_s=slower * law.per_s)
        found = record(law, None, batch, calls=12 if batch == 1 else 3, noise=self.noise, dice=dice)
        config = {
            **found.config,
            "engine": {"_target_": f"asr_scaling.engine.{candidate.engine}.X"},
            "optimisation": {name: {} for name in candidate.optimisations},
            "optimiser": {"stage": trial.stage},
            "sweep": {} if trial.round is None else {"round": trial.round, "processes": 3},
        }
        system = {
            **found.system,
            "engine": candidate.engine,
            "optimisations": list(candidate.optimisations),
        }
        if self.between:
            known = with_spread(found.environment, Spread(self.between, freedom=7.0))
            found = replace(found, environment=known)
        began = found.started_at + len(self.trials)
        samples = tuple(replace(s, started_at=began + i / 100) for i, s in enumerate(found.samples))
        if set(self.again) & set(candidate.optimisations):
            whole_s = replace(TINY, call_s=0.0, window_cost_s=0.3, per_s=0.01).call(4.0, batch)
            samples = tuple(
                replace(s, total_s=s.total_s + whole_s, stages={"encoder": s.total_s + whole_s})
                if i % 6 == 0
                else s
                for i, s in enumerate(samples)
            )
            changed = {metric.name: metric for metric in summarise(samples).metrics}
            found = replace(
                found, metrics=tuple(changed.get(metric.name, metric) for metric in found.metrics)
            )
        return replace(found, config=config, system=system, samples=samples, started_at=began)

    def measured(self, stage: str) -> list[tuple[str, int]]:
        return [(t.entry.candidate.label, t.entry.batch) for t in self.trials if t.stage == stage]
