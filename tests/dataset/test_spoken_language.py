"""The language that a dataset states, in its utterances, its fragments and its record."""

from __future__ import annotations

import pytest

from asr_scaling.dataset.demo import Demo
from asr_scaling.dataset.folder import Folder
from asr_scaling.dataset.gigaspeech import GigaSpeech
from asr_scaling.dataset.librispeech import LibriSpeech
from asr_scaling.errors import ConfigError, DataError


def test_a_folder_states_no_language_by_itself(make_folder):
    workload = Folder(path=str(make_folder([0.5, 0.6]))).load(None)
    assert [u.language for u in workload.utterances] == [None, None]
    assert workload.language is None
    assert workload.info.languages == {}


@pytest.mark.parametrize("written", ["de", "de-DE", "german"])
def test_a_folder_s_language_is_an_option(make_folder, written):
    workload = Folder(path=str(make_folder([0.5, 0.6])), language=written).load(None)
    assert {u.language for u in workload.utterances} == {workload.language} == {"de"}
    assert workload.info.languages == {"de": 2}


def test_fragments_keep_it_and_another_one_is_not_read_from_the_cache(make_folder):
    root = str(make_folder([0.5, 0.6, 0.7]))
    for language in (None, "de", "fr", "de"):
        workload = Folder(path=root, language=language, length_s=1.0).load(None)
        assert workload.language == language
        assert workload.utterances[0].language == language


def test_the_datasets_in_english_say_so(librispeech, gigaspeech):
    assert Demo().load(2).language == "en"
    assert LibriSpeech(path=str(librispeech)).load(2).language == "en"
    assert GigaSpeech(path=str(gigaspeech)).load(2).language == "en"
    assert LibriSpeech(path=str(librispeech), language="de").load(2).language == "de"


@pytest.mark.parametrize("written", ["xx", "", "auto", 7, True])
def test_what_is_no_language_is_refused_with_the_way_to_write_one(written):
    with pytest.raises(ConfigError, match=r"dataset\.language=.*a code such as en, de or yue"):
        Demo(language=written)


def test_a_column_states_the_language_of_each_row(tmp_path, write_parquet, tone, encoded):
    languages = ["de-DE", "", None, "yue", "english"]
    rows = [
        {"audio": encoded(tone(0.3, hz=300 + i)), "text": "so", "locale": language}
        for i, language in enumerate(languages)
    ]
    path = str(write_parquet(tmp_path / "m.parquet", rows))
    options = {"id_column": None, "speaker_column": None, "language_column": "locale"}
    found = LibriSpeech(path=path, language="fr", **options).load(None)
    assert [u.language for u in found.utterances] == ["de", "fr", "fr", "yue", "en"]
    assert found.info.languages == {"de": 1, "fr": 2, "yue": 1, "en": 1}
    assert LibriSpeech(path=path, **options).load(None).utterances[1].language == "en"
    with pytest.raises(DataError, match=r"'text' of 'librispeech' holds 'so'|no language"):
        LibriSpeech(path=path, **(options | {"language_column": "audio"})).load(None)
