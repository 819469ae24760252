"""Recordings of a folder with who says what when: from files beside them, or from a manifest."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

from asr_scaling.core.turns import Turn
from asr_scaling.core.workload import Utterance
from asr_scaling.dataset.folder import Folder
from asr_scaling.errors import ConfigError
from asr_scaling.measure.record_builder import dataset_cautions

RATE = 16_000
RTTM = (
    "SPEAKER a 1 0.50 2.00 <NA> <NA> ann <NA> <NA>",
    "SPEAKER a 1 2.00 3.00 <NA> <NA> bob <NA> <NA>",
)
STM = ("a 1 ann 0.5 2.5 <o,f0> good morning", "a 1 bob 2.0 5.0 <o,f0> hello there")
CTM = ("a 1 0.6 0.3 good", "a 1 2.25 0.5 hello", "a 1 1.0 0.5 morning", "a 1 5.25 0.25 there")


@pytest.fixture
def folder(tmp_path: Path) -> Callable[..., Folder]:
    """A folder with a recording of 6 s, a.wav, and what the arguments say: name → lines."""
    samples = (np.arange(6 * RATE) % 30_000).astype(np.int16)
    sf.write(tmp_path / "a.wav", samples, RATE, subtype="PCM_16")

    def make(files: dict[str, tuple[str, ...]], **options: object) -> Folder:
        for name, lines in files.items():
            (tmp_path / name).write_text("\n".join(lines), encoding="utf-8")
        return Folder(path=str(tmp_path), **options)  # type: ignore[arg-type]

    return make


def only(dataset: Folder) -> Utterance:
    (utterance,) = dataset.load(None).utterances
    return utterance


def manifest(*rows: dict[str, object]) -> dict[str, tuple[str, ...]]:
    lines = (json.dumps({"audio_filepath": "a.wav", "text": "-"} | row) for row in rows)
    return {"manifest.jsonl": tuple(lines)}


def test_an_stm_beside_its_recording(folder):
    found = only(folder({"a.stm": STM}))
    assert (found.id, found.duration_s) == ("a", 6.0)
    assert found.reference == "good morning hello there"
    assert found.turns == (
        Turn(0.5, 2.5, "ann", "good morning"),
        Turn(2.0, 5.0, "bob", "hello there"),
    )


def test_an_rttm_alone_tells_no_words(folder):
    found = only(folder({"a.rttm": RTTM}))
    assert found.turns == (Turn(0.5, 2.5, "ann"), Turn(2.0, 5.0, "bob"))
    assert (found.reference, found.untold) == ("", True)


def test_a_ctm_alone_tells_no_speakers(folder):
    found = only(folder({"a.ctm": CTM}))
    assert found.turns == (
        Turn(0.6, 1.5, None, "good morning"),
        Turn(2.25, 2.75, None, "hello"),
        Turn(5.25, 5.5, None, "there"),
    )
    assert found.reference == "good morning hello there"


def test_a_word_goes_to_the_turn_in_which_it_lies_or_the_nearest(folder):
    found = only(folder({"a.ctm": CTM, "a.rttm": RTTM}))
    assert [turn.text for turn in found.turns] == ["good morning", "hello there"]
    assert [turn.speaker for turn in found.turns] == ["ann", "bob"]
    assert found.reference == "good morning hello there"
    named = ("a 1 2.1 0.2 yes 1 lex ann", "a 1 2.2 0.2 no 1 lex bob", "a 1 2.3 0.1 hm 1 lex eve")
    found = only(folder({"a.ctm": named}))
    assert [turn.text for turn in found.turns] == ["yes hm", "no"]


def test_words_of_two_speakers_at_once_are_turns_of_each(folder):
    words = ("a 1 1.0 0.3 yes 1 lex ann", "a 1 1.2 0.3 no 1 lex bob", "a 1 1.4 0.3 but 1 lex ann")
    assert [(t.speaker, t.text) for t in only(folder({"a.ctm": words})).turns] == [
        ("ann", "yes but"),
        ("bob", "no"),
    ]


def test_the_stm_goes_first_and_files_are_named(folder):
    dataset = folder({"a.stm": STM, "a.rttm": ("not read",)})
    assert only(dataset).turns[0].text == "good morning"
    assert {path.name for path in dataset.files()} == {"a.stm", "a.wav"}


def test_stretches_that_an_stm_does_not_score_give_reason_for_a_caution(folder):
    gap = "a 1 inter_segment_gap 5 6 ignore_time_segment_in_scoring"
    workload = folder({"a.stm": (*STM, gap)}).load(None)
    assert workload.info.doubts == {"UnscoredStretches": ["a"]}
    (said,) = (c for c in dataset_cautions(1, workload) if c.kind == "UnscoredStretches")
    assert said.message.startswith("The STM of 'a' leaves stretches out of scoring")
    assert folder({"a.stm": STM}).load(None).info.doubts == {}
    assert len(workload.utterances[0].turns) == 2


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"b.stm": STM}, ["'b.stm' has no audio file of its name"]),
        ({"a.stm": STM, "b.wav": ("",)}, ["'b.wav' has no .stm, .rttm or .ctm of its name"]),
        ({"a.stm": STM, "a.mp3": ("",)}, ["'a.mp3' and 'a.wav' have one name"]),
        ({"a.stm": ("a 1 bob 8 9 x",)}, ["a.wav: ", "6.000 s", "a turn from 8 s to 9 s"]),
        ({"a.stm": ("a 1",)}, ["a.stm, line 1: ", "2 of 5 fields"]),
    ],
)
def test_what_does_not_belong_together(folder, refused, files, words):
    refused(folder(files), *words)


def test_a_turn_that_ends_a_little_late_ends_with_the_recording(folder):
    assert only(folder({"a.stm": ("a 1 bob 5 6.4 x",)})).turns == (Turn(5, 6, "bob", "x"),)


def test_nemo_s_manifest_names_files_of_turns(folder):
    row = {"offset": 0, "duration": None, "label": "infer", "rttm_filepath": "x.rttm"}
    files = manifest(row | {"ctm_filepath": "x.ctm", "num_speakers": 2})
    dataset = folder(files | {"x.rttm": RTTM, "x.ctm": CTM})
    found = only(dataset)
    assert found.reference == "good morning hello there"
    assert [turn.speaker for turn in found.turns] == ["ann", "bob"]
    assert found.duration_s == 6.0
    assert dataset.load(None).info.unused_keys == ("label", "num_speakers")
    assert {path.name for path in dataset.files()} == {
        "manifest.jsonl", "x.rttm", "x.ctm", "a.wav"
    }  # fmt: skip


def test_the_line_s_own_text_is_the_reference(folder):
    row = {"rttm_filepath": "x.rttm", "ctm_filepath": None, "text": "what was said"}
    dataset = folder(manifest(row) | {"x.rttm": RTTM})
    assert only(dataset).reference == "what was said"
    assert not dataset.load(None).info.unused_keys


def test_turns_of_a_part_begin_with_it(folder):
    row = {"offset": 1.0, "duration": 2.0, "rttm_filepath": "x.rttm", "ctm_filepath": "x.ctm"}
    found = only(folder(manifest(row) | {"x.rttm": RTTM, "x.ctm": CTM}))
    assert found.turns == (Turn(0, 1.5, "ann", "morning"), Turn(1, 2, "bob", "hello"))
    assert found.reference == "morning hello"
    alone = {"offset": 0.5, "duration": 1.45, "stm_filepath": "x.stm"}
    apart = ("a 1 ann 0.5 1.95 good morning", "a 1 bob 1.95 3 hello")
    found = only(folder(manifest(alone) | {"x.stm": apart}))
    assert [turn.text for turn in found.turns] == ["good morning"]


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({"stm_filepath": "x.stm", "offset": 1, "duration": 3}, ["cut the turn from 0.5 s"]),
        ({"stm_filepath": "x.stm", "rttm_filepath": "x.rttm"}, ["an STM and another file"]),
        ({"rttm_filepath": 5}, ["'rttm_filepath' is not text"]),
        ({"rttm_filepath": "none.rttm"}, ["'none.rttm': there is no such file"]),
        ({"rttm_filepath": "../x.rttm"}, ["leaves the folder"]),
    ],
)
def test_a_line_whose_file_of_turns_can_t_be_used(folder, refused, row, words):
    files = manifest(row) | {"x.stm": STM, "x.rttm": RTTM}
    refused(folder(files), "manifest.jsonl, line 1", *words)


ROWS = (
    {"offset": 2.0, "duration": 3.0, "text": "hello", "speaker": "bob"},
    {"offset": 0.5, "duration": 2.0, "text": "good morning", "speaker": "ann"},
    {"audio_filepath": "b.wav", "text": "all of it", "speaker": "eve", "domain": "x"},
)


def test_lines_of_one_file_become_its_turns(folder, tmp_path: Path):
    sf.write(tmp_path / "b.wav", np.zeros(RATE), RATE)
    dataset = folder(manifest(*ROWS), whole=True)
    a, b = dataset.load(None).utterances
    assert (a.id, a.duration_s, a.speaker) == ("a", 6.0, None)
    assert a.reference == "good morning hello"
    assert a.turns == (Turn(0.5, 2.5, "ann", "good morning"), Turn(2, 5, "bob", "hello"))
    assert (b.id, b.reference, b.speaker, b.turns) == ("b", "all of it", "eve", ())
    assert dataset.load(None).info.unused_keys == ("domain",)
    cut = folder(manifest(*ROWS)).load(None).utterances
    assert [u.duration_s for u in cut] == [3.0, 2.0, 1.0]
    assert not any(u.turns for u in cut)


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([{"text": "x", "id": "x"}, {"text": "y"}], ["line 1: no time", "dataset.whole=false"]),
        ([{"offset": 1, "text": "x"}], ["line 1: no time at which it begins and ends"]),
        (
            [{"offset": 1, "duration": 1, "text": "x", "rttm_filepath": "x.rttm"}],
            ["line 1: it is a turn itself and names a file of turns"],
        ),
        ([{"offset": 7, "duration": 2, "text": "x"}], ["a turn from 7 s to 9 s"]),
    ],
)
def test_lines_that_can_t_be_turns(folder, refused, rows, words):
    refused(folder(manifest(*rows) | {"x.rttm": RTTM}, whole=True), *words)


def test_whole_is_true_or_false():
    with pytest.raises(ConfigError, match=r"dataset\.whole=yes can't work; give true or false"):
        Folder(path="x", whole="yes")  # type: ignore[arg-type]


def test_fragments_of_such_recordings_don_t_tell_who_speaks(folder):
    (fragment,) = folder({"a.stm": STM}, length_s=8).load(None).utterances
    assert (fragment.reference, fragment.turns) == ("good morning hello there", ())


def test_a_manifest_goes_before_files_beside_the_audio(folder):
    files = manifest({"text": "of the manifest"}) | {"a.stm": STM}
    assert only(folder(files)).reference == "of the manifest"


def test_audio_alone_is_no_dataset(folder, refused):
    refused(folder({}), "has no manifest")
