"""The command line: one verb a module, and ``main``, which runs the verb that is asked for.

May import util, errors, core, machine, load, the groups, measure, records, analysis, search,
selftest, launchers, report, sweep, server.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Sequence
from importlib import import_module

from asr_scaling.cli.arguments import Parser, command, either, near

VERBS = ("compare", "recommend", "report", "rescore", "selftest", "serve", "sync", "transcribe")
"""Modules of this folder, each with ``main(arguments)`` and ``parser()``. All else is a sweep."""
_BARE_WORD = re.compile(r"[A-Za-z][\w-]*")


def main() -> int:
    """Run the verb that the arguments begin with, else a sweep; return the exit status.

    A verb is imported only when it runs, so none waits for the packages of another.
    """
    with command():
        return _run()


def _run() -> int:
    first, *rest = sys.argv[1:] or [""]
    if first == "help":
        first, *rest = [*rest[:1], "--help"]
    if first in VERBS:
        status: int = import_module(f"asr_scaling.cli.{first}").main(rest)
        return status
    if _BARE_WORD.fullmatch(first):  # an option of a sweep has a "=", a flag begins with "-"
        sys.stderr.write(
            f"error: There is no verb '{first}'{near(first, VERBS)}; choose {either(VERBS)}, "
            "or measure with group=choice, as in model=whisper_tiny.\n"
        )
        return 1
    if _is_query([first, *rest]) and _complete(os.environ.get("COMP_LINE", "")):
        return 0
    from asr_scaling.cli import sweep

    sys.argv[1:] = [first, *rest] if first else rest
    sweep.main()
    return 0


def _is_query(arguments: list[str]) -> bool:
    """True for a call by the shell, which Hydra's ``-sc install=bash`` taught to ask."""
    asks = "-sc" in arguments or "--shell-completion" in arguments
    return asks and any(argument.startswith("query=") for argument in arguments)


def _complete(line: str) -> bool:
    """Print, one a line, the words that may stand at the cursor. False if a sweep's may as well.

    ``line``: what was typed, with the program's name.
    """
    cursor = os.environ.get("COMP_POINT", "")
    typed = line[: int(cursor) if cursor.isdecimal() else None].split(" ")
    *before, word = [*filter(None, typed[:-1]), typed[-1]][1:] or [""]
    verb = before[0] if before else ""
    offered: Sequence[str] = ()
    if not before or before == ["help"]:
        offered = VERBS
    elif verb in VERBS and word.startswith("-"):
        parser: Parser = import_module(f"asr_scaling.cli.{verb}").parser()
        offered = parser.long_options()
    sys.stdout.writelines(f"{choice}\n" for choice in offered if choice.startswith(word))
    return verb in (*VERBS, "help")
