"""read_manifest: the three layouts, and one sentence for each thing that can be wrong with them."""

from __future__ import annotations

import csv
import json
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr_scaling.dataset._manifest import read_manifest
from asr_scaling.errors import DataError


def write(root, text, name="manifest.jsonl", audio=("a.wav", "b.wav", "d/c.wav")):
    root.mkdir(parents=True, exist_ok=True)
    for file in audio:
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        (root / file).write_bytes(b"x")
    (root / name).write_text(text, encoding="utf-8")
    return root


def refused(root, *words):
    with pytest.raises(DataError) as caught:
        read_manifest(root)
    message = str(caught.value)
    assert message.endswith(".")
    assert "\n" not in message
    for word in words:
        assert word in message
    return message


def test_jsonl_with_defaults_extras_blank_lines_and_a_byte_order_mark(tmp_path):
    text = (
        '\ufeff{"audio": "a.wav", "text": " Hello, world. ", "snr_db": 5}\r\n\n'
        '{"audio": "d/c.wav", "text": "x", "id": 7, "speaker": 3}\n'
    )
    one, two = read_manifest(write(tmp_path, text))
    assert (one.id, one.text, one.speaker, one.extra) == ("a", "Hello, world.", None, {"snr_db": 5})
    assert (two.id, two.audio, two.speaker) == ("7", tmp_path / "d" / "c.wav", "3")


@pytest.mark.parametrize(
    ("name", "comma", "said"),
    [
        ("manifest.csv", ",", "Yes, sir"),
        ("manifest.tsv", "\t", '"Yes, sir"'),
        ("other.csv", ",", "Yes, sir"),
    ],
)
def test_tables(tmp_path, name, comma, said):
    text = (
        comma.join(["text", "audio", "speaker"])
        + "\n"
        + comma.join(['"Yes, sir"', "a.wav", "s"])
        + "\n"
    )
    (entry,) = read_manifest(write(tmp_path, text, name))
    assert (entry.id, entry.text, entry.speaker) == ("a", said, "s")


def test_a_named_manifest_wins_over_other_tables(tmp_path):
    write(tmp_path, "audio,text\na.wav,one\n", "manifest.csv")
    write(tmp_path, "audio,text\na.wav,two\n", "old.csv")
    assert read_manifest(tmp_path)[0].text == "one"
    write(tmp_path, '{"audio": "a.wav", "text": "three"}')
    assert read_manifest(tmp_path)[0].text == "three"


def test_librispeech_layout(tmp_path):
    write(
        tmp_path / "61" / "70968",
        "61-70968-0000 HE BEGAN\n61-70968-0001 GIVE\n",
        "61-70968.trans.txt",
        (),
    )
    for number in range(2):
        (tmp_path / "61" / "70968" / f"61-70968-000{number}.flac").write_bytes(b"x")
    one, two = read_manifest(tmp_path)
    assert (one.id, one.text, one.speaker) == ("61-70968-0000", "HE BEGAN", "61")
    assert two.audio == tmp_path / "61" / "70968" / "61-70968-0001.flac"


