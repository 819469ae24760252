"""What a search has measured, refused and left out so far, and whether there is time for more."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from asr_scaling.core.record import RunRecord
from asr_scaling.search.candidates import Candidate, Entry, Stage, Trial
from asr_scaling.search.judge import Gain, gain
from asr_scaling.search.options import Options
from asr_scaling.search.outcome import Kind, Left, Tried

NO_TIME = "no time was left for it: raise optimiser.minutes."


class Bench(Protocol):
    """What measures for a search. ``spent_s``: wall time so far, that of earlier runs of the same search included."""

    @property
    def spent_s(self) -> float: ...  # noqa: D102

    def refusal(self, entry: Entry) -> tuple[Kind, str] | None:
        """Why ``entry`` can't be measured here, found before anything is loaded; None when it seems that it can."""
        ...

    def measure(self, trial: Trial) -> RunRecord:
        """Measure it, or return what was measured before; a failure is a record too."""
        ...


class Notebook:
    """Of one search. Every entry is measured once while searching, however often it is asked for."""

    def __init__(self, bench: Bench, options: Options) -> None:
        self.bench, self.options = bench, options
        self.baseline = Candidate(options.engines[0])
        self.records: dict[Entry, RunRecord] = {}
        self.tried: dict[tuple[Entry, Stage], Tried] = {}
        self.left: dict[Entry, Left] = {}
        self._seconds: dict[Entry, float] = {}
        self._gains: dict[tuple[Entry, Entry], Gain] = {}

    def possible(self, entry: Entry) -> bool:
        """Whether it is not refused; a refusal is noted, unless it is that of a part of it, and costs nothing."""
        if entry in self.records:
            return True
        found = self.bench.refusal(entry)
        engine, names = entry.candidate.engine, entry.candidate.optimisations
        parts = [
            Entry(Candidate(engine, part), entry.batch)
            for part in ((), *((name,) for name in names))
        ]
        if found is not None and all(
            part == entry or self.bench.refusal(part) != found for part in parts
        ):
            self.leave(entry, *found)
        return found is None

    def search(
        self, entry: Entry, stage: Stage, until_s: float, like: Entry | None = None
    ) -> RunRecord | None:
        """Its record; None where it was refused, failed, or would end after ``until_s`` of the budget.

        ``like``: an entry that takes about as long. Else it is taken for as much faster than the baseline of its batch
        as it was at another batch.
        """
        if entry in self.records or not self.possible(entry):
            return self.records.get(entry)
        before = self.bench.spent_s
        if before + self._expected(entry, like) > until_s:
            self.leave(entry, "not tried", NO_TIME)
            return None
        record = self.bench.measure(Trial(entry, stage))
        if record.status != "ok":
            self.leave(entry, "failed", record.outcome)
            return None
        self.left.pop(entry, None)
        self.records[entry], self._seconds[entry] = record, self.bench.spent_s - before
        if found := self.gain(entry):
            self.tried[entry, stage] = Tried(entry, stage, found)
        return record

    def _expected(self, entry: Entry, like: Entry | None) -> float:
        if like is not None and like in self._seconds:
            return self._seconds[like]
        elsewhere = [self.speed(each) for each in self.records if each.candidate == entry.candidate]
        return self._seconds.get(self.base(entry), 0.0) / max([1.0, *elsewhere])

    def base(self, entry: Entry) -> Entry:
        """The baseline that ``entry`` is held against: of its batch, or of the next larger one that is searched."""
        sizes = [size for size in self.options.batches if size >= entry.batch]
        return Entry(self.baseline, min(sizes, default=entry.batch))

    def gain(self, entry: Entry, over: Entry | None = None) -> Gain | None:
        """Of an entry over another, its baseline if none is named; None where one of them is not measured."""
        key = over or self.base(entry), entry
        if key not in self._gains and all(each in self.records for each in key):
            self._gains[key] = gain(*(self.records[each] for each in key))
        return self._gains.get(key)

    def sound(self, entry: Entry) -> bool:
        """Whether it was measured and its WER is not too high; one that is too wrong is noted."""
        found = self.gain(entry)
        if found is None or not found.too_wrong(self.options.max_wer_loss, final=False):
            return found is not None
        self.leave(entry, "WER", too_wrong(found, self.options.max_wer_loss))
        return False

    def leave(self, entry: Entry, kind: Kind, why: str) -> None:
        """Note what is left out; the first reason stays unless it was lack of time or promise."""
        if entry not in self.left or self.left[entry].kind == "not tried":
            self.left[entry] = Left(entry, kind, why)

    def ranked(self, entries: Iterable[Entry]) -> list[Entry]:
        """The sound ones, fastest first."""
        return sorted((each for each in entries if self.sound(each)), key=self.speed, reverse=True)

    def speed(self, entry: Entry) -> float:
        """Against the baseline of its batch; 0 where it was not measured."""
        found = self.gain(entry)
        return found.factor if found else 0.0


def too_wrong(found: Gain, max_loss: float) -> str:
    """Why a WER is too high."""
    rise = 100 * (found.wer or 0.0)
    return f"WER rose by {rise:.1f} points, and optimiser.max_wer_loss allows {max_loss:g}."
