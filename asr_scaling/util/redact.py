"""Texts that leave the process: without secrets in them, and fit for a terminal.

Secrets are the values of environment variables whose names say so, user and password of addresses, and what is written
the way tokens and headers are. Nothing here can know a secret that looks like any other word.
"""

from __future__ import annotations

import json
import logging
import os
import re
import sys
import traceback
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass, replace
from types import TracebackType
from typing import Any, TypeVar
from urllib.parse import quote, quote_plus

T = TypeVar("T")

HIDDEN = "***"
SHORTEST = 8
"""Characters of a secret; a shorter value of a variable may be any word."""
_NAMES = re.compile(
    r"TOKEN|SECRET|PASSW|PASSPHRASE|CREDENTIAL|AUTH(?!OR)|(API|ACCESS)_?KEY|_KEY$|_PWD$", re.I
)
_PLACES = re.compile(r"_(PATH|FILE|DIR|SOCK|URL|URI)$", re.IGNORECASE)
"""Variables that say where a secret is, not what it is."""
_OPTION = re.compile(
    r"^((hub|hf|api|auth|access|user)?[_-]?token|([\w-]+[_-])?(password|passwd|secret|credentials?|(api|access)_?key))$",
    re.IGNORECASE,
)
"""Not every token: tokenizers have some."""
_WORD = r"[\w-]*(?:token|secret|password|passwd|signature|credential|api_?key|access_?key)"
_SHAPES: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"(\w[\w+.-]*://)[^\s/?#'\"<>]+@"), rf"\1{HIDDEN}@"),
    (
        re.compile(r"(\w[\w+.-]*://)[^\s/@:'\"<>]+:(?!\d+[/?#])[^\s@'\"<>]+@"),
        rf"\1{HIDDEN}@",
    ),  # unquoted / or ?
    (
        re.compile(
            r"((?:proxy-)?authorization['\"]?\s*[:=]\s*['\"]?)(?:(?:basic|bearer|token) +)?[^\s'\",;]+",
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
"""What moves a terminal's cursor, colours it or turns the direction of writing, but for tabs and line ends; and what no
text in UTF-8 or XML may hold."""


def redact(text: str) -> str:
    """``text`` with *** in place of every secret that can be known as one."""
    return _hidden(text, secrets())


def redacted(value: T, but: str = "") -> T:
    """``value`` with every text in it redacted: keys and values of mappings, sequences, fields of dataclasses.

    ``but``: a field of ``value`` that stays as it is.
    """
    known = secrets()
    found: T = _deep(value, lambda text: _hidden(text, known), but)
    return found


def shown(value: T, but: str = "") -> T:
    """``value`` with every text in it ``printable``, as ``redacted`` goes through it."""
    found: T = _deep(value, printable, but)
    return found


def secrets() -> tuple[str, ...]:
    """The secrets of this process's environment in the forms in which libraries print them, longest first."""
    found = set[str]()
    for name, value in os.environ.items():
        if (
            len(value) >= SHORTEST
            and _NAMES.search(name)
            and not _PLACES.search(name)
            and not _is_place(value)
        ):
            found |= {
                value,
                quote(value, safe=""),
                quote_plus(value),
                json.dumps(value)[1:-1],
                repr(value)[1:-1],
            }
    return tuple(sorted(found, key=len, reverse=True))


def secret_option(key: str) -> bool:
    """Whether an option of this name would hold a secret (``hub.token``, ``--password``)."""
    return _OPTION.search(key.rpartition(".")[2].lstrip("+-~")) is not None


def printable(text: str) -> str:
    """``text`` with control characters as \\x1b: a file's name can't repaint the terminal, nor break a drawing."""
    if text.isprintable():
        return text
    return _CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), text)


class Formatter(logging.Formatter):
    """Of the log in a point's folder: libraries log addresses and headers."""

    def format(self, record: logging.LogRecord) -> str:
        """The line, and the traceback where there is one, without secrets."""
        return redact(super().format(record))


def traceback_hook(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    """For ``sys.excepthook``: the usual traceback without secrets."""
    sys.stderr.write(redact("".join(traceback.format_exception(kind, error, trace))))


def _is_place(value: str) -> bool:
    return value.startswith(("/", "~", "./")) or value.isspace()


def _hidden(text: str, known: tuple[str, ...]) -> str:
    for secret in known:
        text = text.replace(secret, HIDDEN)
    for shape, instead in _SHAPES:
        text = shape.sub(instead, text)
    return text


def _deep(value: Any, change: Callable[[str], str], but: str = "") -> Any:
    if value is None or isinstance(value, str | float | int):  # most of ten thousand records
        return change(value) if isinstance(value, str) else value
    if isinstance(value, Mapping):
        return {_deep(key, change): _deep(entry, change) for key, entry in value.items()}
    if isinstance(value, list):
        return [_deep(entry, change) for entry in value]
    if isinstance(value, tuple):
        return tuple(_deep(entry, change) for entry in value)
    if is_dataclass(value) and not isinstance(value, type):
        parts = {each.name: getattr(value, each.name) for each in fields(value) if each.name != but}
        changed = {name: _deep(part, change) for name, part in parts.items()}
        return (
            replace(value, **changed)
            if any(changed[name] is not part for name, part in parts.items())
            else value
        )
    return value
