"""What benchmarks/exhaustive.py measured of a model, read from its lines of JSON, and as a table.

A line is of one of four kinds: "session", what one run of the benchmark says of the machine, the
versions and the speech; "entry", one timed process of one way to run the model; "texts", one
process that read more for the WER; "calibration", a process that shows how fast the host is now.
"""

from __future__ import annotations

import bisect
import gzip
import json
import math
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from rich.table import Table as Shown

BASELINE = "transformers"
DISTURBED = 0.05
"""Share of the cores' time that other processes took, from which a measurement is disturbed."""
Row = Mapping[str, Any]
Words = Mapping[str, tuple[int, int]]
"""Utterance's id → words wrong, and words of its reference."""


@dataclass(frozen=True, order=True)
class Entry:
    """A way to run the model.

    ``optimisations``: their names, sorted.
    """

    engine: str
    optimisations: tuple[str, ...]
    batch: int

    @property
    def label(self) -> str:
        """ "transformers + int8"."""
        return " + ".join((self.engine, *self.optimisations))


@dataclass
class Measured:
    """All that was measured of one model.

    ``rows``: entry → one row for each of its timed processes.
    ``calibrations``: rows of the system that is measured again and again to see the host drift.
    ``sessions``: one for each run of the benchmark.
    """

    rows: dict[Entry, list[Row]] = field(default_factory=dict)
    calibrations: list[Row] = field(default_factory=list)
    sessions: list[Row] = field(default_factory=list)
    _scored: dict[str, dict[str, tuple[int, int]]] = field(default_factory=dict)
    _read: set[str] = field(default_factory=set)
    _seconds: list[tuple[float, float]] = field(default_factory=list)
    """Time of each calibration that gave times, and the logarithm of its seconds; sorted."""

    @classmethod
    def read(cls, path: Path) -> Measured:
        """What the file holds; nothing where there is none. It may be gzipped (name.jsonl.gz)."""
        found = cls()
        for line in _lines(path):
            found.add(json.loads(line))
        return found

    def add(self, row: Row) -> None:
        """Take a line in."""
        if row["kind"] == "session":
            self.sessions.append(row)
        elif row["kind"] == "calibration":
            self.calibrations.append(row)
            if row["outcome"] == "ok":
                bisect.insort(self._seconds, (self.at_s(row), math.log(timed_s(row))))
        elif row["kind"] == "entry":
            entry = Entry(row["engine"], tuple(row["optimisations"]), row["batch"])
            self.rows.setdefault(entry, []).append(row)
        if row["kind"] == "texts":
            self._read.add(row["texts_key"])
        if "texts_key" in row:
            scored = self._scored.setdefault(row["texts_key"], {})
            words = row.get("words", {}).items()
            scored |= {key: (wrong, of) for key, (wrong, of) in words if key not in scored}

    def works(self, entry: Entry) -> bool:
        """Whether it was measured and gave texts."""
        return bool(self.good(entry))

    def good(self, entry: Entry) -> list[Row]:
        """The rows of its processes that gave texts, with their seconds at the host's usual speed.

        A shared host is slower for some minutes and then fast again. How slow it is shows in the
        calibrations, between which it is interpolated; what is measured meanwhile is taken to be
        slowed as much as they are.
        """
        return [self._usual(row) for row in self.rows.get(entry, ()) if row["outcome"] == "ok"]

    def _usual(self, row: Row) -> Row:
        slower = self.host(self.at_s(row) + row["process_s"] / 2)
        return {**row, "calls": [{**call, "s": call["s"] / slower} for call in row["calls"]]}

    def host(self, at_s: float) -> float:
        """Seconds that work takes at some time, over those that it usually takes; 1 if unknown."""
        if not self._seconds:
            return 1.0
        times, logs = zip(*self._seconds, strict=True)
        return math.exp(float(np.interp(at_s, times, logs)) - statistics.median(logs))

    @staticmethod
    def at_s(row: Row) -> float:
        """When the line was begun or, of a calibration, ended: seconds since 1970."""
        return datetime.fromisoformat(row["at"]).timestamp()

    @property
    def calibrated(self) -> list[Row]:
        """Rows of the calibrations that gave times."""
        return [row for row in self.calibrations if row["outcome"] == "ok"]

    def speed(self, entry: Entry) -> float:
        """RTFx: median over its processes; 0 where it was not measured."""
        found = [rtfx(row, self.audio_s) for row in self.good(entry)]
        return statistics.median(found) if found else 0.0

    def words(self, entry: Entry) -> Words:
        """Its words by utterance, also of systems that differ in threads' cores and heap alone."""
        return self._scored.get(self.good(entry)[0]["texts_key"], {}) if self.works(entry) else {}

    def unread(self) -> Iterator[Entry]:
        """One entry for each system whose texts nobody read yet: the baseline, then by speed."""
        asked = set(self._read)
        ranked = sorted(filter(self.works, self.rows), key=self.speed, reverse=True)
        for entry in sorted(ranked, key=lambda entry: entry.label != BASELINE):
            if (key := self.good(entry)[0]["texts_key"]) not in asked:
                asked.add(key)
                yield entry

    @property
    def audio_s(self) -> dict[str, float]:
        """Seconds of audio of each utterance."""
        return dict(self.sessions[-1]["audio_s"]) if self.sessions else {}

    def loss(self, entry: Entry, batch: int | None = None) -> tuple[float, int] | None:
        """Points of WER above the baseline's on the utterances that both read, and their words.

        None where one of them has no words.
        """
        ours = self.words(entry)
        theirs = self.words(Entry(BASELINE, (), batch or entry.batch))
        both = ours.keys() & theirs.keys()
        total = sum(theirs[key][1] for key in both)
        if not total:
            return None
        return 100 * sum(ours[key][0] - theirs[key][0] for key in both) / total, total


