"""Two systems' calls paired by speech that both timed, in blocks that no call crosses.

Batches differ between systems (batch=1 against batch=8), so a block is a set of utterances that
calls of either system join, directly or through others.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from asr_scaling.core.sample import Sample
from asr_scaling.machine.interference import by_input
from asr_scaling.util.groups import grouped

_Input = tuple[str, ...]
Repeats = tuple[tuple[float, ...], ...]
"""Process → its repeats, in s; empty where a process did not finish the block once."""
_Calls = Mapping[_Input, Sequence[Sample]]
"""The timed calls on each input, in the order they were taken."""


@dataclass(frozen=True)
class Block:
    """The same utterances, processed by both systems.

    A repeat is all calls of the block once, by one process. Both systems' audio is counted alike,
    however often a batch was filled up with it.
    """

    utterances: frozenset[str]
    wait_a: Repeats
    """Mean seconds of the call that an utterance is in."""
    wait_b: Repeats
    work_a: Repeats
    """Seconds of calls for the audio of the block."""
    work_b: Repeats


def paired_blocks(a: Sequence[Sample], b: Sequence[Sample]) -> list[Block]:
    """The blocks that both systems timed whole, in A's order; none when there is no such speech."""
    calls_a, calls_b = _shared(by_input(_timed(a)), by_input(_timed(b)))
    joined = _joined([*calls_a, *calls_b])
    home = {key: i for i, ids in enumerate(joined) for key in ids}
    processes = [_processes(calls) for calls in (calls_a, calls_b)]
    sides = [grouped(side, lambda ids: home[ids[0]]) for side in (calls_a, calls_b)]
    blocks = []
    for number, utterances in enumerate(joined):
        ours = [calls_a[ids] for ids in sides[0][number]]
        theirs = [calls_b[ids] for ids in sides[1][number]]
        # the side that filled up less is nearer to the block's own audio
        audio_s = min(_audio_s(ours), _audio_s(theirs))
        wait_a, work_a = _by_process(ours, audio_s, processes[0])
        wait_b, work_b = _by_process(theirs, audio_s, processes[1])
        if not all(map(any, (wait_a, wait_b))):
            continue  # no process of one side finished it
        blocks.append(Block(frozenset(utterances), wait_a, wait_b, work_a, work_b))
    return blocks


def _timed(samples: Sequence[Sample]) -> list[Sample]:
    """Without calls that took no time: a clock too coarse for a call says nothing about it."""
    return [sample for sample in samples if sample.total_s > 0]


def _shared(a: _Calls, b: _Calls) -> tuple[_Calls, _Calls]:
    """Without calls on speech that the other did not time; leaving one out can strand others."""
    while True:
        common = {key for ids in a for key in ids} & {key for ids in b for key in ids}
        kept_a, kept_b = (
            {ids: calls for ids, calls in side.items() if common.issuperset(ids)} for side in (a, b)
        )
        if len(kept_a) == len(a) and len(kept_b) == len(b):
            return kept_a, kept_b
        a, b = kept_a, kept_b


def _joined(inputs: Sequence[_Input]) -> list[set[str]]:
    """The connected components of "some call has both"."""
    block_of: dict[str, set[str]] = {}
    for ids in inputs:
        block = block_of.setdefault(ids[0], {ids[0]})
        for key in ids:
            other = block_of.get(key, {key})
            if other is not block:
                block |= other
                block_of.update(dict.fromkeys(other, block))
    return list({id(block): block for block in block_of.values()}.values())


def _audio_s(inputs: Sequence[Sequence[Sample]]) -> float:
    return math.fsum(calls[0].audio_s for calls in inputs)


def _processes(calls: _Calls) -> list[int]:
    return sorted({call.process for own in calls.values() for call in own})


def _by_process(
    inputs: Sequence[Sequence[Sample]], audio_s: float, processes: Sequence[int]
) -> tuple[Repeats, Repeats]:
    """Waits and works of each process."""
    timed_s = _audio_s(inputs)
    parts = [
        _repeats([[c for c in calls if c.process == number] for calls in inputs], audio_s, timed_s)
        for number in processes
    ]
    return tuple(waits for waits, _ in parts), tuple(works for _, works in parts)


def _repeats(
    inputs: Sequence[Sequence[Sample]], audio_s: float, timed_s: float
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Waits and works: the j-th repeat is of the j-th calls on each input, where all have one."""
    rounds = list(zip(*inputs))  # noqa: B905 (the last round may have been cut short)
    waits = (
        math.fsum(c.total_s * len(c.utterances) for c in calls)
        / sum(len(c.utterances) for c in calls)
        for calls in rounds
    )
    works = (math.fsum(c.total_s for c in calls) * audio_s / timed_s for calls in rounds)
    return tuple(waits), tuple(works)
