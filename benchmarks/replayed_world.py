"""A machine on which a search is replayed: what every way to run a model truly takes and errs.

Such a world is read from a table of benchmarks/exhaustive.py, or is made up
(benchmarks/made_up_worlds.py).
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from exhaustive_plan import needing_loop
from exhaustive_table import BASELINE, Measured, Row, rtfx, spread, timed_s
from exhaustive_table import Entry as Line
from search_priors import from_table, learned

from asr_scaling.search.candidates import Candidate, Entry
from asr_scaling.search.priors import Priors, priors_from

Floats = np.ndarray[Any, np.dtype[np.float64]]
AS_FAST = 0.02
"""Two ways whose speeds differ by less count as equally fast: no table tells them apart."""

_FEW, _DRIFT = 5, (0.04, 240.0)
"""Fewer calibrations don't show the host's drift, which then is taken for this."""
_NEAR_S = 900.0
"""Seconds between two calibrations of one session, at most."""
_AUDIO_S = 4.0
"""Seconds of audio for which times are compared where one has to be estimated."""


@dataclass(frozen=True)
class Way:
    """The truth about one entry.

    ``fixed_s``: seconds of a call of whatever length.
    ``per_s``: seconds more for each second of audio in the call.
    ``load_s``: seconds of loading.
    ``compile_s``: seconds that the first call takes longer.
    ``wrong``: word errors in each utterance of the world's speech.
    ``process_sd``: standard deviation of the logarithm of its time between processes.
    ``problem``: why it fails when it is loaded; empty where it works.
    ``estimated``: it was not measured; what is best is never one of these.
    """

    fixed_s: float
    per_s: float
    load_s: float
    wrong: tuple[int, ...]
    process_sd: float
    compile_s: float = 0.0
    problem: str = ""
    estimated: bool = False

    def call_s(self, audio_s: float) -> float:
        """Seconds of a call."""
        return self.fixed_s + self.per_s * audio_s


@dataclass(frozen=True)
class World:
    """All ways to run one model on one machine.

    ``engines``: the baseline's first.
    ``ways``: what is not in it is refused.
    ``durations``: seconds of each utterance; of ``words`` the words of its reference.
    ``call_sd``: standard deviation of the logarithm of a call's time.
    ``drift_sd``: of what the host does to all that is measured in some minutes; ``drift_s``: after
    so many seconds that is mostly something else (an Ornstein-Uhlenbeck process).
    """

    name: str
    engines: tuple[str, ...]
    optimisations: tuple[str, ...]
    ways: Mapping[Entry, Way]
    durations: tuple[float, ...]
    words: tuple[int, ...]
    call_sd: float = 0.03
    drift_sd: float = 0.04
    drift_s: float = 240.0
    priors: Priors = field(default_factory=Priors)

    def resolved(self, candidate: Candidate) -> Candidate:
        """The candidate with what its own need beside them."""
        return Candidate(candidate.engine, needing_loop(candidate.engine, candidate.optimisations))

    def speed(self, entry: Entry) -> float:
        """Seconds of speech a second, of calls with as many utterances as the entry's batch."""
        way, mean = self.ways[entry], statistics.fmean(self.durations)
        return entry.batch * mean / way.call_s(entry.batch * mean)

    def loss(self, entry: Entry) -> float:
        """Points of WER above the baseline's at the smallest batch."""
        plain = self.ways[Entry(Candidate(self.engines[0]), min(self.batches))]
        return 100 * (sum(self.ways[entry].wrong) - sum(plain.wrong)) / sum(self.words)

    @cached_property
    def batches(self) -> tuple[int, ...]:
        """Batch sizes, sorted."""
        return tuple(sorted({entry.batch for entry in self.ways}))

    def best(self, batch: int, max_loss: float) -> Entry:
        """The fastest whose WER is truly within ``max_loss`` points."""
        key = batch, max_loss
        if key not in self._best:
            there = ((e, way) for e, way in self.ways.items() if e.batch == batch)
            entries = (e for e, way in there if not (way.problem or way.estimated))
            within = (entry for entry in entries if self.loss(entry) <= max_loss + 1e-9)
            self._best[key] = max(within, key=self.speed)
        return self._best[key]

    @cached_property
    def _best(self) -> dict[tuple[int, float], Entry]:
        return {}


