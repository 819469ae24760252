"""``compare --run A B``: what is compared is measured first, both sides in turn."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from asr_scaling.cli.arguments import Parser
from asr_scaling.errors import ConfigError, DataError, PointInterruptedError

if TYPE_CHECKING:
    from asr_scaling.sweep.sides import Side

PROCESSES = 3
"""Fresh processes a side, unless the command line says otherwise."""
MORE = "--resume --processes {}"
"""What is typed for more of them, with {} for their number; see ``Machine.ask``."""
_NO_SELFTEST = "sweep.selftest=false"


@dataclass(frozen=True)
class Measured:
    """What ``--run`` has measured.

    folder: where it is kept.
    a, b: folders of the records of the two sides.
    about: one line a side, for people.
    status: what to exit with where a side has no record; None where both have one.
    failures: a sentence for each run that failed.
    """

    folder: Path
    a: str
    b: str
    about: Sequence[str] = ()
    status: int | None = None
    failures: Sequence[str] = field(default_factory=tuple)

    def to_json(self) -> dict[str, Any]:
        """What ``--json`` says of it."""
        return {"folder": str(self.folder), "sides": self.about}

    def lines(self) -> list[str]:
        """What is printed below the comparison."""
        more = "the same command with --resume and more --processes adds to it."
        return [*self.about, f"Kept in {self.folder}: {more}"]


def add_options(parser: Parser) -> None:
    """Add to ``compare`` the options that measure."""
    parser.add_argument(
        "--run",
        action="store_true",
        help="measure A and B first: configurations (as recommend -o writes them) or revisions of "
        "the checkout in this folder; '.' is its working tree, changes included, and HEAD the "
        "commit alone",
    )
    parser.add_argument(
        "options",
        nargs="*",
        metavar="KEY=VALUE",
        help="with --run: further options of both sides, as model=whisper_base",
    )
    parser.add_argument(
        "--processes",
        type=_count,
        metavar="N",
        help=f"with --run: fresh processes that measure each side, in turn ({PROCESSES})",
    )
    parser.add_argument(
        "--resume",
        action="store_true",
        help="with --run: go on with the newest measurement of this command, and run what is "
        "missing of it",
    )


def check(options: argparse.Namespace) -> None:
    """Raises ConfigError for an option that only ``--run`` has."""
    see = "see  python -m asr_scaling compare --help."
    if options.run:
        return
    if options.options:
        raise ConfigError(f"unrecognized arguments: {' '.join(options.options)}; {see}")
    if options.processes or options.resume:
        raise ConfigError(
            "--processes and --resume measure, and records are compared as they are: add --run "
            f"and name two configurations or revisions; {see}"
        )


def measured(options: argparse.Namespace) -> Measured:
    """Measure both sides. Raises ConfigError, and DataError when the disk fails."""
    from asr_scaling.sweep import config_guard, turns_folder
    from asr_scaling.sweep.sides import Side
    from asr_scaling.sweep.sweep_run import SWEEPS
    from asr_scaling.sweep.turns import LETTERS, Turns, check_overrides

    overrides = [text for text in options.options if text != _NO_SELFTEST]
    config_guard.check_arguments(overrides)
    check_overrides(overrides)
    sides, processes = (Side.of(options.a), Side.of(options.b)), options.processes or PROCESSES
    said = turns_folder.contents(sides, overrides)
    earlier = turns_folder.latest(SWEEPS, said) if options.resume else None
    if options.resume and earlier is None:
        _say("There is no earlier measurement of this to go on with: it begins anew.")
    with turns_folder.held(earlier, SWEEPS, said) as folder:
        certificate = None if _NO_SELFTEST in options.options else _certified(folder)
        turns = Turns(folder, sides, overrides, certificate, _say)
        a, b = (str(folder / letter) for letter in LETTERS)
        try:
            failures = turns.measure(processes)
        except (KeyboardInterrupt, PointInterruptedError):
            return Measured(folder, a, b, status=130, failures=[_interrupted(folder)])
        except OSError as error:
            raise DataError(
                f"The measurement in {folder} has stopped ({error}): mend it and go on with "
                "--resume."
            ) from error
        about = [_about(*of, turns.rounds(n)) for n, of in enumerate(zip("AB", sides, strict=True))]
        return Measured(folder, a, b, about, 2 if failures else None, failures)


def _about(letter: str, side: Side, rounds: int) -> str:
    several = "process" if rounds == 1 else "processes, in turn with the other side"
    return f"{letter} is {side.what}, measured in {rounds} fresh {several}."


def _interrupted(folder: Path) -> str:
    return f"Interrupted: what was measured is in {folder}, and --resume goes on with it."


def _certified(folder: Path) -> Mapping[str, Any]:
    """What the self-test of this installation says of this machine, as records keep it.

    One for both sides: it is about the machine, and runs once at most, whatever the revisions.
    """
    from asr_scaling.selftest import certificate
    from asr_scaling.util.cache import write_atomic

    signed = certificate.obtain(_say)
    write_atomic(folder / certificate.FILE, certificate.to_bytes(signed))
    for remark in certificate.remarks(signed):
        _say(remark)
    return certificate.summary(signed)


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")


def _count(text: str) -> int:
    """A whole number above 0, for argparse's ``type``."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number of 1 or more, got '{text}'")
    return int(text)
