"""The arguments of this package's commands, all but Hydra's."""

from __future__ import annotations

import argparse
from typing import NoReturn

from asr_scaling.errors import ConfigError


class Parser(argparse.ArgumentParser):
    """Raises ConfigError for what is wrong with the arguments, where argparse would print its usage and exit."""

    def error(self, message: str) -> NoReturn:
        """As any other error: one sentence."""
        raise ConfigError(f"{message}; see  {self.prog} --help.")
