"""Removes secrets and control characters from texts that leave the process.

Known as secrets are: values of environment variables with names such as ``HF_TOKEN``, user and
password in addresses, and texts with the form of a token or an authorization header. A variable's
value that is made of ordinary words, as ``whisper_tiny_en``, is no secret, whatever the variable's
name: it would hide the names of models in every record. Such a password is hidden in addresses.
"""

from __future__ import annotations

import json
import logging
import os
import re
import sys
import traceback
from collections.abc import Callable, Collection, Mapping
from dataclasses import fields, is_dataclass, replace
from types import TracebackType
from typing import Any, TypeVar, cast
from urllib.parse import quote, quote_plus

T = TypeVar("T")

HIDDEN = "***"
SHORTEST = 8
"""Fewest characters of a secret; a shorter value of a variable may be any word."""
_NAMES = re.compile(
    r"TOKEN|SECRET|PASSW|PASSPHRASE|CREDENTIAL|AUTH(?!OR)|(API|ACCESS)_?KEY|_KEY$|_PWD$", re.I
)
_PLACES = re.compile(r"_(PATH|FILE|DIR|SOCK|URL|URI)$", re.IGNORECASE)
"""Variables that name the place of a secret, not the secret."""
_BETWEEN_WORDS = re.compile(r"[-_./:@+]")
_RUNS = re.compile(r"[A-Z]*[a-z]+|[A-Z]+|\d+")
_LONGEST_WORD = 20
"""Letters of a word, at most."""
_LONGEST_NAME = 12
"""Characters of a name with digits in it, as "wav2vec2", at most."""
_MOST_RUNS = 4
"""Runs of letters or digits in such a name, at most."""
_OPTION = re.compile(
    r"^((hub|hf|api|auth|access|user)?[_-]?token|"
    r"([\w-]+[_-])?(password|passwd|secret|credentials?|(api|access)_?key))$",
    re.IGNORECASE,
)
"""Names of options; not everything with "token" in it, which tokenizers' options have too."""
_WORD = r"[\w-]*(?:token|secret|password|passwd|signature|credential|api_?key|access_?key)"
_SHAPES: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"(\w[\w+.-]*://)[^\s/?#'\"<>]+@"), rf"\1{HIDDEN}@"),
    (
        re.compile(r"(\w[\w+.-]*://)[^\s/@:'\"<>]+:(?!\d+[/?#])[^\s@'\"<>]+@"),
        rf"\1{HIDDEN}@",
    ),  # unquoted / or ?
    (
        re.compile(
            r"((?:proxy-)?authorization['\"]?\s*[:=]\s*['\"]?)"
            r"(?:(?:basic|bearer|token) +)?[^\s'\",;]+",
            re.I,
        ),
        rf"\1{HIDDEN}",
    ),
    (re.compile(r"(\bbearer +)[\w.~+/=-]{8,}", re.I), rf"\1{HIDDEN}"),
    (re.compile(rf"([?&]{_WORD}=)[^&\s'\"<>]+", re.I), rf"\1{HIDDEN}"),
    (
        re.compile(
            r"(\b(?:password|passwd|pwd)=)(?!None\b|null\b|true\b|false\b)[^&\s'\",;)]+", re.I
        ),
        rf"\1{HIDDEN}",
    ),
    (re.compile(r"\bhf_[A-Za-z0-9]{16,}"), HIDDEN),
    (re.compile(r"\bgh[pousr]_[A-Za-z0-9]{16,}"), HIDDEN),
)
_CONTROL = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]"
)
"""Characters that control a terminal or the direction of writing, except tabs and line ends, and
those that no text in UTF-8 or XML may hold."""


def redact(text: str) -> str:
    """``text`` with *** in place of every recognised secret."""
    return _hidden(text, secrets())


