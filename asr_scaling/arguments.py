"""The arguments of this package's commands, all but Hydra's."""

from __future__ import annotations

import argparse
from typing import NoReturn

from asr_scaling.errors import ConfigError


class Parser(argparse.ArgumentParser):
    """Of ``python -m <module>``; ``about`` and ``exits`` stand before and after the options, as they are written.

    Raises ConfigError for what is wrong with the arguments, where argparse would print its usage and exit.
    """

    def __init__(self, module: str, about: str, exits: str = "") -> None:
        plain = argparse.RawDescriptionHelpFormatter
        super().__init__(f"python -m {module}", description=about, epilog=exits, formatter_class=plain)

    def error(self, message: str) -> NoReturn:
        """As any other error: one sentence."""
        raise ConfigError(f"{message}; see  {self.prog} --help.")
