"""The files of turns: what stands in them."""

from __future__ import annotations

import json
from pathlib import Path

from support.turn_lists import turns

from asr_scaling.profiler._turns.files import MOST_FILES, rttm, write_files
from asr_scaling.profiler._turns.recordings import Recording

MEETING = Recording(
    "a meeting",
    10.0,
    turns((0, 4, "ann", "hi")),
    turns((4, 5.25, None), (0.5, 4, "speaker 1", "hi")),
)


def test_rttm_has_a_line_of_ten_fields_for_each_turn_in_order():
    assert rttm(MEETING).splitlines() == [
        "SPEAKER a_meeting 1 0.500 3.500 <NA> <NA> speaker_1 <NA> <NA>",
        "SPEAKER a_meeting 1 4.000 1.250 <NA> <NA> unknown <NA> <NA>",
    ]


def test_the_table_has_both_and_names_the_file(tmp_path: Path):
    names = write_files(tmp_path, [MEETING, Recording("b", 2.0)])
    assert names == ("turns.json", "turns-1.rttm", "turns-2.rttm")
    assert (tmp_path / "turns-1.rttm").read_text(encoding="utf-8") == rttm(MEETING)
    assert (tmp_path / "turns-2.rttm").read_text(encoding="utf-8") == ""
    table = json.loads((tmp_path / "turns.json").read_text(encoding="utf-8"))
    assert table["a meeting"]["rttm"] == "turns-1.rttm"
    assert table["a meeting"]["reference"] == [
        {"start_s": 0, "end_s": 4, "speaker": "ann", "text": "hi"}
    ]
    assert len(table["a meeting"]["found"]) == 2
    assert table["b"] == {"audio_s": 2.0, "rttm": "turns-2.rttm", "reference": [], "found": []}


def test_of_many_recordings_the_rest_is_in_the_table_only(tmp_path: Path):
    names = write_files(tmp_path, [Recording(f"r{i}", 1.0) for i in range(MOST_FILES + 2)])
    assert len(names) == MOST_FILES + 1
    table = json.loads((tmp_path / "turns.json").read_text(encoding="utf-8"))
    assert len(table) == MOST_FILES + 2
    assert "rttm" not in table[f"r{MOST_FILES}"]
