"""``python -m asr_scaling rescore``: what it reads, prints, writes and exits with."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from asr_scaling.cli import compare, rescore
from asr_scaling.core.record import RunRecord

BEFORE = Path(__file__).parents[1] / "data" / "records_before" / "sweep"
ONE, OTHER = (str(BEFORE / f"{i}_whisper_tiny_en_cpu_b{b}") for i, b in ((0, 1), (1, 8)))
FAILED = str(BEFORE / "2_whisper_tiny_en_cpu_b16")


def test_every_normaliser_and_the_difference_of_two(capsys: pytest.CaptureFixture[str]) -> None:
    assert rescore.main([ONE, OTHER]) == 0
    said = capsys.readouterr().out
    for name in ("as recorded", "auto", "whisper_english", "leaderboard", "unicode", "none"):
        assert sum(line.startswith(name) for line in said.splitlines()) == 1
        assert f" {name} " in said
    assert "A whisper_tiny_en fake cpu b1 · B whisper_tiny_en fake cpu b8" in said
    assert "unicode: unicode (version 1)" in said


def test_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert rescore.main([ONE, OTHER, "--json", "--normaliser", "none"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert [point["point"] for point in result["points"]] == [
        "whisper_tiny_en fake cpu b1",
        "whisper_tiny_en fake cpu b8",
    ]
    (pair,) = result["differences"]
    assert [row["by"] for row in pair["differences"]] == ["as recorded", "none"]
    before = RunRecord.read(Path(ONE) / "record.json").values["quality/wer"]
    assert pair["differences"][0]["a"] == before


def test_written_records_are_read_again_and_not_compared_in_silence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = str(tmp_path / "rescored.jsonl")
    assert rescore.main([ONE, "--normaliser", "unicode", "-o", out]) == 0
    assert "(1 record by unicode)" in " ".join(capsys.readouterr().out.split())
    assert rescore.main([out, "--normaliser", "none"]) == 0
    assert compare.main([f"{ONE}/record.json", out]) == 2
    assert "python -m asr_scaling rescore" in capsys.readouterr().err
    assert compare.main([f"{ONE}/record.json", out, "--allow", "normaliser"]) == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([ONE, "--normaliser", "german"], "--normaliser must be one of"),
        ([ONE, "-o", "x.jsonl"], "add --normaliser NAME."),
        ([ONE, "-o", FAILED, "--normaliser", "none"], "is there already"),
        ([FAILED], "No record has texts to score: 'whisper_tiny_en fake cpu b16' left out"),
        (["nowhere"], "There is no file or folder 'nowhere' here"),
    ],
)
def test_refused_in_one_sentence(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert rescore.main(arguments) == 1
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    assert said in error


def test_a_point_without_texts_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert rescore.main([ONE, FAILED, "--normaliser", "none"]) == 0
    assert "'whisper_tiny_en fake cpu b16' left out: no texts" in capsys.readouterr().out
