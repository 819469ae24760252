"""What the form of a transcription asks for; what can't be had is refused, not ignored."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass

from starlette.datastructures import FormData, UploadFile

from asr_scaling.core.language import AUTO, check_language, language_code
from asr_scaling.core.model_spec import ModelSpec
from asr_scaling.core.option_checks import one_of
from asr_scaling.errors import ConfigError
from asr_scaling.server.api_error import ApiError
from asr_scaling.server.formats import FORMATS
from asr_scaling.util.redact import printable

_SINGLE = ("model", "language", "prompt", "response_format", "temperature", "stream")
_GRANULARITIES = ("timestamp_granularities[]", "timestamp_granularities")
_LONGEST_NAME = 80
"""Characters of a file's name that errors show."""


@dataclass(frozen=True)
class Asked:
    """One transcription that is asked for.

    file: what was uploaded.
    name: what errors call it.
    form: one of ``FORMATS``.
    language: of the speech, as it was written; None where it is left to the system.
    """

    file: UploadFile
    name: str
    form: str
    language: str | None


def asked(form: FormData, names: Collection[str]) -> Asked:
    """What ``form`` asks for.

    names: of the model that is served.
    Raises ApiError for what this server can't do.
    """
    for key in form:
        if key not in ("file", *_SINGLE, *_GRANULARITIES):
            raise _refused(key, f"This server does not take '{key}'")
    fields = {name: _single(form, name) for name in _SINGLE}
    if (model := fields["model"]) and model not in names:
        raise ApiError(
            404,
            f"This server has no model '{model}': name {' or '.join(names)}.",
            param="model",
            code="model_not_found",
        )
    if fields["prompt"]:
        raise _refused("prompt", "This server can't follow a prompt")
    if fields["stream"].lower() not in ("", "false"):
        raise _refused("stream", "This server can't stream a text")
    _check_temperature(fields["temperature"])
    wanted = fields["response_format"] or "json"
    try:
        one_of("response_format", wanted, FORMATS)
    except ConfigError as error:
        raise ApiError(400, str(error), param="response_format", code="invalid_value") from None
    _check_granularities(form, wanted)
    file = _file(form)
    name = printable(file.filename or "the file")[:_LONGEST_NAME]
    return Asked(file, name, wanted, fields["language"] or None)


def spoken(model: ModelSpec, language: str | None) -> str | None:
    """The code of the ``language`` that was asked for; None where it is left to the system.

    May take seconds when it is first called, which imports names of languages.
    Raises ApiError where it is not what the system would transcribe in.
    """
    if language is None:
        return None
    try:
        check_language(model.name, language, model.languages)
    except ConfigError as error:
        raise ApiError(400, str(error), param="language", code="invalid_value") from None
    code = None if language == AUTO else language_code(language)
    if model.asked_for(code) == code or (code is None and model.language is None):
        return code
    own = f"language={model.language}"
    raise _refused("language", f"This server's configuration says {own}, whatever a request says")


def _single(form: FormData, name: str) -> str:
    """The text of a field; empty where it is not there."""
    values = form.getlist(name)
    if len(values) > 1 or any(isinstance(value, UploadFile) for value in values):
        raise ApiError(400, f"'{name}' must be one text.", param=name, code="invalid_value")
    return str(values[0]).strip() if values else ""


def _file(form: FormData) -> UploadFile:
    files = form.getlist("file")
    if len(files) == 1 and isinstance(files[0], UploadFile):
        return files[0]
    raise ApiError(
        400,
        "'file' must be one audio file in multipart/form-data, as  curl -F file=@speech.wav  "
        "sends it.",
        param="file",
        code="missing_required_parameter",
    )


def _check_temperature(text: str) -> None:
    try:
        temperature = float(text or 0.0)
    except ValueError:
        temperature = math.nan
    if temperature != 0.0:
        raise _refused("temperature", "This server can't change the temperature of its decoding")


def _check_granularities(form: FormData, wanted: str) -> None:
    for name in _GRANULARITIES:
        for value in form.getlist(name):
            if value != "segment":
                raise _refused(name, f"This server tells no times of '{value}', only of segments")
            if wanted != "verbose_json":
                raise ApiError(
                    400,
                    f"'{name}' needs response_format=verbose_json.",
                    param=name,
                    code="invalid_value",
                )


def _refused(param: str, why: str) -> ApiError:
    return ApiError(400, f"{why}: leave it out.", param=param, code="unsupported_parameter")