GOOD = '{"audio": "a.wav", "text": "x"}\n'


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('{"text": "x"}', ["line 2", "no 'audio'"]),
        ('{"audio": "", "text": "x"}', ["line 2", "no 'audio'"]),
        ('{"audio": "b.wav"}', ["line 2", "no 'text'"]),
        ('{"audio": "b.wav", "text": null}', ["line 2", "no 'text'"]),
        ('{"audio": "b.wav", "text": 5}', ["line 2", "'text' is not text"]),
        ('{"audio": ["b.wav"], "text": "x"}', ["line 2", "'audio' is not text"]),
        ('{"audio": "b.wav", "text": "x", "id": true}', ["line 2", "'id' is not text"]),
        ('{"audio": "b.wav", "text": "\\ud800"}', ["line 2", "broken character"]),
        ('{"audio": "z.wav", "text": "x"}', ["line 2", "'z.wav': there is no such file"]),
        ('{"audio": "d", "text": "x"}', ["line 2", "'d' is a folder"]),
        ('{"audio": "/etc/passwd", "text": "x"}', ["line 2", "leaves the folder"]),
        ('{"audio": "d/../../a.wav", "text": "x"}', ["line 2", "leaves the folder"]),
        ('{"audio": "..\\\\a.wav", "text": "x"}', ["line 2", "leaves the folder"]),
        ('{"audio": "C:/a.wav", "text": "x"}', ["line 2", "leaves the folder"]),
        ('{"audio": "b.wav", "text": "x"', ["line 2", "not valid JSON"]),
        ("[" * 100_000, ["line 2", "not valid JSON"]),
        ('["b.wav", "x"]', ["line 2", "not a JSON object"]),
        ('{"audio": "a.wav", "text": "y"}', ["id 'a'", "twice"]),
        ('{"audio": "b.wav", "text": "y", "id": "a"}', ["id 'a'", "twice"]),
    ],
)
def test_bad_lines(tmp_path, line, words):
    refused(write(tmp_path, GOOD + line + "\n"), *words)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("picture,text\na.wav,x\n", ["no column 'audio'"]),
        ("audio\na.wav\n", ["no column 'text'"]),
        ("audio,text\na.wav\n", ["line 2", "no 'text'"]),
        ("audio,text\na.wav,Yes, sir\n", ["line 2", "more fields"]),
        ('audio,text\na.wav,"x\n', ["line 2", "not valid CSV"]),
        ("", ["no column 'audio'"]),
        ("audio,text\n", ["is empty"]),
    ],
)
def test_bad_tables(tmp_path, text, words):
    refused(write(tmp_path, text, "manifest.csv"), *words)


def test_folders_without_a_usable_manifest(tmp_path):
    refused(tmp_path / "nowhere", "not a folder")
    refused(write(tmp_path / "none", "x", "notes.txt"), "has no manifest", '{"audio"')
    refused(write(tmp_path / "empty", "\n"), "is empty")
    write(tmp_path / "two", "audio,text\n", "x.csv")
    refused(
        write(tmp_path / "two", "audio,text\n", "y.tsv"),
        *("several tables", "x.csv, y.tsv", "dataset.manifest=x.csv"),
    )
    refused(write(tmp_path / "nemo", "{}", "train.json"), "dataset.manifest=train.json")
    refused(write(tmp_path / "kaldi", "a a.wav", "wav.scp"), "Kaldi", "manifest.jsonl")
    refused(tmp_path / "two" / "x.csv", "dataset.manifest=x.csv")
    latin = write(tmp_path / "latin", GOOD)
    (latin / "manifest.jsonl").write_bytes('{"audio": "a.wav", "text": "é"}'.encode("latin-1"))
    refused(latin, "not UTF-8")


words = (
    st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1).map(str.strip).filter(bool)
)


@given(texts=st.lists(words, min_size=1, max_size=8), kind=st.sampled_from(["jsonl", "csv", "tsv"]))
def test_any_text_survives(tmp_path_factory, texts, kind):
    root = tmp_path_factory.mktemp("any")
    (root / "a.wav").write_bytes(b"x")
    with (root / f"manifest.{kind}").open("w", encoding="utf-8", newline="") as file:
        if kind == "jsonl":
            for i, text in enumerate(texts):
                file.write(
                    json.dumps({"audio": "a.wav", "text": text, "id": i}, ensure_ascii=i % 2 == 0)
                    + "\n"
                )
        else:
            rows = [
                ["audio", "text", "id"],
                *(["a.wav", text, str(i)] for i, text in enumerate(texts)),
            ]
            if kind == "csv":
                csv.writer(file).writerows(rows)
            else:
                file.writelines("\t".join(row) + "\n" for row in rows)
    assert [entry.text for entry in read_manifest(root)] == texts


@given(st.text(alphabet=string.printable, max_size=200))
def test_any_garbage_is_one_sentence_or_fine(tmp_path_factory, text):
    root = write(tmp_path_factory.mktemp("garbage"), text)
    try:
        read_manifest(root)
    except DataError as error:
        assert "\n" not in str(error)  # noqa: PT017
