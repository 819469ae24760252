"""Texts of a record scored by another normaliser, and what of a difference is the normaliser's."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from asr_scaling.analysis.rescoring import RECORDED, differences, lacking, rescored, why_not
from asr_scaling.core.record import RunRecord
from asr_scaling.profiler.quality import normaliser, score

BEFORE = Path(__file__).parents[1] / "data" / "records_before" / "sweep"
TEXTS = [
    ("a", "it's the white paper", "it is the whitepaper"),
    ("b", "hello there", "hello, hmm there"),
    ("c", "", "thank you"),
]


def measured(by: str, texts: list[tuple[str, str, str]] = TEXTS) -> RunRecord:
    """A record of ``texts`` scored by ``by``, 36 s each."""
    rules, label = normaliser(by)
    facts = {key: {"audio_s": 36.0} for key, _, _ in texts}
    found = score(texts, rules, {"quality/normaliser": label}, facts)
    own = {"metrics": found.metrics, "tags": found.tags, "transcripts": found.transcripts}
    return RunRecord("point", "ok", {}, {}, cautions=found.cautions, identity="x", **own)


@pytest.mark.parametrize("path", sorted(BEFORE.glob("*/record.json")), ids=lambda p: p.parent.name)
def test_records_from_before_get_their_own_figures_to_the_digit(path: Path) -> None:
    record = RunRecord.read(path)
    if why_not(record):
        assert "no texts" in why_not(record)
        return
    for name in ("auto", "whisper_english"):
        again = rescored(record, name)
        assert again.values == record.values
        assert again.intervals == record.intervals
        assert again.tags["quality/normaliser"] == record.tags["quality/normaliser"]
    texts = [(row["reference"], row["hypothesis"]) for row in record.transcripts]
    assert [(r["reference"], r["hypothesis"]) for r in again.transcripts] == texts


def test_it_is_what_measuring_with_that_normaliser_gives() -> None:
    for name in ("auto", "whisper_english", "leaderboard", "unicode", "none"):
        again, fresh = rescored(measured("none"), name), measured(name)
        assert again.values == fresh.values
        assert again.transcripts == fresh.transcripts
        assert again.cautions == fresh.cautions
        assert again.tags["quality/normaliser"] == fresh.tags["quality/normaliser"]
    assert again.identity == ""


def test_it_says_what_was_before_and_keeps_marks_of_loops() -> None:
    record = measured("whisper_english")
    loop = replace(record, transcripts=({**record.transcripts[0], "looping": True},))
    again = rescored(loop, "leaderboard")
    assert again.tags["quality/rescored"].startswith("WER was 0.285714 by whisper_english (")
    assert again.transcripts[0]["looping"] is True
    assert "quality/wer_without_looping" not in again.values


def test_a_difference_and_how_much_of_it_is_the_normalisers() -> None:
    """A is scored by the leaderboard's rules (0 of 6), B by Whisper's: the white paper is wrong
    (2 of 7 words). By the same rules they are equal, so all of it is the normaliser's."""
    a, b = measured("leaderboard"), measured("whisper_english")
    names = ("leaderboard", "whisper_english")
    by = {name: (rescored(a, name), rescored(b, name)) for name in names}
    found = differences(a, b, by)
    assert [each.by for each in found] == [RECORDED, *names]
    assert found[0].change == pytest.approx(2 / 7)
    for each in found[1:]:
        assert each.change == 0
        assert each.normalisers == pytest.approx(2 / 7)
        assert each.share == pytest.approx(1)


def test_a_missing_wer_is_said() -> None:
    a, b = measured("none"), measured("none", [("a", "1" * 5000, "one")])
    by = {"whisper_english": (rescored(a, "whisper_english"), rescored(b, "whisper_english"))}
    assert differences(a, b, by)[1].reason == "no WER in one"
    assert differences(a, b, by)[1].change is None


def test_a_record_of_some_of_the_texts_says_so() -> None:
    record = replace(measured("none"), dataset={"utterances": 5})
    assert lacking(record) == "texts of 3 of 5 utterances are in the record"
    assert lacking(replace(record, dataset={"utterances": 3})) == ""
    without = replace(record, transcripts=(), unavailable={"quality/wer": "random weights"})
    assert why_not(without) == "no texts (random weights)"
