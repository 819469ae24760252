"""What a search has measured, refused and left out so far, and what it believes by then."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from asr_scaling.core.word_loss import WordLoss, word_loss
from asr_scaling.search.bench import Bench, Kind, Observed
from asr_scaling.search.candidates import Candidate, Entry, Stage, Trial
from asr_scaling.search.options import Options
from asr_scaling.search.outcome import Left, Tried
from asr_scaling.search.priors import Priors
from asr_scaling.search.speed_model import Array, Beliefs, Sighting, SpeedModel
from asr_scaling.search.suspects import Suspects
from asr_scaling.search.usual_calls import log_totals

_NOISE: dict[Stage, float] = {"search": 0.035, "semifinal": 0.03, "final": 0.03}
"""What a trial of a stage is off by itself, as a standard deviation of log speed."""
_OVERHEAD_S: dict[Stage, float] = {"search": 0.5, "semifinal": 7.0, "final": 7.0}
"""Seconds of a trial that are neither loading nor calls, until its stage has shown them."""
_LEAST_CALLS = 4
"""Calls of a process of the semifinal or the final: a warm-up and the fewest for an interval."""
_ACQUITS = 0.25
"""With such a chance to be within what is allowed, a composition speaks for its optimisations."""
_SIMPLER = 0.002
"""Log speed that an optimisation must bring to come before the same without it."""
_UNREAD = 0.6
"""Chance that a composition of which no words were read is within what is allowed."""
_UNTIMED_SHARE = 0.35
"""Weight of a new trial in what is learned of the seconds outside calls."""


class SearchLog:
    """The log of one search."""

    def __init__(self, bench: Bench, options: Options, priors: Priors) -> None:
        self.bench = bench
        self.options = options
        self.priors = priors
        self.baseline = Candidate(options.engines[0])
        self.trials: dict[tuple[Entry, Stage], list[Observed]] = {}
        self.words: dict[Entry, dict[str, tuple[int, int]]] = {}
        self.left_out: dict[Entry, Left] = {}
        self._model = SpeedModel(priors, options.optimisations)
        self._failing = Suspects(everywhere=False)
        self._erring = Suspects(everywhere=True)
        self._losses: dict[Entry, tuple[tuple[int, int], WordLoss | None]] = {}
        self._compiling_s: dict[str, float] = {}
        self._zeros: dict[str, float] = {}
        self._outside_s: dict[tuple[str, Stage], float] = {}
        self._timed: dict[tuple[str, ...], dict[int, Mapping[str, float]]] = {}

    def base(self, batch: int) -> Entry:
        """The baseline at a batch size."""
        return Entry(self.baseline, batch)

    def measure(self, trial: Trial) -> Observed:
        """Measure, and learn from it; a failure is logged."""
        begun_s = self.bench.spent_s
        found = self.bench.measure(trial)
        if found.problem:
            self._failed(trial.entry, found.problem)
            return found
        self._failing.acquit(trial.entry.candidate.engine, trial.entry.candidate.optimisations)
        self.trials.setdefault((trial.entry, trial.stage), []).append(found)
        if self.left_out.get(trial.entry, _NOTHING).kind == "not tried":
            del self.left_out[trial.entry]
        self.words.setdefault(trial.entry, {}).update(found.words)
        self._learn(trial, found, begun_s)
        self._judge_words(trial.entry)
        return found

    def _failed(self, entry: Entry, problem: str) -> None:
        """Leave out what failed: one optimisation, where all others have worked on this engine."""
        self.leave_out(entry, "failed", problem)
        self._blame(entry, self._failing, "failed", problem)

    def _blame(self, entry: Entry, suspects: Suspects, kind: Kind, why: str) -> None:
        """Leave out the only optimisation that can be to blame, and with it all that has it."""
        engine = entry.candidate.engine
        only = suspects.accuse(engine, entry.candidate.optimisations)
        if only is not None:
            self.leave_out(Entry(Candidate(engine, (only,)), entry.batch), kind, why)

    def of(self, entry: Entry, stage: Stage) -> Sequence[Observed]:
        """What the trials of an entry in a stage gave, the failed ones left out."""
        return self.trials.get((entry, stage), ())

    def _learn(self, trial: Trial, found: Observed, begun_s: float) -> None:
        heard = sorted("+".join(found.seconds).split("+"))  # the same utterances, however grouped
        calls = f"{trial.entry.batch} {trial.stage == 'search'} {heard}"
        log_speed = -math.log(math.fsum(found.seconds.values()))
        zero = self._zeros.setdefault(calls, log_speed - self._believed_speed(trial.entry))
        at_s = (begun_s + self.bench.spent_s) / 2
        noise = _NOISE[trial.stage]
        number = self._model.add(Sighting(trial.entry, log_speed - zero, at_s, noise, calls))
        if trial.stage == "search":
            self._without_mishaps(number, found.seconds, calls)
        key = trial.entry.candidate.engine, trial.stage
        for name in trial.entry.candidate.optimisations:
            before_s = self._compiling_s.get(name, math.inf)
            self._compiling_s[name] = min(before_s, found.compile_s)
        outside_s = max(0.1, found.took_s - found.calls_s - found.compile_s)
        before = self._outside_s.get(key)
        self._outside_s[key] = (
            outside_s if before is None else before + _UNTIMED_SHARE * (outside_s - before)
        )

    def _without_mishaps(self, number: int, seconds: Mapping[str, float], calls: str) -> None:
        """Look anew at all trials of the same calls: each one more shows what is usual."""
        alike = self._timed.setdefault((calls, *sorted(seconds)), {})
        alike[number] = seconds
        for one, total in zip(alike, log_totals(list(alike.values())), strict=True):
            self._model.correct(one, -total - self._zeros[calls])

    def _believed_speed(self, entry: Entry) -> float:
        return float(self._model.believed([entry]).means[0]) if self._zeros else 0.0

    def _judge_words(self, entry: Entry) -> None:
        loss, allowed = self.loss(entry), self.options.max_wer_share
        if loss is None or entry.candidate == self.baseline:
            return
        if loss.outcome(allowed) == "beyond":
            why = wer_beyond(loss, self.options.max_wer_loss)
            self.leave_out(entry, "WER", why)
            self._blame(entry, self._erring, "WER", why)
        elif loss.chance(allowed) >= _ACQUITS:
            self._erring.acquit(entry.candidate.engine, entry.candidate.optimisations)

    def loss(self, entry: Entry) -> WordLoss | None:
        """Change of WER against the plain system at the smallest batch; None where not known."""
        plain = self.words.get(self.base(min(self.options.batches)))
        own = self.words.get(entry)
        if not plain or not own:
            return None
        read = len(plain), len(own)
        if entry not in self._losses or self._losses[entry][0] != read:
            self._losses[entry] = read, word_loss(plain, own)
        return self._losses[entry][1]

    def chances_within(self, entries: Sequence[Entry]) -> Array:
        """Chance of each that it works and its WER is within what is allowed.

        By the words of it and its parts: what is built upon something is not taken for more
        accurate than that.
        """
        allowed = self.options.max_wer_share
        read = [
            (other.candidate.engine, set(other.candidate.optimisations), loss.chance(allowed))
            for other in self.words
            if other.candidate != self.baseline and (loss := self.loss(other))
        ]
        chances = []
        for entry in entries:
            engine, names = entry.candidate.engine, entry.candidate.optimisations
            own = (c for of, parts, c in read if of == engine and parts.issubset(names))
            good = self._failing.chance(engine, names) * self._erring.chance(engine, names)
            chances.append(min(own, default=_UNREAD) * good)
        return np.array(chances)

    def believed(self, entries: Sequence[Entry]) -> Beliefs:
        """Of the log speed of entries of one batch size."""
        return self._model.believed(entries)

    def fastest_first(self, entries: Iterable[Entry]) -> list[Entry]:
        """Entries of one batch size by their believed speed; of two as fast the simpler first."""
        known = list(entries)
        if not known:
            return []
        options = np.array([len(entry.candidate.optimisations) for entry in known])
        return [known[i] for i in np.argsort(_SIMPLER * options - self.believed(known).means)]

    def cost(self, entry: Entry, stage: Stage, utterances: int = 0) -> float:
        """Seconds that a trial of ``entry`` is expected to take, ``utterances`` scored in it."""
        return float(self.costs([entry], stage, utterances)[0])

    def costs(self, entries: Sequence[Entry], stage: Stage, utterances: int = 0) -> Array:
        """Of entries of one batch size, by what the baseline's calls take at it."""
        base = self.base(entries[0].batch)
        known = self.trials[base, "search"][0]
        means = self.believed([base, *entries]).means
        speeds: Array = np.exp(means[1:] - means[0])
        call_s: Array = math.fsum(known.seconds.values()) / len(known.seconds) / speeds
        if stage == "search":
            calls_s = known.calls_s / speeds
        else:
            timed = self._timed_utterances(stage, base.batch)
            calls_s = np.maximum(self.options.timed_s(stage), timed / base.batch * call_s)
            calls_s += max(0, utterances - timed) * call_s / base.batch
        outside_s: Array = np.array([self._outside(entry, stage) for entry in entries])
        return calls_s + outside_s

    def _timed_utterances(self, stage: Stage, batch: int) -> int:
        """Utterances of the fewest calls in a process of the semifinal or the final."""
        few = self.options.semifinal_utterances(batch) if stage == "semifinal" else 0
        return max(few, _LEAST_CALLS * batch)

    def _outside(self, entry: Entry, stage: Stage) -> float:
        """Seconds outside calls: start, loading, compiling, writing."""
        learned_s = self._outside_s.get((entry.candidate.engine, stage))
        if learned_s is None:
            learned_s = _OVERHEAD_S[stage] + self.priors.engine(entry).extra_s
        return learned_s + self._compiling(entry)

    def _compiling(self, entry: Entry) -> float:
        """Seconds that the slowest of its optimisations takes to compile, as far as is known."""
        return max(
            (
                self._compiling_s.get(name, self.priors.option(entry, name).extra_s)
                for name in entry.candidate.optimisations
            ),
            default=0.0,
        )

    def second_of(self, entry: Entry) -> float:
        """Seconds of computing that an utterance takes the baseline at the batch of ``entry``."""
        known = self.trials[self.base(entry.batch), "search"][0]
        return math.fsum(known.seconds.values()) / (len(known.seconds) * entry.batch)

    def speed_over(self, base: Entry, entry: Entry) -> float:
        """The speed of an entry as a multiple of another's, as it is believed."""
        means = self.believed([base, entry]).means
        return float(math.exp(means[1] - means[0]))

    def kept(self, entries: Iterable[Entry]) -> list[Entry]:
        """Those that did not fail or err too much, nor hold all that something did which does.

        What failed after it had worked says nothing of what holds more.
        """
        out = [
            (left.kind, entry, set(entry.candidate.optimisations), bool(self.of(entry, "search")))
            for entry, left in self.left_out.items()
            if left.kind in ("failed", "WER")
        ]
        return [
            entry
            for entry in entries
            if not any(
                one == entry
                or (
                    one.candidate.engine == entry.candidate.engine
                    and (kind == "WER" or (one.batch == entry.batch and not worked))
                    and parts.issubset(entry.candidate.optimisations)
                )
                for kind, one, parts, worked in out
            )
        ]

    def excluded(self, entry: Entry) -> bool:
        """Whether ``kept`` leaves it out."""
        return not self.kept([entry])

    def possible(self, entry: Entry) -> bool:
        """True unless the bench refuses the entry; a refusal of one change alone is logged."""
        refusal = self.bench.refusal(entry)
        if refusal is not None and len(entry.candidate.optimisations) < 2:
            self.leave_out(entry, *refusal)
        return refusal is None

    def regrouping(self, batch: int) -> tuple[str, ...]:
        """Optimisations that change which utterances share a batch."""
        names = self.options.optimisations
        alone = {name: Entry(Candidate(self.baseline.engine, (name,)), batch) for name in names}
        return tuple(name for name, entry in alone.items() if self.bench.regroups(entry))

    def leave_out(self, entry: Entry, kind: Kind, why: str) -> None:
        """Log what is left out; the first reason stays unless it was "not tried"."""
        if entry not in self.left_out or self.left_out[entry].kind == "not tried":
            self.left_out[entry] = Left(entry, kind, why)

    def measured(self, batch: int, stage: Stage = "search") -> list[Entry]:
        """What was measured at a batch size in a stage and is not excluded."""
        return self.kept(e for e, s in self.trials if s == stage and e.batch == batch)

    def tried(self) -> Iterable[Tried]:
        """Everything that was measured, with its gain over the baseline of its batch."""
        for entry, stage in self.trials:
            base = self.base(entry.batch)
            if entry != base and (gain := self.bench.gain(base, entry, stage)):
                yield Tried(entry, stage, gain)


_NOTHING = Left(Entry(Candidate(""), 0), "refused", "")


def wer_beyond(loss: WordLoss, max_loss: float) -> str:
    """Why an entry is left out for its WER."""
    rise = 100 * loss.change
    return (
        f"WER rose by {rise:.1f} points over {loss.words} words, shown to be beyond the "
        f"{max_loss:g} that optimiser.max_wer_loss allows."
    )
