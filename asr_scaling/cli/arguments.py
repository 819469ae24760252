"""The arguments of this package's commands, all but Hydra's."""

from __future__ import annotations

import argparse
from typing import NoReturn

from asr_scaling.errors import ConfigError

_SIZES = {"B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "KIB": 2**10, "MIB": 2**20, "GIB": 2**30}


class Parser(argparse.ArgumentParser):
    """Of ``python -m <module>``; ``about`` and ``exits`` stand before and after the options, as they are written.

    Raises ConfigError for what is wrong with the arguments, where argparse would print its usage and exit.
    """

    def __init__(self, module: str, about: str, exits: str = "") -> None:
        plain = argparse.RawDescriptionHelpFormatter
        super().__init__(
            f"python -m {module}", description=about, epilog=exits, formatter_class=plain
        )

    def error(self, message: str) -> NoReturn:
        """As any other error: one sentence."""
        raise ConfigError(f"{message}; see  {self.prog} --help.")


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
    """ "2GB" → bytes; units of 1000 (kB, MB, GB) or of 1024 (KiB, MiB, GiB)."""
    letters = text.lstrip("0123456789. ")
    unit = _SIZES.get(letters.upper() or "B")
    try:
        return positive(text.removesuffix(letters)) * (unit or 0) or positive("")
    except argparse.ArgumentTypeError as error:
        raise argparse.ArgumentTypeError(
            f"must be a size as 500MB, 2GB or 2GiB, got '{text}'"
        ) from error
