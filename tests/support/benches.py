"""A bench with known laws: what each engine and optimisation gains and costs,
so that the best answer is known."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from asr_scaling.core.statistics import Interval
from asr_scaling.core.word_loss import word_loss
from asr_scaling.measure.pipeline import Pipeline
from asr_scaling.search.bench import Kind, Observed
from asr_scaling.search.candidates import Candidate, Entry, Stage, Trial
from asr_scaling.search.options import Options
from asr_scaling.search.speedup import Gain

BASE = Candidate("transformers")
LENGTHS_S = (1.0, 3.0, 5.0, 8.0, 12.0, 15.0)
"""Of the utterances, over and over."""
_CALLS: dict[Stage, int] = {"search": 6, "semifinal": 24, "final": 12}
"""Timed calls of a trial at batch 1; two at others."""
_WINDOW = {"search": 0.0, "semifinal": 3.0, "final": 6.0}
"""Seconds that calls take at least."""
_START = {"search": 2.5, "semifinal": 8.0, "final": 8.0}
"""Seconds outside calls."""


def options(**changed: Any) -> Options:
    given = {
        "engines": ("transformers", "other"),
        "optimisations": ("a", "b", "c", "slow"),
        "batches": (1,),
    }
    pipeline = Pipeline(utterances=6, max_seconds=4, warmup_seconds=0, min_iterations=3)
    return Options(**{**given, "pipeline": pipeline, **changed})


@dataclass
class Bench:
    """Answers by its laws, the same answer to the same trial.

    gains: engine or optimisation → factor of speed; "other:a" is that of a on the engine other,
    "a@16" that of a at batch 16.
    joint: engine and optimisations together → what these gain beyond the product.
    wer: optimisation → points of WER that it costs. random: weights, so no WER is known.
    refused: names that refuse a candidate; clash: sets of names that do; needs: optimisation → what
    is added with it; regrouping: names that put other utterances together, where a batch has
    several; failing: names, or batch sizes, that fail when measured.
    noise: standard deviation of the logarithm of a call's time; between: of a process's, by engine
    or for all (""); drift: of the host's speed, over minutes.
    again: names with which the calls on an utterance take four times as long, by its number.
    dear: name → seconds that loading takes longer; call_s: of a mean call of the baseline at
    batch 1; speech: utterances there are.
    """

    gains: Mapping[str, float]
    joint: Mapping[frozenset[str], float] = field(default_factory=dict)
    wer: Mapping[str, float] = field(default_factory=dict)
    refused: Mapping[str, tuple[Kind, str]] = field(default_factory=dict)
    clash: tuple[frozenset[str], ...] = ()
    needs: Mapping[str, str] = field(default_factory=dict)
    regrouping: tuple[str, ...] = ()
    failing: tuple[str, ...] = ()
    random: bool = False
    noise: float = 0.0
    between: Mapping[str, float] = field(default_factory=dict)
    drift: float = 0.0
    again: Mapping[str, int] = field(default_factory=dict)
    dear: Mapping[str, float] = field(default_factory=dict)
    call_s: float = 0.5
    speech: int = 10_000
    seed: int = 0
    spent_s: float = 0.0
    trials: list[Trial] = field(default_factory=list)
    took_s: dict[Trial, float] = field(default_factory=dict)
    seen: dict[tuple[Entry, Stage], list[Observed]] = field(default_factory=dict)

    def refusal(self, entry: Entry) -> tuple[Kind, str] | None:
        for name in (entry.candidate.engine, *entry.candidate.optimisations):
            if name in self.refused:
                return self.refused[name]
        for names in self.clash:
            if names <= _names(entry):
                return "refused", f"{' and '.join(sorted(names))} clash."
        if entry.batch == 1 and _names(entry) & set(self.regrouping):
            return "refused", "batch=1 has nothing to sort."
        return None

    def regroups(self, entry: Entry) -> bool:
        return bool(_names(entry) & set(self.regrouping)) and not self.refusal(entry)

    def resolved(self, candidate: Candidate) -> Candidate:
        return candidate.plus(*(self.needs[n] for n in candidate.optimisations if n in self.needs))

    def measure(self, trial: Trial) -> Observed:
        assert trial not in self.trials, "nothing is measured twice"
        assert self.refusal(trial.entry) is None, "what is refused is never measured"
        assert trial.stage != "search" or not self.regroups(trial.entry), "one batch shows nothing"
        assert trial.entry.candidate == self.resolved(trial.entry.candidate), "only what can be"
        self.trials.append(trial)
        found = self._observed(trial)
        self.spent_s += found.took_s
        self.took_s[trial] = found.took_s
        if not found.problem:
            self.seen.setdefault((trial.entry, trial.stage), []).append(found)
        return found

    def factor(self, entry: Entry) -> float:
        """Speed, as a multiple of the bare baseline's."""
        engine, names = entry.candidate.engine, _names(entry)
        factor = 1.0
        for name in (engine, *entry.candidate.optimisations):
            plain = self.gains.get(f"{engine}:{name}", self.gains.get(name, 1.0))
            factor *= self.gains.get(f"{name}@{entry.batch}", plain)
        return factor * math.prod(more for names_, more in self.joint.items() if names_ <= names)

    def best(self, options: Options, batch: int = 1) -> Entry:
        """The fastest of all that can be measured."""
        names = options.optimisations
        entries = (
            Entry(self.resolved(Candidate(engine, chosen)), batch)
            for engine in options.engines
            for count in range(len(names) + 1)
            for chosen in itertools.combinations(names, count)
        )
        return max((e for e in entries if self.refusal(e) is None), key=self.factor)

    def gain(self, base: Entry, entry: Entry, stage: Stage) -> Gain | None:
        ours, theirs = self.seen.get((base, stage)), self.seen.get((entry, stage))
        if not ours or not theirs:
            return None
        factor = math.exp(_mean_log_s(ours) - _mean_log_s(theirs))
        spread = math.hypot(self.noise / 2, *map(self._between, (base, entry)))
        half = 2 * spread * math.sqrt(1 / len(ours) + 1 / len(theirs))
        ends = Interval(factor * math.exp(-half), factor * math.exp(half))
        loss = word_loss(_words(ours), _words(theirs))
        return Gain(factor, ends, loss=loss)

    def measured(self, stage: Stage, batch: int = 1) -> list[str]:
        """Labels of what was measured, in its order."""
        those = (t.entry for t in self.trials if t.stage == stage and t.entry.batch == batch)
        return [entry.candidate.label for entry in those]

    def _observed(self, trial: Trial) -> Observed:
        names = _names(trial.entry)
        outside_s = _START[trial.stage] + sum(s for name, s in self.dear.items() if name in names)
        if {*names, str(trial.entry.batch)} & set(self.failing):
            return Observed(took_s=outside_s, problem="it broke.")
        seconds = self._calls(trial)
        second = math.fsum(seconds.values()) / (len(seconds) * trial.entry.batch)
        timed = list(dict.fromkeys(u for call in seconds for u in call.split("+")))
        read = [f"u{i}" for i in range(min(trial.utterances or 0, self.speech))]
        calls_s = max(_WINDOW[trial.stage], 1.5 * math.fsum(seconds.values()))
        calls_s += second * max(0, len(read) - len(timed))
        return Observed(
            seconds,
            {} if self.random else self._read(names, read or timed),
            took_s=outside_s + calls_s,
            calls_s=calls_s,
        )

    def _calls(self, trial: Trial) -> dict[str, float]:
        batch = trial.entry.batch
        count = _CALLS[trial.stage] if batch == 1 else 2
        dice = random.Random(f"{self.seed} {trial.entry.label} {trial.stage} {trial.number}")
        slower = math.exp(dice.gauss(0, self._between(trial.entry)))
        slower *= math.exp(self.drift * 1.4 * math.sin(self.spent_s / 100 + self.seed))
        unit_s = self.call_s * slower / self.factor(trial.entry) / (1.0 if batch == 1 else 1.6)
        calls = {}
        stride = count if self.regroups(trial.entry) else 1
        for number in range(count):
            ids = range(number * batch, (number + 1) * batch)
            if stride > 1:
                ids = range(number, batch * count, stride)
            work = sum(0.5 + 0.5 * LENGTHS_S[i % 6] / 7.3 for i in ids)
            work *= 4 if {self.again.get(name) for name in _names(trial.entry)} & set(ids) else 1
            calls["+".join(f"u{i}" for i in ids)] = (
                unit_s * work * math.exp(dice.gauss(0, self.noise))
            )
        return calls

    def _between(self, entry: Entry) -> float:
        return self.between.get(entry.candidate.engine, self.between.get("", 0.0))

    def _read(self, names: set[str], utterances: list[str]) -> dict[str, tuple[int, int]]:
        """Every utterance has 15 words and loses the same ones, in whatever trial it is read."""
        lost = {
            name: random.Random(f"{self.seed} {name}") for name in sorted(self.wer) if name in names
        }
        found = {}
        for number in range(max((int(u[1:]) for u in utterances), default=-1) + 1):
            more = sum(_count(self.wer[name] * 0.15, dice) for name, dice in lost.items())
            found[f"u{number}"] = min(15, 1 - number % 2 + more), 15
        return {utterance: found[utterance] for utterance in utterances}


def _names(entry: Entry) -> set[str]:
    return {entry.candidate.engine, *entry.candidate.optimisations}


def _count(mean: float, dice: random.Random) -> int:
    """So much on average: the whole of it, and one more as often as its fraction says."""
    return int(mean) + (dice.random() < mean % 1)


def _mean_log_s(found: list[Observed]) -> float:
    return math.fsum(math.log(math.fsum(each.seconds.values())) for each in found) / len(found)


def _words(found: list[Observed]) -> dict[str, tuple[int, int]]:
    return {key: count for each in found for key, count in each.words.items()}