def of_table(path: Path) -> World:
    """The world that a table shows.

    Seconds of a call at batch 1 are fitted to the lengths of the timed utterances; a batch takes as
    long a second of audio as the timed one. Words that were not read count as the baseline errs
    there. A part of a composition that was not measured itself, as in a table that was cut, is on
    the way to it: its time is estimated (``with_parts``). Between processes every way differs as
    those that were measured several times do, taken together; the host drifts as the calibrations
    do. What is expected before the search comes from the other tables of the folder.
    """
    measured = Measured.read(path)
    entries = [line for line in measured.rows if measured.works(line)]
    pooled, (drift_sd, drift_s) = _pooled(measured, entries), _drift(measured)
    plain = measured.words(Line(BASELINE, (), 1))
    ids = sorted(plain)
    ways = {}
    for line in entries:
        rows, read = measured.good(line), measured.words(line)
        fixed_s, per_s = _fitted(rows, measured.audio_s, line.batch)
        ways[Entry(Candidate(line.engine, line.optimisations), line.batch)] = Way(
            fixed_s,
            per_s,
            statistics.median(row["load_s"] for row in rows),
            tuple(read.get(key, plain[key])[0] for key in ids),
            pooled,
            max(row["compile_s"] or 0.0 for row in rows),
        )
    engines = dict.fromkeys([BASELINE, *sorted({line.engine for line in entries})])
    names = {name for line in entries for name in line.optimisations}
    return World(
        name=path.name.partition(".")[0],
        engines=tuple(engines),
        optimisations=tuple(sorted(names)),
        ways=with_parts(ways),
        durations=tuple(measured.audio_s[key] for key in ids),
        words=tuple(plain[key][1] for key in ids),
        drift_sd=drift_sd,
        drift_s=drift_s,
        priors=_of_others(path),
    )


def _of_others(path: Path) -> Priors:
    """What the other tables of the folder let expect: the search has not seen this one."""
    own = path.name.partition(".")[0]
    others = (p for p in sorted(path.parent.glob("*.jsonl*")) if p.name.partition(".")[0] != own)
    seen = [one for other in others for one in from_table(other)]
    return priors_from(learned(seen)) if seen else Priors()


def with_parts(ways: Mapping[Entry, Way]) -> dict[Entry, Way]:
    """The ways, and estimates of what has some of a composition's optimisations and is not there.

    Log times are sums of what each optimisation does on an engine, fitted to its ways at a batch
    size; everything else is that of the smallest composition which holds the part.
    """
    found = dict(ways)
    for engine, batch in sorted({(e.candidate.engine, e.batch) for e in ways}):
        of = {
            entry.candidate.optimisations: way
            for entry, way in ways.items()
            if (entry.candidate.engine, entry.batch) == (engine, batch)
        }
        log_s = _log_seconds(of)
        for whole in sorted(of, key=len):
            for count in range(len(whole)):
                for names in combinations(whole, count):
                    part = needing_loop(engine, names)
                    factor = math.exp(log_s(part)) / of[whole].call_s(_AUDIO_S)
                    fixed_s, per_s = factor * of[whole].fixed_s, factor * of[whole].per_s
                    estimate = replace(of[whole], fixed_s=fixed_s, per_s=per_s, estimated=True)
                    found.setdefault(Entry(Candidate(engine, part), batch), estimate)
    return found


def _log_seconds(ways: Mapping[tuple[str, ...], Way]) -> Callable[[tuple[str, ...]], float]:
    """Log seconds of a call of ``_AUDIO_S``, by a least squares fit that is kept small."""
    names = sorted({name for own in ways for name in own})
    used = np.array([[1.0, *(float(name in own) for name in names)] for own in ways])
    seconds = np.log([way.call_s(_AUDIO_S) for way in ways.values()])
    small = np.diag([0.0, *(0.02 for _ in names)])
    effects = np.linalg.solve(used.T @ used + small, used.T @ seconds)

    def log_seconds(own: tuple[str, ...]) -> float:
        return float(effects[0] + sum(effects[1 + names.index(name)] for name in own))

    return log_seconds


def _pooled(measured: Measured, entries: list[Line]) -> float:
    """Spread between processes, of all that were measured several times."""
    variances = []
    for line in entries:
        between = spread([rtfx(row, measured.audio_s) for row in measured.good(line)])
        if between is not None:
            variances.append(between**2)
    return math.sqrt(statistics.fmean(variances)) if variances else 0.08


def _drift(measured: Measured) -> tuple[float, float]:
    """Standard deviation of the host's log speed, and seconds after which it is mostly another.

    By how much calibrations differ, and by how much one differs from the next.
    """
    rows = sorted(measured.calibrated, key=measured.at_s)
    sd = spread(list(map(timed_s, rows)))
    if not sd or len(rows) < _FEW:
        return _DRIFT
    log_s = np.log([timed_s(row) for row in rows])
    apart_s = np.diff([measured.at_s(row) for row in rows])
    near = apart_s < _NEAR_S
    if not near.any():
        return sd, _DRIFT[1]
    new = min(0.95, float(np.mean(np.diff(log_s)[near] ** 2)) / (2 * sd**2))
    return sd, float(np.mean(apart_s[near])) / -math.log(1 - new)


def _fitted(rows: list[Row], audio_s: Mapping[str, float], batch: int) -> tuple[float, float]:
    """Seconds of a call, and those more for a second of audio."""
    calls = [call for row in rows for call in row["calls"] if call["pass"] == "timed"]
    lengths = np.array([sum(audio_s[key] for key in call["utterances"]) for call in calls])
    seconds = np.array([call["s"] for call in calls])
    if batch > 1:
        return 0.0, float(seconds.sum() / lengths.sum())
    slope = np.polyfit(lengths, seconds, 1)[0]
    slope = float(np.clip(slope, 0.0, seconds.sum() / lengths.sum()))
    return max(0.0, float(seconds.mean() - slope * lengths.mean())), slope
