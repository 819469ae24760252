"""LibriSpeech and GigaSpeech, streamed from Parquet files laid out as in their repositories."""

from __future__ import annotations

import pytest

from asr_scaling.dataset.gigaspeech import GigaSpeech
from asr_scaling.dataset.librispeech import LibriSpeech
from asr_scaling.errors import ConfigError


def test_librispeech_whole(librispeech):
    workload = LibriSpeech(path=str(librispeech)).load(None)
    assert [u.id for u in workload.utterances] == [f"61-1-{i:04d}" for i in range(40)]
    first = workload.utterances[0]
    assert (first.reference, first.speaker, first.duration_s) == ("HE SAID 0", "61", 1.2)
    info = workload.info
    assert (info.name, info.split, info.revision, info.licence) == (
        "librispeech",
        "test",
        None,
        "CC BY 4.0",
    )
    assert (info.utterances, info.available, info.cached) == (40, None, False)
    assert "test-0000-of-0002.parquet" in info.source


def test_a_limit_is_a_seeded_sample_and_never_the_longest_first(librispeech):
    def ids(seed):
        return [u.id for u in LibriSpeech(path=str(librispeech), seed=seed).load(6).utterances]

    assert ids(42) == ids(42)
    assert len({tuple(ids(seed)) for seed in range(4)}) == 4
    longest = [f"61-1-{i:04d}" for i in range(6)]
    assert all(ids(seed) != longest for seed in range(4))


