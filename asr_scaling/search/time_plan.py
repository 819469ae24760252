"""What a search keeps of its time for semifinals and finals, and how much speech these read."""

from __future__ import annotations

import math
from collections.abc import Sequence

from asr_scaling.search.options import SEMIFINAL_READS
from asr_scaling.search.search_log import SearchLog

IN_FINAL = 3
"""Entries beside the baseline in the final."""
_MOST_READ = 140
"""Utterances in a final, unless more are asked for: about 1,800 words.

Twice as many would halve no interval, and the baseline reads them slowly."""
_READING = 0.12
"""Share of the budget that the baseline may spend on reading speech."""
_SPEEDUP = 4.0
"""How much faster than the baseline finalists are taken to be when time is kept for them."""
_LEAST_SHARE = 1 / 3
_MOST_SHARE = 0.55
"""Of the budget, what semifinals and finals keep, at least and at most."""


def reserve_s(log: SearchLog, batches: Sequence[int]) -> float:
    """Seconds to keep for the semifinals and finals at all ``batches``, the first reading too."""
    budget_s = log.options.seconds
    needed_s = reading_s(log) + math.fsum(needs_s(log, batch) for batch in batches)
    return min(_MOST_SHARE * budget_s, max(_LEAST_SHARE * budget_s, needed_s))


def reading_s(log: SearchLog) -> float:
    """Seconds of the baseline's first round of the final, in which it reads all speech."""
    return log.cost(log.base(min(log.options.batches)), "final", speech(log))


def needs_s(log: SearchLog, batch: int) -> float:
    """Seconds that the semifinal and the final at ``batch`` are expected to take.

    Without the baseline's reading.
    """
    base, rounds = log.base(batch), log.options.processes
    own_s, timed_s = log.cost(base, "final"), log.options.timed_s("final")
    fast_s = timed_s + max(0.0, own_s - timed_s) / _SPEEDUP
    read = log.options.finalists * SEMIFINAL_READS + IN_FINAL * speech(log)
    semifinal_s = 1.5 * log.options.finalists * fast_s
    final_s = rounds * (own_s + (IN_FINAL - 1) * fast_s)
    return semifinal_s + final_s + read * log.second_of(base) / _SPEEDUP


def speech(log: SearchLog) -> int:
    """Utterances that everything in a final reads: what the baseline has time for, to a bound."""
    base = log.base(min(log.options.batches))
    affordable = int(_READING * log.options.seconds / log.second_of(base))
    return max(log.options.final_utterances, min(affordable, _MOST_READ))
