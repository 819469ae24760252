"""The search for the way to serve that holds most, as a sweep: each trial is a point.

All that was measured is in the folder of the sweep; a search that goes on reads it there.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from hydra.core.override_parser.types import Override

from asr_scaling.core.record import RunRecord
from asr_scaling.machine.threads import ALL_CORES
from asr_scaling.measure.model_cache import ModelCache, free_bytes
from asr_scaling.search.serving.most_requests import most_requests
from asr_scaling.search.serving.outcome import Seen
from asr_scaling.search.serving.ways import Options, Way
from asr_scaling.sweep.instantiate import options
from asr_scaling.sweep.search_launches import (
    Compose,
    Launch,
    Launches,
    check_chosen,
    names_engine,
)
from asr_scaling.sweep.sweep_run import current

_ENGINES = ("faster_whisper", "openvino")
"""Those that are tried where the command line names none: the fastest on processors."""
_CHOSEN = {
    "serving": "optimiser.workers=[…], optimiser.max_batch=[…] or optimiser.max_wait_s=[…]",
    "scenario": "scenario.bound",
    "scenario.minutes": "optimiser.search_minutes",
    "scenario.start_rate": "optimiser.ceiling_s",
    "scenario.highest_rate": "optimiser.ceiling_s",
}
"""What the search sets itself → what to set instead."""
_OF_ALL = ("timeout_s", "late_s", "normaliser", "seed")
"""Options that every scenario has."""
_MANY = 100_000
"""Requests of a ceiling, at most: its seconds end it before."""
_HIGHEST, _SERVED = "capacity/rate_per_s", "load/served_per_s"
_WER = "quality/wer"


def run(folder: Path, given: Sequence[Override], compose: Compose, launch: Launch) -> None:
    """Search and end the sweep, which says what was found.

    given: the overrides of the command line.
    Raises ConfigError for a command line that leaves nothing to search.
    """
    check_chosen(given, _CHOSEN, "The search")
    sweep = current()
    config = compose([str(override.input_line) for override in given])
    engine = str(config.hydra.runtime.choices.engine)
    engines = (engine,) if names_engine(given, "to serve with") else _ENGINES
    asked = options(config).get("optimiser") or {}
    chosen = Options.of(asked, engines, len(ALL_CORES) or 1)
    sweep.models = ModelCache(spare_bytes=free_bytes() // 2)
    launches = Launches(folder, launch, sweep.display)
    bench = ServingBench(launches, given, chosen.ceiling_s)
    most_requests(chosen, bench).write(folder)
    sweep.finish("FINISHED")


@dataclass
class ServingBench:
    """Measures for the search, one launched point at a time.

    spent_s: seconds of this search, those of an earlier run of it included.
    """

    launches: Launches
    given: Sequence[Override]
    ceiling_s: float
    _begun_s: float = field(default_factory=time.monotonic)
    _earlier_s: float = 0.0

    @property
    def spent_s(self) -> float:
        """Those of an earlier run as its records have them."""
        return time.monotonic() - self._begun_s + self._earlier_s

    def ceiling(self, way: Way) -> Seen:
        """A load of clients that always wait for their answers."""
        load = {
            "scenario": "requests",
            "scenario.arrivals": "closed",
            "scenario.clients": way.clients,
            "scenario.seconds": self.ceiling_s,
            "scenario.requests": _MANY,
            "optimiser.stage": "ceiling",
        }
        return self._seen(f"1_ceiling_{way.place}", way, load, _SERVED)

    def highest(self, way: Way, between: tuple[float, float], minutes: float) -> Seen:
        """A search of scenario=capacity."""
        start, highest = (float(f"{rate:.3g}") for rate in between)
        load = {
            "scenario.start_rate": start,
            "scenario.highest_rate": highest,
            "scenario.minutes": round(minutes, 2),
            "optimiser.stage": "final",
        }
        return self._seen(f"2_highest_{way.place}", way, load, _HIGHEST)

    def _seen(self, place: str, way: Way, load: Mapping[str, object], name: str) -> Seen:
        """Launch the point, and read what it showed."""
        record, again = self.launches.measured(place, self._overrides(place, way, load), False)
        if again:
            self._earlier_s += record.ended_at - record.started_at
        return seen(record, name)

    def _overrides(self, place: str, way: Way, load: Mapping[str, object]) -> list[str]:
        """The command line's, and those of the point in their place."""
        closed = "scenario" in load
        keys = {override.get_key_element(): override for override in self.given}
        kept = {key: o for key, o in keys.items() if not (closed and _of_the_search(key))}
        given = {key: str(override.input_line) for key, override in kept.items()}
        serving = {f"serving.{key}": value for key, value in way.options.items()}
        made = {
            "engine": way.engine,
            "serving": way.serving,
            **serving,
            **load,
            "hydra.sweep.subdir": f"'{place}'",
        }
        return list((given | {key: f"{key}={value}" for key, value in made.items()}).values())


def seen(record: RunRecord, name: str) -> Seen:
    """What a search learns of a point's record: its metric ``name``, and WER of calls."""
    if record.status != "ok":
        return Seen(None, problem=record.reason or record.status)
    wer = record.values.get(_WER)
    if name not in record.values:
        return Seen(None, wer=wer, problem=record.unavailable.get(name, f"no {name}"))
    ends = record.intervals.get(name)
    return Seen(record.values[name], ends.low if ends else 0.0, wer)


def _of_the_search(key: str) -> bool:
    """Whether it is an option of scenario=capacity that no closed load has."""
    return key.startswith("scenario.") and key.removeprefix("scenario.") not in _OF_ALL
