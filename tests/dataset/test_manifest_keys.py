"""Keys and columns by the names that people give them: used, or refused with the line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from asr_scaling.dataset._manifest import ManifestEntry, read_manifest
from asr_scaling.dataset._manifest_keys import Columns
from asr_scaling.errors import DataError


@pytest.fixture
def entries(tmp_path: Path):
    """Reads a manifest of the given text, beside two files of audio."""
    for name in ("a.wav", "b.wav"):
        (tmp_path / name).write_bytes(b"x")

    def read(text: str, file: str = "manifest.jsonl", **options: Any) -> list[ManifestEntry]:
        (tmp_path / file).write_bytes(text.encode())
        return read_manifest(tmp_path, **options)

    return read


@pytest.fixture
def entry(entries):
    """The one entry of an object."""

    def read(**values: Any) -> ManifestEntry:
        (only,) = entries("\n" + json.dumps(values) + "\n")
        return only

    return read


@pytest.mark.parametrize(
    "key", ["audio", "audio_filepath", "path", "file", "file_name", "wav", "Audio", " AUDIO-FILE "]
)
def test_the_names_of_audio(entry, key):
    assert entry(**{key: "a.wav", "text": "x"}).id == "a"


@pytest.mark.parametrize(
    "key", ["text", "sentence", "transcript", "transcription", "normalized_text", "Text", "wrd"]
)
def test_the_names_of_text(entry, key):
    assert entry(**{"audio": "a.wav", key: "x"}).text == "x"


def test_two_that_differ_are_refused_until_one_is_chosen(entries):
    line = '{"audio": "a.wav", "text": "5 men", "normalized_text": "five men"}'
    with pytest.raises(DataError, match=r"line 1: 'text' and 'normalized_text'.*dataset.text_col"):
        entries(line)
    assert entries(line, columns=Columns(text="text"))[0].text == "5 men"
    assert entries(line, columns=Columns(text="Normalized Text"))[0].text == "five men"
    with pytest.raises(DataError, match="line 1: no 'raw_text'"):
        entries(line, columns=Columns(text="raw_text"))
    same = '{"audio": "a.wav", "text": "five men", "normalized_text": "five men"}'
    assert entries(same)[0].text == "five men"


def test_silence_is_an_empty_text(entry):
    assert entry(audio="a.wav", text="").text == ""
    assert entry(audio="a.wav", text="  ").text == ""


def test_speaker_and_language(entry):
    found = entry(path="a.wav", sentence="x", client_id="s", locale="de-DE")
    assert (found.speaker, found.language, found.extra) == ("s", "de", {})
    assert entry(audio="a.wav", text="x", lang="unknown").language is None


@pytest.mark.parametrize(
    ("times", "cut"),
    [
        ({"offset": 1.5, "duration": 2}, (1.5, 3.5)),
        ({"offset": 0, "duration": 2}, (0, 2)),
        ({"start": 1, "end": 2.5}, (1, 2.5)),
        ({"begin_time": 1, "end_time": 2.5, "duration": 1.5}, (1, 2.5)),
        ({"start_ms": 1500, "end_ms": 2500}, (1.5, 2.5)),
        ({"Offset": 1}, (1, None)),
        ({"end": 2}, (0, 2)),
        ({"offset": None, "duration": None}, (None, None)),
        ({"offset": 2, "start": 2, "duration": 1}, (2, 3)),
    ],
)
def test_times(entry, times, cut):
    found = entry(audio="a.wav", text="x", **times)
    assert (found.start_s, found.end_s) == pytest.approx(cut)
    assert found.claimed_s is None


def test_a_duration_alone_is_a_claim(entry):
    found = entry(audio="a.wav", text="x", duration=2.5)
    assert (found.start_s, found.end_s, found.claimed_s) == (None, None, 2.5)


def test_cuts_of_one_file_need_no_ids(entries):
    lines = [{"audio": "a.wav", "text": "x", "offset": at, "duration": 1} for at in (0, 1)]
    found = entries("\n".join(map(json.dumps, lines)))
    assert [entry.id for entry in found] == ["a:0.000-1.000", "a:1.000-2.000"]


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"offset": -1, "duration": 2}, ["'offset' is -1"]),
        ({"offset": 0, "duration": 0}, ["'duration' is 0"]),
        ({"offset": 0, "duration": -1}, ["'duration' is -1"]),
        ({"offset": "1.5", "duration": 2}, ["'offset' is no number"]),
        ({"offset": True}, ["'offset' is no number"]),
        ({"offset": [1]}, ["'offset' is no number"]),
        ({"start": 3, "end": 2}, ["ends at 2 s"]),
        ({"start": 1, "end": 2, "duration": 5}, ["not 5 s"]),
        ({"offset": 1, "start": 2}, ["'offset' and 'start'", "different"]),
        ({"offset": 1, "start_ms": 2000}, ["'offset' and 'start_ms'"]),
        ({"channel": 1}, ["'channel'", "file of its own"]),
        ({"start_sample": 16000}, ["'start_sample'", "seconds"]),
        ({"supervisions": [{"start": 0}]}, ["'supervisions'", "Lhotse"]),
        ({"recording": {"id": "a"}}, ["'recording'", "Lhotse"]),
        ({"taskname": "ast"}, ["translation"]),
        ({"source_lang": "de", "target_lang": "en"}, ["translation"]),
        ({"lang": "xx"}, ["'lang' is 'xx'", "no language"]),
        ({"text": 5}, ["'text' is not text"]),
        ({"text": None}, ["no 'text'"]),
        ({"text": ["x"]}, ["'text' is not text"]),
    ],
)
def test_what_can_t_be_used_is_refused_by_line(entry, more, words):
    with pytest.raises(DataError, match=r"^manifest\.jsonl, line 2: ") as caught:
        entry(**{"audio": "a.wav", "text": "x", **more})
    for word in words:
        assert word in str(caught.value)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ('{"audio": "a.wav", "audio": "b.wav", "text": "x"}', "the key 'audio' stands in it twice"),
        ('{"audio": "a.wav", "text": "x", "offset": NaN}', "NaN"),
        ('{"audio": "a.wav", "text": "x", "offset": -Infinity}', "Infinity"),
    ],
)
def test_json_that_only_python_takes(entries, line, reason):
    with pytest.raises(DataError, match=f"line 3: not valid JSON .*{reason}"):
        entries('{"audio": "a.wav", "text": "y", "id": "y"}\r\n\r\n' + line)


def test_common_voice_s_tables(entries, tmp_path: Path):
    (tmp_path / "clips").mkdir()
    (tmp_path / "clips" / "c.mp3").write_bytes(b"x")
    (tmp_path / "dev.tsv").write_text("path\tsentence\n")
    text = (
        "\ufeffclient_id\tpath\tsentence\tlocale\tup_votes\r\n"
        's1\tc.mp3\t"Good-bye," said the boy.\ten\t2\r\n'
    )
    (found,) = entries(text, "test.tsv", name="test.tsv")
    assert (found.id, found.text, found.speaker) == ("c", '"Good-bye," said the boy.', "s1")
    assert (found.language, found.extra) == ("en", {"up_votes": "2"})
    with pytest.raises(DataError, match=r"several tables \(dev\.tsv, test\.tsv\)"):
        entries(text, "test.tsv")


def test_a_table_s_times(entries):
    text = " Audio , Text ,Offset,DURATION\na.wav,x,0,1\na.wav,y,1.0,1e0\nb.wav,z,,\n"
    found = entries(text, "manifest.csv")
    assert [(e.start_s, e.end_s) for e in found] == [(0, 1), (1, 2), (None, None)]
    with pytest.raises(DataError, match="line 2: 'start' is no number"):
        entries("audio,text,start\na.wav,x,00:01\n", "manifest.csv")


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ('audio,text\n\na.wav,"one\ntwo"\nb.wav,"x\n', 5, "not valid CSV"),
        ('audio,text\r\na.wav,x\r\nb.wav,"Good-bye," he said\r\n', 3, "not valid CSV"),
        ('audio,text\na.wav,"he began\nb.wav,and she left"\n', 2, "a quote opens"),
        ('text,audio\n"he began,a.wav\nand she left",b.wav\n', 2, "a quote opens"),
        ('audio,text\na.wav,"one\n\ntwo"\n\nc.wav,x\n', 6, "no such file"),
        ("audio,text\na.wav,x\nb.wav,one,two\n", 3, "more fields"),
        ("audio,text,text\na.wav,x,y\n", 1, "two columns"),
        ("audio,text\na.wav,x\na.wav,y\n", 3, "first in manifest.csv, line 2"),
    ],
)
def test_lines_of_a_table_are_counted_as_an_editor_does(entries, text, line, words):
    with pytest.raises(DataError, match=f"^manifest\\.csv, line {line}: .*{words}"):
        entries(text, "manifest.csv")


def test_a_text_of_several_lines_stays_one(entries):
    (found, other) = entries('audio,text\na.wav,"one,\ntwo"\nb.wav,x\n', "manifest.csv")
    assert (found.text, other.where) == ("one,\ntwo", "manifest.csv, line 4")
