"""How two records of the same speech differ: changes with intervals of 95 %, and verdicts.

Intervals of times hold what differs between calls, between the processes of one machine and, where
records are of different hours and it is known, between hours. A change counts when its interval
excludes 0 (analysis/comparison/change.py has the three answers).
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from asr_scaling.analysis.comparison.advice import SWEEP, Machine, machine_of
from asr_scaling.analysis.comparison.blocks import Block, paired_blocks
from asr_scaling.analysis.comparison.change import (
    CANT_TELL,
    ENERGY,
    LATENCY,
    MEMORY,
    RTFX,
    WER,
    MetricChange,
    answered,
)
from asr_scaling.analysis.comparison.comparability import check_alike, other_notes
from asr_scaling.analysis.comparison.one_state import AT_ONE_STATE, OneState, at_one_state
from asr_scaling.analysis.comparison.times import TimeChange, time_changes
from asr_scaling.analysis.comparison.under_load import load_changes
from asr_scaling.analysis.comparison.unpaired import energy_change, unpaired_change
from asr_scaling.analysis.comparison.word_errors import wer_change
from asr_scaling.core.levels import processes_needed
from asr_scaling.core.memory_parts import MEMORY_PARTS
from asr_scaling.core.metrics import metric_spec
from asr_scaling.core.older_records import ABOVE_IDLE
from asr_scaling.core.record import RunRecord
from asr_scaling.core.statistics import FEWEST, Interval
from asr_scaling.errors import ConfigError

__all__ = [
    "CANT_TELL", "ENERGY", "LATENCY", "MEMORY", "RTFX", "STANDARD", "WER",
    "Comparison", "MetricChange", "compare",
]  # fmt: skip
_MEMORY_PARTS = tuple(f"memory/{part}_rss_bytes" for part in MEMORY_PARTS)
_NOT_PLAIN = ("advice", "words")
"""Fields of a row that hold no figure of their own."""
STANDARD = (LATENCY, RTFX, ENERGY, WER, MEMORY)


@dataclass(frozen=True)
class Comparison:
    """B against A."""

    a: RunRecord
    b: RunRecord
    rows: tuple[MetricChange, ...]
    """One for each metric."""
    notes: tuple[str, ...]
    """What must stand beside the rows."""
    utterances: int
    """That both timed."""
    blocks: int
    """Of these utterances, as paired."""
    machine: Machine
    """What times differ by when nothing differs."""

    def row(self, metric: str) -> MetricChange:
        """The row of ``metric``; KeyError when it was not compared."""
        return {row.metric: row for row in self.rows}[metric]

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        rows = [_plain(row) for row in self.rows]
        size = {"utterances": self.utterances, "blocks": self.blocks}
        machine = {"processes": list(self.machine.processes), "spread": asdict(self.machine.spread)}
        sides = {"a": self.a.name, "b": self.b.name}
        return {**sides, **size, **machine, "rows": rows, "notes": list(self.notes)}


def _plain(row: MetricChange) -> dict[str, Any]:
    plain = {key: value for key, value in vars(row).items() if key not in _NOT_PLAIN}
    interval = None if row.interval is None else asdict(row.interval)
    return {**plain, "interval": interval, "unit": metric_spec(row.metric).unit}


def compare(
    a: RunRecord,
    b: RunRecord,
    allow: Collection[str] = (),
    also: Iterable[str] = (),
    ask: str = SWEEP,
) -> Comparison:
    """B against A in latency, throughput, energy, WER and memory, and in the metrics of ``also``.

    ask: what is typed to measure in more processes, for verdicts; {} is their number.

    Raises ConfigError when a point failed, when host, dataset, normaliser or scope differ and
    ``allow`` doesn't name it, or when the two timed no speech in common.
    """
    allowed = check_alike(a, b, allow)
    one_state = at_one_state(a, b)
    blocks = paired_blocks(*one_state.samples)
    if not blocks:
        raise ConfigError(
            f"'{a.name}' and '{b.name}' timed no utterances in common: measure both on the same "
            "dataset, with pipeline.max_seconds long enough to time all of it."
        )
    machine = machine_of(a, b, one_state.adjusted, ask)
    utterances = sum(len(block.utterances) for block in blocks)
    unpaired = (unpaired_change(a, b, name, machine) for name in (MEMORY, *_more(a, b, also)))
    paired = (
        *_times(a, b, blocks, machine, one_state),
        energy_change(a, b, machine),
        wer_change(a, b),
    )
    notes = (
        *allowed,
        *_pairing(a, b, len(blocks), utterances),
        *one_state.notes,
        *machine.notes(),
        *other_notes(a, b),
    )
    rows = (*paired, *unpaired, *load_changes(a, b))
    return Comparison(a, b, rows, notes, utterances, len(blocks), machine)


def _more(a: RunRecord, b: RunRecord, also: Iterable[str]) -> list[str]:
    """The metrics of ``also`` and the parts of the memory, without those of ``STANDARD``."""
    parts = [name for name in _MEMORY_PARTS if a.values.get(name) or b.values.get(name)]
    parts += [ABOVE_IDLE] if all(ABOVE_IDLE in record.values for record in (a, b)) else []
    return [name for name in dict.fromkeys((*parts, *also)) if name not in STANDARD]


def _pairing(a: RunRecord, b: RunRecord, blocks: int, utterances: int) -> list[str]:
    timed = max(len({key for sample in r.samples for key in sample.utterances}) for r in (a, b))
    of = f" of {timed}" if timed > utterances else ""
    about = "" if blocks >= FEWEST else "; so few that intervals are about this very speech"
    counted = f"{blocks} block{'s' if blocks > 1 else ''}"
    return [f"Paired over {utterances}{of} utterances in {counted}{about}."]


def _times(
    a: RunRecord, b: RunRecord, blocks: Sequence[Block], machine: Machine, one_state: OneState
) -> list[MetricChange]:
    """Latency and RTFx."""
    changes = time_changes(blocks, machine.spread, one_state.states, machine.apart)
    named = zip((LATENCY, RTFX), changes, strict=True)
    return [_time_row(a, b, name, change, machine) for name, change in named]


def _time_row(
    a: RunRecord, b: RunRecord, name: str, change: TimeChange, machine: Machine
) -> MetricChange:
    ours, theirs = a.values.get(name), b.values.get(name)
    interval, because = None, "too few calls"
    if change.level is not None:
        ends = change.level.interval()
        interval = Interval(math.expm1(ends.low), math.expm1(ends.high))
        because = machine.because(ends.half(change.level.value))

    def advice(reach: float) -> str:
        plan = change.plan
        return machine.decided_by(None if plan is None else processes_needed(plan, reach))

    answer, verdict = answered(name, change.value, interval, because, advice)
    absolute = None if ours is None else ours * change.value
    found = change.value, absolute, interval, verdict
    qualifier = AT_ONE_STATE if any(machine.usual) else ""
    judged = MetricChange(name, ours, theirs, *found, answer=answer, advice=advice)
    return replace(judged, qualifier=qualifier)
