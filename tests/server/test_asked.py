"""What a form may ask for."""

from __future__ import annotations

import io
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.datastructures import FormData, UploadFile

from asr_scaling.core.model_spec import load_spec
from asr_scaling.server.api_error import ApiError
from asr_scaling.server.asked import Asked, asked, spoken
from asr_scaling.server.formats import FORMATS

NAMES = ("whisper_tiny_en", "whisper-1")
FIELDS = ("model", "language", "prompt", "response_format", "temperature", "stream")
FIELDS += ("timestamp_granularities[]", "include[]")


def form(*fields: tuple[str, str], file: str | None = "a.flac") -> FormData:
    upload = UploadFile(io.BytesIO(b""), filename=file)
    return FormData([("file", upload), *fields])


def read(*fields: tuple[str, str], file: str | None = "a.flac") -> Asked:
    return asked(form(*fields, file=file), NAMES)


def refusal(*fields: tuple[str, str]) -> ApiError:
    with pytest.raises(ApiError) as caught:
        read(*fields)
    return caught.value


def test_only_the_file_is_needed() -> None:
    wanted = read()
    assert (wanted.form, wanted.language, wanted.name) == ("json", None, "a.flac")


@pytest.mark.parametrize(
    "fields",
    [
        [("model", "whisper-1")],
        [("model", "whisper_tiny_en")],
        [("model", "")],
        [("prompt", ""), ("stream", "false"), ("temperature", "0")],
        [("stream", "False"), ("temperature", "0.0")],
        [("response_format", "verbose_json"), ("timestamp_granularities[]", "segment")],
    ],
)
def test_what_changes_nothing_is_taken(fields: Sequence[tuple[str, str]]) -> None:
    assert read(*fields).file.filename == "a.flac"


@pytest.mark.parametrize(
    ("fields", "param", "said"),
    [
        ([("prompt", "Names: Ann")], "prompt", "can't follow a prompt"),
        ([("temperature", "0.2")], "temperature", "can't change the temperature"),
        ([("temperature", "nan")], "temperature", "can't change the temperature"),
        ([("temperature", "warm")], "temperature", "can't change the temperature"),
        ([("stream", "true")], "stream", "can't stream"),
        ([("response_format", "xml")], "response_format", "must be one of json, text"),
        ([("timestamp_granularities[]", "word")], "timestamp_granularities[]", "no times of 'w"),
        (
            [("timestamp_granularities[]", "segment")],
            "timestamp_granularities[]",
            "needs response_format=verbose_json",
        ),
        ([("include[]", "logprobs")], "include[]", "does not take 'include[]'"),
        ([("hotwords", "Ann")], "hotwords", "does not take 'hotwords'"),
        ([("language", "en"), ("language", "de")], "language", "must be one text"),
    ],
)
def test_what_cant_be_had_is_refused(
    fields: Sequence[tuple[str, str]], param: str, said: str
) -> None:
    error = refusal(*fields)
    assert (error.status, error.param) == (400, param)
    assert said in str(error)


def test_another_model_is_told_which_there_is() -> None:
    error = refusal(("model", "whisper-large"))
    assert (error.status, error.code) == (404, "model_not_found")
    assert str(error).endswith("name whisper_tiny_en or whisper-1.")


@pytest.mark.parametrize(
    "fields",
    [FormData(), FormData([("file", "text")]), FormData([*form().multi_items() * 2])],
    ids=["none", "a text", "two"],
)
def test_one_file_is_needed(fields: FormData) -> None:
    with pytest.raises(ApiError, match="must be one audio file") as caught:
        asked(fields, NAMES)
    assert caught.value.param == "file"


def test_a_files_name_is_shown_harmless_and_short() -> None:
    assert read(file="\x1b[2J" + "ä" * 500).name == "\\x1b[2J" + "ä" * 73
    assert read(file="").name == "the file"


@given(st.lists(st.tuples(st.sampled_from(FIELDS), st.text())))
def test_any_text_in_any_field_is_taken_or_refused(fields: list[tuple[str, str]]) -> None:
    try:
        got = read(*fields).form
    except ApiError as error:
        got = error.response().status_code
    assert got in (400, 404, *FORMATS)


class TestLanguage:
    def test_of_a_model_that_knows_many(self) -> None:
        model = load_spec("whisper_tiny")
        assert spoken(model, None) is None
        assert spoken(model, "de") == "de"
        assert spoken(model, "german") == "de"
        assert spoken(model, "auto") is None
        assert spoken(load_spec("whisper_tiny_en"), "auto") is None

    @pytest.mark.parametrize(
        ("model", "language", "said"),
        [
            ("whisper_tiny", "klingon", "is no language"),
            ("whisper_tiny_en", "de", "knows only English"),
        ],
    )
    def test_that_it_does_not_know(self, model: str, language: str, said: str) -> None:
        with pytest.raises(ApiError, match=said) as caught:
            spoken(load_spec(model), language)
        assert (caught.value.status, caught.value.param) == (400, "language")

    def test_other_than_the_configurations(self) -> None:
        model = load_spec("whisper_tiny", language="de")
        assert spoken(model, "de-AT") == "de"
        for other in ("fr", "auto"):
            with pytest.raises(ApiError, match="configuration says language=de"):
                spoken(model, other)
