"""Sentences that stand beside error rates of several points."""

from __future__ import annotations

from dataclasses import replace

from support.studies import TINY, record

from asr_scaling.analysis.caveats import BY_CHARACTERS, error_rates
from asr_scaling.analysis.points import to_point

RECORD = record(TINY, 15.0, 4)


def test_nothing_is_said_of_rates_of_one_kind() -> None:
    assert error_rates([to_point(RECORD), to_point(RECORD)]) == []


def test_another_normaliser_or_version_is_said() -> None:
    other = replace(RECORD, tags={**RECORD.tags, "quality/normaliser": "unicode (version 1)"})
    (said,) = error_rates([to_point(RECORD), to_point(other)])
    assert said.startswith("WER is by several normalisers (unicode (version 1); whisper_english)")
    assert error_rates([to_point(other)]) == []


def test_rates_of_characters_are_said() -> None:
    tags = {**RECORD.tags, "quality/headline": "cer"}
    assert error_rates([to_point(replace(RECORD, tags=tags))]) == [BY_CHARACTERS]


def test_copies_are_said() -> None:
    copied = replace(RECORD, dataset={**RECORD.dataset, "utterances": 140, "copies": 65})
    (said,) = error_rates([to_point(RECORD), to_point(copied)])
    assert said == "WER is of 75 utterances and 65 copies of them, slower, faster or noisier."
