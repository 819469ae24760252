"""WER under a load is that of the same utterances alone where no text changes, and worse where one
does."""

from __future__ import annotations

import pytest
from support.fakes import utterance
from support.loads import answered, made

from asr_scaling.core.workload import Utterance
from asr_scaling.load.drive import Driven
from asr_scaling.load.looks import Figures
from asr_scaling.load.texts import Texts
from asr_scaling.profiler.quality import normaliser, score

SPEECH = tuple(
    utterance(1.0 + i, f"u{i}", f"The cat number {word} sat on the mat.")
    for i, word in enumerate(["one", "two", "three", "four", "five", "six", "seven", "eight"])
)
ALONE = {u.id: u.reference for u in SPEECH}


def load(texts: list[str], speech: tuple[Utterance, ...] = SPEECH) -> Driven:
    due = [float(i) for i in range(len(texts))]
    return made([answered(d, 0.1, text) for d, text in zip(due, texts, strict=True)], due, speech)


def figures(texts: list[str], rules: str = "whisper_english", **changes: object) -> Figures:
    driven = load(texts)
    return Texts(SPEECH, ALONE, rules, **changes).figures(driven.requests)  # type: ignore[arg-type]


def value(found: Figures, name: str) -> float:
    figure = found[name]
    assert not isinstance(figure, str), figure
    return figure.value


def test_the_same_texts_have_the_same_wer():
    found = figures([u.reference.upper() for u in SPEECH] * 2)
    assert value(found, "load/wer") == value(found, "load/wer_unloaded") == 0.0
    assert value(found, "load/changed_share") == 1.0  # letters differ, words don't


def test_a_changed_text_counts_once_for_each_answer():
    texts = [u.reference for u in SPEECH] * 2
    texts[3] = "The dog number four sat on the mat."
    found = figures(texts)
    wer = found["load/wer"]
    assert value(found, "load/wer") == pytest.approx(1 / (16 * 8))
    assert value(found, "load/changed_share") == pytest.approx(1 / 16)
    assert not isinstance(wer, str)
    assert wer.n == 16
    assert wer.interval is not None
    assert wer.interval.low <= wer.value <= wer.interval.high


def test_it_is_the_wer_of_the_quality_measurement():
    texts = [u.reference.replace("cat", "bat").replace("sat on", "on") for u in SPEECH]
    rules, label = normaliser("auto")
    pairs = [(u.id, u.reference, text) for u, text in zip(SPEECH, texts, strict=True)]
    same = {m.name: m for m in score(pairs, rules, {"quality/normaliser": label}).metrics}
    wer = figures(texts, "auto")["load/wer"]
    assert not isinstance(wer, str)
    assert wer.value == pytest.approx(same["quality/wer"].value)
    assert wer.interval == same["quality/wer"].interval


def test_what_was_not_answered_has_no_text_to_count():
    driven = load(["The cat number one sat on the mat."])
    assert value(Texts(SPEECH, ALONE, "none").figures(driven.requests), "load/wer") == 0.0
    nothing = Texts(SPEECH, ALONE, "none").figures(())
    assert nothing["load/wer"] == "no text answered has a reference"
    assert "nothing answered" in str(nothing["load/changed_share"])


def test_random_weights_are_never_scored():
    found = figures([u.reference for u in SPEECH], no_wer="the weights are random")
    assert found["load/wer"] == found["load/wer_unloaded"] == "the weights are random"
    assert value(found, "load/changed_share") == 0.0


def test_utterances_that_were_never_called_alone():
    driven = load([u.reference for u in SPEECH])
    found = Texts(SPEECH, {}, "none").figures(driven.requests)
    assert value(found, "load/wer") == 0.0
    assert "without a load" in str(found["load/wer_unloaded"])
    assert "without a load" in str(found["load/changed_share"])
