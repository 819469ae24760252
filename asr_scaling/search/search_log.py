"""What a search has measured, refused and left out so far, and whether there is time for more."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from asr_scaling.core.record import RunRecord
from asr_scaling.search.candidates import Candidate, Entry, Stage, Trial
from asr_scaling.search.options import Options
from asr_scaling.search.outcome import Kind, Left, Tried
from asr_scaling.search.speedup import Gain, gain

NO_TIME = "no time was left for it: raise optimiser.minutes."


class Bench(Protocol):
    """What measures for a search."""

    @property
    def spent_s(self) -> float:
        """Wall time so far in seconds, earlier runs of the same search included."""
        ...

    def refusal(self, entry: Entry) -> tuple[Kind, str] | None:
        """Why ``entry`` can't be measured here; None when it seems that it can. Loads nothing."""
        ...

    def measure(self, trial: Trial) -> RunRecord:
        """Measure it, or return what was measured before; a failure is a record too."""
        ...


class SearchLog:
    """The log of one search. Every entry is measured once, however often it is asked for."""

    def __init__(self, bench: Bench, options: Options) -> None:
        self.bench = bench
        self.options = options
        self.baseline = Candidate(options.engines[0])
        self.records: dict[Entry, RunRecord] = {}
        self.tried: dict[tuple[Entry, Stage], Tried] = {}
        self.left_out: dict[Entry, Left] = {}
        self._seconds: dict[Entry, float] = {}
        self._gains: dict[tuple[Entry, Entry], Gain] = {}

    def possible(self, entry: Entry) -> bool:
        """True unless the bench refuses the entry. Loads nothing.

        Logs the refusal, except when one of its parts is refused for the same reason.
        """
        if entry in self.records:
            return True
        refusal = self.bench.refusal(entry)
        if refusal is None:
            return True
        engine, names = entry.candidate.engine, entry.candidate.optimisations
        parts = [Candidate(engine), *(Candidate(engine, (name,)) for name in names)]
        others = [Entry(part, entry.batch) for part in parts if part != entry.candidate]
        if all(self.bench.refusal(other) != refusal for other in others):
            self.leave_out(entry, *refusal)
        return False

    def search(
        self, entry: Entry, stage: Stage, until_s: float, like: Entry | None = None
    ) -> RunRecord | None:
        """The record of an entry, measured if it has none yet.

        None where it was refused, failed, or would end after ``until_s`` of the budget. ``like``:
        an entry that takes about as long; without it the time is estimated from the baseline of
        the same batch and the gain at other batches.
        """
        if entry in self.records or not self.possible(entry):
            return self.records.get(entry)
        before_s = self.bench.spent_s
        if before_s + self._expected_s(entry, like) > until_s:
            self.leave_out(entry, "not tried", NO_TIME)
            return None
        record = self.bench.measure(Trial(entry, stage))
        if record.status != "ok":
            self.leave_out(entry, "failed", record.outcome)
            return None
        self.left_out.pop(entry, None)
        self.records[entry] = record
        self._seconds[entry] = self.bench.spent_s - before_s
        if over_base := self.gain(entry):
            self.tried[entry, stage] = Tried(entry, stage, over_base)
        return record

    def _expected_s(self, entry: Entry, like: Entry | None) -> float:
        if like is not None and like in self._seconds:
            return self._seconds[like]
        elsewhere = [self.speed(e) for e in self.records if e.candidate == entry.candidate]
        return self._seconds.get(self.base(entry), 0.0) / max([1.0, *elsewhere])

    def base(self, entry: Entry) -> Entry:
        """The baseline to compare ``entry`` with: of its batch, or the next larger searched."""
        sizes = [size for size in self.options.batches if size >= entry.batch]
        return Entry(self.baseline, min(sizes, default=entry.batch))

    def gain(self, entry: Entry, over: Entry | None = None) -> Gain | None:
        """The gain over another entry, by default the baseline; None where one is not measured."""
        key = over or self.base(entry), entry
        if key not in self._gains and self.records.keys() >= set(key):
            self._gains[key] = gain(*map(self.records.__getitem__, key))
        return self._gains.get(key)

    def sound(self, entry: Entry) -> bool:
        """Whether it was measured and its WER is not too high, which is logged otherwise."""
        over_base, loss = self.gain(entry), self.options.max_wer_loss
        if over_base is None:
            return False
        if too_wrong := over_base.too_wrong(loss, final=False):
            self.leave_out(entry, "WER", wer_too_high(over_base, loss))
        return not too_wrong

    def leave_out(self, entry: Entry, kind: Kind, why: str) -> None:
        """Log what is left out; the first reason stays unless it was "not tried"."""
        if entry not in self.left_out or self.left_out[entry].kind == "not tried":
            self.left_out[entry] = Left(entry, kind, why)

    def ranked(self, entries: Iterable[Entry]) -> list[Entry]:
        """The sound ones, fastest first."""
        return sorted(filter(self.sound, entries), key=self.speed, reverse=True)

    def speed(self, entry: Entry) -> float:
        """Speed as a multiple of the baseline of its batch; 0 where it was not measured."""
        over_base = self.gain(entry)
        return over_base.factor if over_base else 0.0


def wer_too_high(over_base: Gain, max_loss: float) -> str:
    """Why an entry is left out for its WER."""
    rise = 100 * (over_base.wer or 0.0)
    return f"WER rose by {rise:.1f} points, and optimiser.max_wer_loss allows {max_loss:g}."
