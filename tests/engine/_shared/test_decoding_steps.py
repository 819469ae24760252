"""Who is decoded again, and how, with an engine whose texts and probabilities are constructed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.fakes import utterances

from asr_scaling.core.decoding import GREEDY, Decoding
from asr_scaling.core.workload import AudioBatch
from asr_scaling.engine._shared.decoding_steps import Decoded, Hypothesis, Plan, Step
from asr_scaling.engine._shared.short_window import most_tokens

LOOP = "and again " * 40
FALLBACK = Decoding(temperatures=(0.0, 0.2, 0.4))
BEAMS = Decoding(beam=5, temperatures=(0.0, 0.2, 0.4))
Script = Mapping[str, Sequence[tuple[str, float]]]
"""Utterance → text and mean log-probability of its first, second … decoding; the last one stays."""


class Scripted:
    """An engine that says what it is told, and writes down what it was asked for."""

    def __init__(self, script: Script, no_speech: Mapping[str, float] | None = None) -> None:
        self.script, self.no_speech = script, no_speech
        self.asked: list[tuple[tuple[str, ...], Step]] = []
        self.looked: list[str] = []

    def __call__(self, batch: AudioBatch, step: Step) -> Decoded:
        ids = tuple(u.id for u in batch.utterances)
        before = [key for keys, _ in self.asked for key in keys]
        self.asked.append((ids, step))
        heard = []
        for key in ids:
            rows = self.script.get(key, [(key, -0.1)])
            text, mean = rows[min(before.count(key), len(rows) - 1)]
            heard.append(Hypothesis(text, 3, mean if step.scored else None))

        def silent(number: int) -> float:
            self.looked.append(ids[number])
            return (self.no_speech or {}).get(ids[number], 0.0)

        return Decoded(heard, 3, None if self.no_speech is None else silent)

    @property
    def temperatures(self) -> list[float]:
        return [step.temperature for _, step in self.asked]


def batch(count: int = 3, seconds: float = 4.0) -> AudioBatch:
    return AudioBatch(utterances([seconds] * count))


def test_greedy_decodes_once_whatever_comes_out():
    engine = Scripted({"u1": [(LOOP, -9.0)]})
    done = Plan(GREEDY).transcribe(batch(), engine)
    assert [ids for ids, _ in engine.asked] == [("u0", "u1", "u2")]
    assert engine.asked[0][1] == Step()
    assert done.texts == ("u0", LOOP, "u2")
    assert (done.again, done.decodings, done.temperatures) == (0, (1, 1, 1), (0.0, 0.0, 0.0))


def test_only_what_fails_is_decoded_again_until_it_does_not():
    """u0 is right at once; u1 loops twice; u2 is improbable once."""
    script = {"u1": [(LOOP, -0.1), (LOOP, -0.1), ("one", -0.2)], "u2": [("x", -1.5), ("two", -0.3)]}
    engine = Scripted(script)
    done = Plan(FALLBACK, seed=7).transcribe(batch(), engine)
    assert [ids for ids, _ in engine.asked] == [("u0", "u1", "u2"), ("u1", "u2"), ("u1",)]
    assert engine.temperatures == [0.0, 0.2, 0.4]
    assert done.texts == ("u0", "one", "two")
    assert done.temperatures == (0.0, 0.4, 0.2)
    assert done.decodings == (1, 3, 2)
    assert (done.again, done.steps) == (2, 9)


def test_the_last_text_stays_where_all_fail():
    engine = Scripted({"u0": [("a", -2.0), ("b", -3.0), ("c", -4.0)]})
    done = Plan(FALLBACK).transcribe(batch(1), engine)
    assert (done.texts, done.temperatures, done.decodings) == (("c",), (0.4,), (3,))


@pytest.mark.parametrize(
    ("text", "mean", "fails"),
    [("fine", -0.99, False), ("fine", -1.0, False), ("fine", -1.01, True), (LOOP, 0.0, True)],
)
def test_each_threshold_by_itself(text: str, mean: float, fails: bool):
    engine = Scripted({"u0": [(text, mean), ("again", -0.1)]})
    done = Plan(FALLBACK).transcribe(batch(1), engine)
    assert done.decodings == ((2,) if fails else (1,))


def test_improbable_silence_is_no_text_and_is_not_decoded_again():
    engine = Scripted({"u1": [("Thank you.", -1.5)]}, {"u1": 0.61})
    done = Plan(FALLBACK).transcribe(batch(), engine)
    assert done.texts == ("u0", "", "u2")
    assert (done.tokens, done.decodings) == ((3, 0, 3), (1, 1, 1))
    assert engine.looked == ["u1"]  # what is probable is not asked about


@pytest.mark.parametrize(("mean", "silence"), [(-0.5, 0.99), (-1.5, 0.6)])
def test_what_is_probable_or_speech_is_no_silence(mean: float, silence: float):
    engine = Scripted({"u0": [("word", mean), ("word", -0.1)]}, {"u0": silence})
    assert Plan(FALLBACK).transcribe(batch(1), engine).texts == ("word",)


def test_beams_are_for_temperature_0_and_samples_for_those_above():
    engine = Scripted({"u0": [(LOOP, -0.1)]})
    Plan(BEAMS, seed=7).transcribe(batch(1), engine)
    asked = [(step.beam, step.best_of, step.sampled) for _, step in engine.asked]
    assert asked == [(5, 1, False), (1, 5, True), (1, 5, True)]
    seeds = [step.seed for _, step in engine.asked]
    assert len(set(seeds)) == len(seeds)
    assert seeds[0] == 7
    assert all(step.scored for _, step in engine.asked)


def test_a_short_window_is_one_step_before_the_others():
    engine = Scripted({"u1": [(LOOP, -0.1), (LOOP, -0.1), ("one", -0.1)]})
    done = Plan(FALLBACK, margin_s=2.0).transcribe(batch(), engine)
    windows = [(step.window_s, step.most, step.temperature) for _, step in engine.asked]
    assert windows == [(6.0, most_tokens(4.0), 0.0), (None, None, 0.0), (None, None, 0.2)]
    assert done.decodings == (1, 3, 1)


def test_a_short_window_alone_decodes_at_most_twice():
    engine = Scripted({"u1": [(LOOP, -0.1)]})
    done = Plan(GREEDY, margin_s=2.0).transcribe(batch(), engine)
    assert [step.window_s for _, step in engine.asked] == [6.0, None]
    assert done.texts[1] == LOOP
    assert done.decodings == (1, 2, 1)


def test_the_text_of_random_weights_is_not_judged():
    engine = Scripted({"u0": [(LOOP, -9.0)]})
    plan = Plan(BEAMS, margin_s=2.0, guarded=False)
    assert plan.transcribe(batch(1), engine).decodings == (1,)
    ((_, step),) = engine.asked
    assert (step.beam, step.window_s, step.most, step.scored) == (5, 6.0, None, False)


@given(
    st.lists(st.lists(st.booleans(), min_size=1, max_size=5), min_size=1, max_size=6),
    st.integers(1, 4),
)
def test_batches_make_no_difference(fails: list[list[bool]], size: int):
    """Each utterance is decoded as often, and gets the same text, in any batch."""
    script = {
        f"u{i}": [(f"text {i} {j}", -2.0 if failed else -0.1) for j, failed in enumerate(row)]
        for i, row in enumerate(fails)
    }
    whole = batch(len(fails))
    alone = Plan(FALLBACK).transcribe(whole, Scripted(script))
    texts: list[str] = []
    decodings: list[int] = []
    for start in range(0, len(fails), size):
        part = AudioBatch(whole.utterances[start : start + size])
        done = Plan(FALLBACK).transcribe(part, Scripted(script))
        texts += done.texts
        decodings += done.decodings
    assert (tuple(texts), tuple(decodings)) == (alone.texts, alone.decodings)


@given(
    st.lists(st.floats(0.5, 29.0), min_size=1, max_size=24),
    st.sets(st.integers(0, 23)),
    st.sampled_from([GREEDY, FALLBACK]),
)
def test_no_step_hears_more_audio_than_the_first(
    seconds: list[float], looping: set[int], rule: Decoding
):
    """But for one whole window, which is the least that can be heard again."""
    engine = Scripted({f"u{number}": [(LOOP, -0.1)] for number in looping})
    done = Plan(rule, margin_s=1.0).transcribe(AudioBatch(utterances(seconds)), engine)
    heard = [len(ids) * (step.window_s or 30.0) for ids, step in engine.asked]
    assert max(heard) <= max(heard[0], 30.0)
    again = looping & set(range(len(seconds)))
    assert done.again == (len(again) if engine.asked[0][1].window_s or rule is FALLBACK else 0)


def test_whole_windows_follow_short_ones_a_few_at_a_time():
    """Twelve windows of 5 s hold as much audio as two whole ones."""
    engine = Scripted(
        {f"u{number}": [(LOOP, -0.1), ("right", -0.1)] for number in (1, 4, 6, 9, 11)}
    )
    done = Plan(GREEDY, margin_s=1.0).transcribe(batch(12, 4.0), engine)
    assert [ids for ids, _ in engine.asked[1:]] == [("u1", "u4"), ("u6", "u9"), ("u11",)]
    assert done.texts[1:5] == ("right", "u2", "u3", "right")
    assert (done.again, done.steps) == (5, 12)