def test_a_sample_comes_from_all_over_a_file_even_through_a_small_buffer(
    giga_row, tmp_path, write_parquet, encoded, tone
):
    data = [encoded(tone(0.05, hz=200 + i)) for i in range(200)]
    rows = [giga_row(i, f"W{i}", audio) for i, audio in enumerate(data)]
    path = write_parquet(tmp_path / "sorted.parquet", rows, row_group_size=10)
    workload = GigaSpeech(path=str(path), shuffle_buffer=40).load(30)
    numbers = [int(u.id[-7:]) for u in workload.utterances]
    assert len(set(numbers)) == 30
    assert len({number // 50 for number in numbers}) >= 3, (
        "the first rows through a plain buffer are all below 70"
    )


def test_one_file_several_files_and_a_folder(librispeech):
    files = sorted(map(str, librispeech.iterdir()))
    assert LibriSpeech(path=files[0]).load(None).info.utterances == 25
    assert (
        LibriSpeech(path=files).load(None).info.digest
        == LibriSpeech(path=str(librispeech)).load(None).info.digest
    )


def test_fragments_are_exact_cached_and_the_same(librispeech):
    def load(**options):
        return LibriSpeech(path=str(librispeech), length_s=3, **options).load(5)

    fresh, stored = load(), load()
    assert (fresh.info.cached, stored.info.cached) == (False, True)
    assert fresh.info.digest == stored.info.digest
    assert [u.audio.size for u in fresh.utterances] == [48_000] * 5
    assert len({part for u in fresh.utterances for part in u.parts}) == sum(
        len(u.parts) for u in fresh.utterances
    )
    assert not load(seed=1).info.cached
    assert not load(shuffle_buffer=7).info.cached
    assert load().info.cached


@pytest.mark.parametrize(
    ("tags", "first"),
    [
        ("map", "AS THEY'RE LEAVING, CAN KASH PULL ZAHRA ASIDE REALLY QUICKLY?"),
        ("drop", "AS THEY'RE LEAVING CAN KASH PULL ZAHRA ASIDE REALLY QUICKLY"),
        (
            "keep",
            "AS THEY'RE LEAVING <COMMA> CAN KASH PULL ZAHRA ASIDE REALLY QUICKLY <QUESTIONMARK>",
        ),
    ],
)
def test_gigaspeech_tags(gigaspeech, tags, first):
    workload = GigaSpeech(path=str(gigaspeech), tags=tags).load(None)
    assert [u.id[-1] for u in workload.utterances] == ["0", "2", "5"]
    assert workload.utterances[0].reference == first
    assert workload.utterances[0].speaker == "N/A"
    assert workload.info.left_out == {
        "tagged <MUSIC>": 1,
        "tagged <SIL>": 1,
        "tagged <OTHER>": 1,
        "tagged <NOISE>": 1,
        "no words": 1,
    }


def test_gigaspeech_tags_shape_the_fragments_too(gigaspeech):
    def load(tags):
        return GigaSpeech(path=str(gigaspeech), tags=tags, length_s=2).load(None)

    assert "QUICKLY?" in load("map").utterances[0].reference
    assert "QUICKLY?" not in load("drop").utterances[0].reference
    assert load("map").info.left_out["tagged <SIL>"] == 1


def test_a_mirror_with_other_columns(tmp_path, write_parquet, tone, encoded):
    rows = [{"wav": encoded(tone(0.3, hz=300 + i)), "sentence": f"hello {i}"} for i in range(3)]
    path = write_parquet(tmp_path / "m.parquet", rows + rows[:1])
    mirror = GigaSpeech(
        path=str(path),
        audio_column="wav",
        text_column="sentence",
        id_column=None,
        speaker_column=None,
    )
    workload = mirror.load(None)
    assert [u.reference for u in workload.utterances] == ["hello 0", "hello 1", "hello 2"]
    assert len({u.id for u in workload.utterances}) == 3
    assert workload.info.left_out == {"the same audio again": 1}
    assert workload.utterances[0].speaker is None


def test_missing_columns(refused, librispeech, gigaspeech):
    refused(
        LibriSpeech(path=str(librispeech), audio_column="wav"),
        "no column 'wav'",
        "dataset.audio_column",
    )
    refused(
        LibriSpeech(path=str(librispeech), text_column="sentence"),
        "'sentence'",
        "dataset.text_column",
    )
    refused(
        LibriSpeech(path=str(gigaspeech)), "'id'", "segment_id", "dataset.id_column", "or to null"
    )
    refused(
        LibriSpeech(path=str(gigaspeech), id_column=None), "'speaker_id'", "dataset.speaker_column"
    )


def test_files_that_can_t_be_used(refused, tmp_path, librispeech):
    refused(LibriSpeech(path=str(tmp_path / "none.parquet")), "no Parquet file", "dataset.path")
    (tmp_path / "empty").mkdir()
    refused(LibriSpeech(path=str(tmp_path / "empty")), "no Parquet file")
    (tmp_path / "bad.parquet").write_bytes(b"PAR1 not really")
    refused(
        LibriSpeech(path=str(tmp_path / "bad.parquet")), "can't be read as Parquet", "bad.parquet"
    )
    good = next(librispeech.iterdir()).read_bytes()
    (tmp_path / "cut.parquet").write_bytes(good[: len(good) // 2])
    refused(LibriSpeech(path=str(tmp_path / "cut.parquet")), "can't be read as Parquet")


@pytest.fixture
def giga(tmp_path, write_parquet):
    return lambda *rows: GigaSpeech(path=str(write_parquet(tmp_path / "rows.parquet", list(rows))))


def test_rows_that_can_t_be_used(refused, giga, giga_row, encoded, tone):
    data = encoded(tone(0.2))
    refused(giga(giga_row(0, "A", data), giga_row(0, "B", data)), "S0000000", "dataset.id_column")
    refused(giga(giga_row(0, "A", data), giga_row(1, "B", data[:200])), "S0000001", "again")
    refused(giga(giga_row(0, "A", data), giga_row(1, "B", None)), "S0000001", "no audio bytes")
    refused(giga(giga_row(0, "A", data) | {"segment_id": None}), "id_column=null")
    refused(giga(giga_row(0, "<SIL>", data)), "tagged <SIL>: 1")
    workload = giga(giga_row(0, "A", data), giga_row(1, None, data)).load(None)
    assert workload.info.left_out == {"no transcript": 1}
    workload = giga(giga_row(0, "A", data), giga_row(1, "", data)).load(None)
    assert workload.info.left_out == {"no words": 1}


def test_an_empty_text_is_silence(tmp_path, write_parquet, encoded, tone):
    rows = [
        {
            "audio": {"bytes": encoded(tone(0.3, hz=200 + i)), "path": None},
            "text": text,
            "id": str(i),
        }
        for i, text in enumerate(["", "HELLO", None])
    ]
    path = write_parquet(tmp_path / "rows.parquet", [row | {"speaker_id": 1} for row in rows])
    workload = LibriSpeech(path=str(path)).load(None)
    assert sorted(u.reference for u in workload.utterances) == ["", "HELLO"]
    assert workload.info.left_out == {"no transcript": 1}
    joined = LibriSpeech(path=str(path), length_s=1).load(None)
    assert {u.reference for u in joined.utterances} == {"HELLO"}


def test_no_fragment_fits(refused, librispeech):
    refused(LibriSpeech(path=str(librispeech), length_s=0.1), "dataset.length_s")


@pytest.mark.parametrize(
    "options",
    [
        {"shuffle_buffer": 0},
        {"shuffle_buffer": 1.5},
        {"repository": ""},
        {"split": None},
        {"text_column": None},
        {"audio_column": 3},
        {"length_s": -5},
        {"seed": "x"},
        {"tags": "remove"},
    ],
)
def test_options_that_can_t_work(options):
    with pytest.raises(ConfigError, match=rf"dataset\.{next(iter(options))}="):
        GigaSpeech(**options)
