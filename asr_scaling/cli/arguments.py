"""What the verbs share: a parser in one style, types of numbers, and the wording of choices."""

from __future__ import annotations

import argparse
import difflib
from collections.abc import Sequence
from typing import NoReturn

from asr_scaling.errors import ConfigError

_UNITS = {"B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "KIB": 2**10, "MIB": 2**20, "GIB": 2**30}


class Parser(argparse.ArgumentParser):
    """The parser of ``python -m asr_scaling <verb>``.

    about: what ``--help`` prints before the options, as it is written.
    exits: what it prints after them: the exit statuses.
    """

    def __init__(self, verb: str, about: str, exits: str = "") -> None:
        as_written = argparse.RawDescriptionHelpFormatter
        super().__init__(
            f"python -m asr_scaling {verb}",
            description=about,
            epilog=exits,
            formatter_class=as_written,
        )

    def error(self, message: str) -> NoReturn:
        """Raises ConfigError, where argparse would print its usage and exit."""
        raise ConfigError(f"{message}; see  {self.prog} --help.")

    def long_options(self) -> list[str]:
        """Every option that begins with two dashes."""
        return [option for option in self._option_string_actions if option.startswith("--")]


def positive(text: str) -> float:
    """A number above 0, for argparse's ``type``."""
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"must be a positive number, got '{text}'")
    return number


def size(text: str) -> float:
    """Bytes of "2GB": units of 1000 (kB, MB, GB) or of 1024 (KiB, MiB, GiB)."""
    letters = text.lstrip("0123456789. ")
    unit = _UNITS.get(letters.upper() or "B")
    try:
        return positive(text.removesuffix(letters)) * (unit or 0) or positive("")
    except argparse.ArgumentTypeError as error:
        raise argparse.ArgumentTypeError(
            f"must be a size as 500MB, 2GB or 2GiB, got '{text}'"
        ) from error


def near(word: str, choices: Sequence[str]) -> str:
    """``, did you mean 'report'`` where a choice is written like ``word``, else nothing."""
    close = difflib.get_close_matches(word, choices, 1)
    return f", did you mean '{close[0]}'" if close else ""


def either(choices: Sequence[str]) -> str:
    """``a, b or c``, sorted."""
    *most, last = sorted(choices)
    return f"{', '.join(most)} or {last}" if most else last
