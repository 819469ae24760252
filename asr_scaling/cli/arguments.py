"""What the verbs share: a parser in one style, types of numbers, and the wording of choices."""

from __future__ import annotations

import argparse
import difflib
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NoReturn

from asr_scaling.core.option_checks import at_home
from asr_scaling.errors import AsrScalingError, ConfigError
from asr_scaling.tracking import STORE_IF_NONE
from asr_scaling.util.home import ensure_home
from asr_scaling.util.redact import traceback_hook
from asr_scaling.util.streams import lasting_streams

_UNITS = {"B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "KIB": 2**10, "MIB": 2**20, "GIB": 2**30}


class Parser(argparse.ArgumentParser):
    """The parser of ``python -m asr_scaling <verb>``.

    about: what ``--help`` prints before the options, as it is written.
    exits: what it prints after them: the exit statuses.
    """

    def __init__(self, verb: str, about: str, exits: str = "") -> None:
        program, as_written = f"python -m asr_scaling {verb}", argparse.RawDescriptionHelpFormatter
        super().__init__(program, None, about, exits, formatter_class=as_written)

    def add_path(self, *names: str, **options: Any) -> None:
        """Add an option or argument that names a file or folder, with ``~`` for the home folder."""
        self.add_argument(*names, type=at_home, **options)

    def error(self, message: str) -> NoReturn:
        """Raises ConfigError, where argparse would print its usage and exit."""
        raise ConfigError(f"{message}; see  {self.prog} --help.")

    def long_options(self) -> list[str]:
        """Every option that begins with two dashes."""
        return [option for option in self._option_string_actions if option.startswith("--")]


@contextmanager
def command() -> Iterator[None]:
    """What every command runs in, by whichever of its names it was called.

    Tracebacks have no secrets, there is a home folder, and nothing that is printed ends the work.
    """
    sys.excepthook = traceback_hook
    ensure_home()
    with lasting_streams():
        yield


def run_verb(
    parser: Parser,
    work: Callable[[argparse.Namespace], int],
    arguments: Sequence[str] | None,
    refused: int = 1,
) -> int:
    """Do the ``work`` of a verb and return its exit status.

    arguments: of the command line, after the verb; None for those of the process.
    refused: status after an AsrScalingError, which is printed.
    """
    with command():
        try:
            return work(parser.parse_intermixed_args(arguments))
        except AsrScalingError as error:
            sys.stderr.write(f"error: {error}\n")
            return refused


def say_left_out(damaged: Sequence[AsrScalingError]) -> None:
    """Name on standard error what can't be read."""
    sys.stderr.writelines(f"left out: {reason}\n" for reason in damaged)


def positive(text: str) -> float:
    """A number above 0, for argparse's ``type``."""
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"must be a positive number, got '{text}'")
    return number


def percent(text: str) -> float:
    """A share, of a number of per cent above 0."""
    return positive(text) / 100


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


def add_bounds(group: argparse._ArgumentGroup, **helps: str) -> None:
    """Add to ``group`` an option for each bound that ``helps`` explains, in the table's order."""
    for name, (option, unit, kind) in _BOUNDS.items():
        if name in helps:
            group.add_argument(option, dest=name, metavar=unit, type=kind, help=helps[name])


_BOUNDS: dict[str, tuple[str, str, Callable[[str], float]]] = {
    "qps": ("--qps", "N", positive),
    "latency_p99_s": ("--latency-p99", "S", positive),
    "latency_p95_s": ("--latency-p95", "S", positive),
    "min_rtfx": ("--min-rtfx", "X", positive),
    "max_wer": ("--max-wer", "PERCENT", percent),
    "max_wer_loss": ("--max-wer-loss", "POINTS", percent),
    "memory_bytes": ("--memory", "SIZE", size),
    "energy_j_per_audio_s": ("--max-joules", "J/S", positive),
    "length_s": ("--length", "S", positive),
    "price_per_hour": ("--price-per-hour", "P", positive),
}
"""Field of a budget → option, what stands for its value in ``--help``, type."""


def add_store(parser: Parser, instead_of: str = STORE_IF_NONE) -> None:
    """Add the option that names MLflow's store, if another one than ``instead_of``."""
    parser.add_path("--tracking-uri", metavar="URI", help=f"MLflow's store, if not {instead_of}")


def bounds(options: argparse.Namespace) -> dict[str, Any]:
    """Field of a budget → value, of the bounds that were given."""
    return {
        name: value
        for name, value in vars(options).items()
        if name in _BOUNDS and value is not None
    }


def near(word: str, choices: Sequence[str]) -> str:
    """``, did you mean 'report'`` where a choice is written like ``word``, else nothing."""
    close = difflib.get_close_matches(word, choices, 1)
    return f", did you mean '{close[0]}'" if close else ""


def either(choices: Sequence[str]) -> str:
    """``a, b or c``, sorted."""
    *most, last = sorted(choices)
    return f"{', '.join(most)} or {last}" if most else last
