"""Checks of options, files and optional packages that several parts have."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

from asr_scaling.errors import ConfigError, DataError, MissingExtraError

_HOME = re.compile(r"(?P<scheme>sqlite:///)?(?P<home>~|~[^/]*(?=/))(?P<rest>(/.*)?)", re.DOTALL)


def must_be(option: str, value: object, fits: bool, bound: str) -> None:
    """Raises ConfigError, which names the ``bound``, unless the ``value`` of ``option`` fits."""
    if not fits:
        raise ConfigError(f"{option} must be {bound}; got {value}.")


def must_work(option: str, value: object, fits: bool, remedy: str) -> None:
    """Raises ConfigError, which tells the ``remedy``, unless the ``value`` of ``option`` fits."""
    if not fits:
        raise ConfigError(f"{option}={value} can't work; {remedy}.")


@contextmanager
def readable(what: str, remedy: str) -> Iterator[None]:
    """In this block an OSError becomes a DataError, which says ``what`` failed, why, and
    the ``remedy``."""
    try:
        yield
    except OSError as error:
        raise DataError(f"{what} ({error.strerror or error}); {remedy}.") from error


@contextmanager
def writable(what: object, remedy: str) -> Iterator[None]:
    """In this block an OSError becomes a ConfigError: ``what`` can't be written, why, and the
    ``remedy``."""
    try:
        yield
    except OSError as error:
        raise ConfigError(
            f"{what} can't be written ({error.strerror or error}): {remedy}."
        ) from error


def one_of(option: str, value: str, allowed: Iterable[str]) -> None:
    """Raises ConfigError when the ``value`` of ``option`` is none of ``allowed``."""
    if value not in allowed:
        raise ConfigError(f"{option} must be one of {', '.join(allowed)}; got '{value}'.")


def imported(module: str, extra: str) -> Any:
    """An optional module. Raises MissingExtraError, with the ``extra``, when it is missing."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise MissingExtraError(module.partition(".")[0], extra) from error


def at_home(text: str) -> str:
    """``text`` with the home folder written out where it is a path that begins with ``~``.

    So are ``~user/…`` and the path of a database, ``sqlite:///~/…``.
    Raises ConfigError where there is no such home folder.
    """
    match = _HOME.fullmatch(text)
    if match is None:
        return text
    try:
        home = str(Path(match["home"]).expanduser())
    except RuntimeError as error:
        raise ConfigError(
            f"'{text}' begins with {match['home']}, and there is no such home folder here: "
            "write the whole path."
        ) from error
    return f"{match['scheme'] or ''}{home}{match['rest']}"


def choice_name(part: Any) -> str:
    """What ``part``, an object of a group, is called on the command line: its module's name."""
    return type(part).__module__.rpartition(".")[2]


def defaults(part: Any) -> dict[str, Any]:
    """Option → default of all options of ``part``, a dataclass, that can be set."""
    settable = (option for option in fields(part) if option.init)
    return {o.name: None if o.default is MISSING else o.default for o in settable}
