"""Measures for a search in a world (benchmarks/replayed_world.py), on a clock that is simulated."""

from __future__ import annotations

import math
from collections import OrderedDict, defaultdict
from dataclasses import dataclass, field

import numpy as np
from replayed_world import Floats, Way, World

from asr_scaling.core.statistics import Interval, student
from asr_scaling.search.bench import Kind, Observed
from asr_scaling.search.candidates import Candidate, Entry, Stage, Trial
from asr_scaling.search.options import Options
from asr_scaling.search.speedup import Gain

START_S = 6.0
"""Seconds of a process of its own: its start with all imports, and what it writes."""
BETWEEN_S = 0.3
"""Seconds of a trial in the search's own process that are neither loading nor calls."""
LOADED = 8
"""Systems that stay loaded."""
SLOW_S = 6.0
"""A batch of a search that takes longer is called once."""
OWN_PROCESS = "keep_heap"
"""What a trial of the search can't do in the search's own process."""
_PLENTY = 10_000


@dataclass
class ReplayedBench:
    """One replay.

    ``spent``: stage → seconds spent in it.

    The speech is drawn from the world's utterances with replacement, the first few of it from all
    quantiles of length, and is the same for all that is measured. A process, and a loading within
    the search's own, has an effect on all its calls; the host drifts while time goes by.
    """

    world: World
    options: Options
    seed: int
    spent: dict[Stage, float] = field(default_factory=lambda: defaultdict(float))
    _loaded: OrderedDict[Candidate, float] = field(default_factory=OrderedDict)
    _logs: dict[tuple[Entry, Stage], list[float]] = field(default_factory=lambda: defaultdict(list))
    _drift: float = 0.0
    _drifted_at: float = 0.0

    def __post_init__(self) -> None:
        self._random = np.random.default_rng(self.seed)
        self._drift = self.world.drift_sd * self._random.normal()
        self._speech = self._drawn()
        self._audio = np.array(self.world.durations)[self._speech]

    def _drawn(self) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
        """Numbers of the world's utterances, in the order in which they are read."""
        ordered = np.argsort(self.world.durations, kind="stable")
        blocks = []
        for size in (6, 16 - 6):
            places = (np.arange(size) + self._random.random(size)) / size
            blocks.append(ordered[(places * len(ordered)).astype(int)])
        blocks.append(self._random.integers(0, len(ordered), _PLENTY))
        return np.concatenate(blocks)

    @property
    def spent_s(self) -> float:
        """Seconds of the simulated clock."""
        return math.fsum(self.spent.values())

    def refusal(self, entry: Entry) -> tuple[Kind, str] | None:
        """What is not in the world is refused."""
        if Entry(self.resolved(entry.candidate), entry.batch) in self.world.ways:
            return None
        return "refused", "it is not in the table."

    def resolved(self, candidate: Candidate) -> Candidate:
        """As the world says."""
        return self.world.resolved(candidate)

    def regroups(self, entry: Entry) -> bool:
        """No table has batches that could be regrouped."""
        return False

    def measure(self, trial: Trial) -> Observed:
        """What the trial would have shown, and taken."""
        entry = Entry(self.resolved(trial.entry.candidate), trial.entry.batch)
        way, stage = self.world.ways[entry], trial.stage
        start_s, effect, fresh = self._begun(entry.candidate, way, stage)
        if way.problem:
            self.spent[stage] += start_s
            return Observed(took_s=start_s, problem=way.problem)
        effect += self._drift_now()
        count, least_s = self._timed(entry.batch, stage)
        truth = self._calls(way, entry.batch, count) * math.exp(effect)
        times = self._times(truth, least_s, entry.batch, stage)
        noise = self._random.normal(size=len(truth)) * self.world.call_sd / math.sqrt(times)
        seconds = truth * np.exp(noise)
        scored = max(count * entry.batch, trial.utterances or 0)
        more = self._calls(way, entry.batch, math.ceil(scored / entry.batch))[count:]
        warm_s = float(truth.min())
        calls_s = warm_s + times * float(seconds.sum()) + float(more.sum()) * math.exp(effect)
        compile_s = way.compile_s if fresh else 0.0
        took_s = start_s + compile_s + calls_s
        self.spent[stage] += took_s
        audio_s = float(self._audio[: count * entry.batch].sum())
        self._logs[entry, stage].append(math.log(audio_s / float(seconds.sum())))
        called = {f"{stage} {number}": float(s) for number, s in enumerate(seconds)}
        return Observed(called, self._words(way, scored), took_s, calls_s, compile_s)

    def _begun(self, candidate: Candidate, way: Way, stage: Stage) -> tuple[float, float, bool]:
        """Seconds before the first call, the process's effect, and whether it was loaded now."""
        own = stage != "search" or OWN_PROCESS in candidate.optimisations
        if own:
            if stage != "search":
                self._loaded.clear()
            return START_S + way.load_s, self._effect(way), True
        fresh = candidate not in self._loaded
        if fresh:
            self._loaded[candidate] = self._effect(way)
            if len(self._loaded) > LOADED:
                self._loaded.popitem(last=False)
        self._loaded.move_to_end(candidate)
        return BETWEEN_S + way.load_s * fresh, self._loaded[candidate], fresh

    def _effect(self, way: Way) -> float:
        return way.process_sd * float(self._random.normal())

    def _drift_now(self) -> float:
        passed_s = self.spent_s - self._drifted_at
        self._drifted_at = self.spent_s
        kept = math.exp(-passed_s / self.world.drift_s)
        new = self.world.drift_sd * math.sqrt(1 - kept**2) * float(self._random.normal())
        self._drift = kept * self._drift + new
        return self._drift

    def _timed(self, batch: int, stage: Stage) -> tuple[int, float]:
        """Calls that are timed, and the least seconds for them."""
        if stage == "search":
            return (self.options.utterances if batch == 1 else 1), 0.0
        one_by_one = self.options.semifinal_utterances(1)
        utterances = (self.options.pipeline.utterances or 16) if stage == "final" else one_by_one
        return (2 if batch > 1 else utterances), self.options.timed_s(stage)

    def _times(self, calls: Floats, least_s: float, batch: int, stage: Stage) -> int:
        """How often each is called."""
        whole_s = float(calls.sum())
        if stage == "search":
            return 2 if batch > 1 and whole_s < SLOW_S else 1
        return max(1, round(least_s / whole_s))

    def _calls(self, way: Way, batch: int, count: int) -> Floats:
        """True seconds of the first calls."""
        audio = self._audio[: count * batch].reshape(count, batch).sum(axis=1)
        seconds: Floats = way.fixed_s + way.per_s * audio
        return seconds

    def _words(self, way: Way, count: int) -> dict[str, tuple[int, int]]:
        words, wrong = self.world.words, way.wrong
        return {f"u{i}": (wrong[k], words[k]) for i, k in enumerate(self._speech[:count].tolist())}

    def gain(self, base: Entry, entry: Entry, stage: Stage) -> Gain | None:
        """By the processes of both; a machine knows how much its processes differ."""
        ours = self._logs[Entry(self.resolved(base.candidate), base.batch), stage]
        theirs = self._logs[Entry(self.resolved(entry.candidate), entry.batch), stage]
        if not ours or not theirs:
            return None
        change = float(np.mean(theirs) - np.mean(ours))
        known = math.hypot(
            *(
                self.world.ways[Entry(self.resolved(each.candidate), each.batch)].process_sd
                / math.sqrt(len(logs))
                for each, logs in ((base, ours), (entry, theirs))
            )
        )
        half = student(30.0) * max(known, self.world.call_sd)
        ends = (math.exp(change - half), math.exp(change + half))
        return Gain(math.exp(change), Interval(*ends))