def redacted(value: T, but: Collection[str] = ()) -> T:
    """``value`` with every text in it redacted, within mappings, sequences and dataclasses too.

    but: names of fields of ``value`` that stay as they are.
    """
    own = secrets()
    return cast(T, _deep(value, lambda text: _hidden(text, own), but))


def shown(value: T, but: Collection[str] = ()) -> T:
    """``value`` with every text in it ``printable``; ``but`` is as for ``redacted``."""
    return cast(T, _deep(value, printable, but))


def secrets() -> tuple[str, ...]:
    """The secrets in this process's environment, longest first.

    Each is there in all forms in which libraries print it.
    """
    return tuple(sorted(_variables(), key=len, reverse=True))


def secret_variable(text: str) -> str | None:
    """The environment variable whose secret is in ``text``, None when none is."""
    return next((name for form, name in _variables().items() if form in text), None)


def _variables() -> dict[str, str]:
    """Form of a secret → name of the environment variable that holds it."""
    forms: dict[str, str] = {}
    for name, value in os.environ.items():
        if _NAMES.search(name) and not _PLACES.search(name) and _is_secret(value):
            every = {value, quote(value, safe=""), quote_plus(value)}
            every |= {json.dumps(value)[1:-1], repr(value)[1:-1]}
            forms |= dict.fromkeys(every, name)
    return forms


def _is_secret(value: str) -> bool:
    if len(value) < SHORTEST or _is_place(value):
        return False
    return not all(map(_is_word, _BETWEEN_WORDS.split(value)))


def _is_word(text: str) -> bool:
    """Whether ``text`` is a word, a number, or a name of few of them, as "wav2vec2" or "960h"."""
    runs = _RUNS.findall(text)
    if "".join(runs) != text or len(runs) > _MOST_RUNS:
        return False
    return text.isdigit() or len(text) <= (_LONGEST_WORD if text.isalpha() else _LONGEST_NAME)


def secret_option(key: str) -> bool:
    """Whether an option of this name would hold a secret (``hub.token``, ``--password``)."""
    return _OPTION.search(key.rpartition(".")[2].lstrip("+-~")) is not None


def printable(text: str) -> str:
    """``text`` with control characters written as \\x1b, so that it can't change the terminal."""
    if text.isprintable():
        return text
    return _CONTROL.sub(lambda match: match[0].encode("unicode_escape").decode("ascii"), text)


class Formatter(logging.Formatter):
    """For the log in a point's folder, since libraries log addresses and headers."""

    def format(self, record: logging.LogRecord) -> str:
        """The line, and the traceback where there is one, without secrets."""
        return redact(super().format(record))


def traceback_hook(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    """For ``sys.excepthook``: prints the usual traceback without secrets."""
    sys.stderr.write(redact("".join(traceback.format_exception(kind, error, trace))))


def _is_place(value: str) -> bool:
    return value.startswith(("/", "~", "./")) or value.isspace()


def _hidden(text: str, own: tuple[str, ...]) -> str:
    for secret in own:
        text = text.replace(secret, HIDDEN)
    for shape, instead in _SHAPES:
        text = shape.sub(instead, text)
    return text


def _deep(value: Any, change: Callable[[str], str], but: Collection[str] = ()) -> Any:
    if value is None or isinstance(value, str | float | int):  # most of ten thousand records
        return change(value) if isinstance(value, str) else value
    if isinstance(value, Mapping):
        return {_deep(key, change): _deep(entry, change) for key, entry in value.items()}
    if isinstance(value, list):
        return [_deep(entry, change) for entry in value]
    if isinstance(value, tuple):
        return tuple(_deep(entry, change) for entry in value)
    if is_dataclass(value) and not isinstance(value, type):
        names = [part.name for part in fields(value) if part.name not in but]
        parts = {name: getattr(value, name) for name in names}
        changed = {name: _deep(part, change) for name, part in parts.items()}
        if any(changed[name] is not part for name, part in parts.items()):
            return replace(value, **changed)
    return value
