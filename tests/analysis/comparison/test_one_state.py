"""Records of a machine that was slower for one of them, compared at one state of it."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from support.studies import ALIKE

from asr_scaling.analysis.comparison.verdict import LATENCY, RTFX, compare
from asr_scaling.core.metric import Metric
from asr_scaling.core.record import RunRecord
from asr_scaling.core.sample import Beat, Sample
from asr_scaling.core.usual_figures import adjusted

CALLS, UTTERANCES = 160, 8


def measured(seed: int, state: float, leans: float = 0.8, factor: float = 1.0) -> RunRecord:
    """Calls of a system that leans on memory, which takes ``state`` and more or less at times."""
    rng = np.random.default_rng(seed)
    samples, beats = list[Sample](), list[Beat]()
    for i in range(CALLS):
        slower = state + 0.2 * math.sin(i / 7)
        beats.append(Beat(float(i), {"memory": 0.002 * math.exp(slower + rng.normal(0, 0.01))}))
        seconds = factor * math.exp(leans * slower + rng.normal(0, 0.02)) / 4
        utterance = f"u{i % UTTERANCES}"
        call = Sample((utterance,), 3.0, 3.0, seconds, {"other": seconds}, started_at=i + 0.3)
        samples.append(call)
    median = float(np.median([sample.total_s for sample in samples]))
    return RunRecord(
        "x", "ok", {}, {"spread": ALIKE.to_json()}, samples=tuple(samples), beats=tuple(beats),
        metrics=(Metric(LATENCY, median), Metric(RTFX, 3.0 / median)),
    )  # fmt: skip


def test_what_the_machine_was_slower_by_is_taken_out_and_said() -> None:
    a, b = measured(1, 0.0), measured(2, 0.3)
    between = compare(a, b)
    row = between.row(LATENCY)
    assert row.relative == pytest.approx(0.0, abs=0.03)
    assert (row.a, row.b) == (a.values[LATENCY], b.values[LATENCY])  # as they were
    assert row.b is not None
    assert row.a is not None
    assert row.b / row.a > 1.2
    assert (row.qualifier, between.row(RTFX).qualifier) == ("at one machine state",) * 2
    notes = [note for note in between.notes if "mean machine state" in note]
    assert [note[:10] for note in notes] == ["Times of A", "Times of B"]
    assert "+" in notes[0].partition("of both")[2]
    assert "-" in notes[1].partition("of both")[2]
    assert between.machine.usual == (True, True)


def test_a_slower_system_stays_slower() -> None:
    row = compare(measured(1, 0.0), measured(2, 0.3, factor=1.3)).row(LATENCY)
    assert row.relative == pytest.approx(0.3, abs=0.05)
    assert row.verdict == "slower"


def test_what_does_not_lean_on_the_machine_is_left_as_it_was() -> None:
    between = compare(measured(1, 0.0), measured(2, 0.3, leans=0.0))
    assert between.machine.usual == (True, False)
    (said,) = (note for note in between.notes if note.startswith("Times of B"))
    assert said.startswith("Times of B are as they were: ")


def test_beats_of_one_only_adjust_nothing() -> None:
    a, b = measured(1, 0.0), replace(measured(2, 0.3), beats=())
    between = compare(a, b)
    assert between.machine.usual == (False, False)
    assert between.row(LATENCY).qualifier == ""
    assert any("one of the two only" in note for note in between.notes)
    assert not [note for note in compare(b, b).notes if "Times" in note]


def test_a_gpus_probes_are_compared_at_the_mean_of_both_and_never_with_a_processors() -> None:
    def on_gpu(record: RunRecord) -> RunRecord:
        beats = (Beat(b.at, {"gpu_products": b.seconds["memory"]}) for b in record.beats)
        certificate = {"usual_state": {"memory": 0.002, "dispatch": 0.001}}
        known = {**record.environment, "certificate": certificate}
        return replace(record, beats=tuple(beats), environment=known)

    a, b = on_gpu(measured(1, 0.0)), on_gpu(measured(2, 0.3))
    alone = adjusted(b)
    assert (alone.made, alone.samples) == (False, b.samples)
    assert "usual state of this device is not known" in alone.why
    between = compare(a, b)
    assert between.machine.usual == (True, True)
    assert between.row(LATENCY).relative == pytest.approx(0.0, abs=0.03)
    other = compare(a, measured(2, 0.3))
    assert other.machine.usual == (False, False)
    assert any("no probe of the metronome was read beside both" in note for note in other.notes)