def rtfx(row: Row, audio_s: Mapping[str, float]) -> float:
    """Seconds of audio over seconds of the timed calls of one process."""
    calls = [call for call in row["calls"] if call["pass"] == "timed"]
    audio = sum(audio_s[key] for call in calls for key in call["utterances"])
    return float(audio / timed_s(row))


def timed_s(row: Row) -> float:
    """Seconds of the timed calls of one process."""
    return math.fsum(call["s"] for call in row["calls"] if call["pass"] == "timed")


def _lines(path: Path) -> Iterator[str]:
    zipped = path.with_name(f"{path.name}.gz")
    for place, read in ((zipped, gzip.open), (path, open)):
        if place.exists():
            with read(place, "rt", encoding="utf-8") as file:
                yield from file


def spread(speeds: Sequence[float]) -> float | None:
    """Standard deviation of the logarithm of speed between processes; None for fewer than two."""
    return statistics.stdev(map(math.log, speeds)) if len(speeds) > 1 else None


def shown(measured: Measured, batch: int, title: str) -> Shown:
    """What worked at a batch size, fastest first."""
    columns = ("RTFx", "processes", "spread %", "WER %", "± baseline, points", "words")
    table = Shown("system", *columns, "load s", "compile s", "RSS MB", "others %", title=title)
    entries = [e for e in measured.rows if e.batch == batch and measured.works(e)]
    for entry in sorted(entries, key=measured.speed, reverse=True):
        table.add_row(entry.label, *_cells(measured, entry))
    return table


def _cells(measured: Measured, entry: Entry) -> list[str]:
    rows, words = measured.good(entry), measured.words(entry)
    speeds = [rtfx(row, measured.audio_s) for row in rows]
    between, loss = spread(speeds), measured.loss(entry)
    total = sum(count for _, count in words.values())
    wrong = sum(count for count, _ in words.values())
    compile_s = max(row["compile_s"] or 0.0 for row in rows)
    return [
        f"{statistics.median(speeds):.1f}",
        str(len(rows)),
        "–" if between is None else f"{100 * between:.1f}",
        f"{100 * wrong / total:.1f}" if total else "–",
        f"{loss[0]:+.2f}" if loss else "–",
        str(loss[1]) if loss else "–",
        f"{statistics.median(row['load_s'] for row in rows):.1f}",
        f"{compile_s:.0f}" if compile_s else "–",
        f"{max(row['peak_rss'] for row in rows) / 1e6:.0f}",
        f"{100 * max(row['others'] for row in rows):.0f}",
    ]


def refused(measured: Measured, batch: int) -> list[str]:
    """A line for each entry that never gave texts, with the reason."""
    entries = [e for e in measured.rows if e.batch == batch and not measured.works(e)]
    return [f"{entry.label}: {measured.rows[entry][0]['why']}" for entry in sorted(entries)]


def drift(measured: Measured) -> str:
    """What the calibration says of the host: how far its seconds were apart, in words."""
    means = list(map(timed_s, measured.calibrated))
    between = spread(means)
    if between is None:
        return "The host was calibrated less than twice."
    ratio = max(means) / min(means)
    return (
        f"The calibration, {BASELINE} at batch 1, was measured {len(means)} times: standard "
        f"deviation {100 * between:.1f} %, slowest over fastest {ratio:.2f}. Seconds are those at "
        "its median."
    )
