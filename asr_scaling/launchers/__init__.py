"""Points measured in other processes, maybe on other machines: Slurm, Ray, joblib.

May import util, errors, core, machine, the groups, measure, records, analysis.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from asr_scaling.errors import ConfigError
from asr_scaling.records.sweep_manifest import SWEEP_FILE

_HERE = ("basic", "joblib")
"""Launchers whose points run on the machine that the sweep was started on."""


@dataclass(frozen=True)
class Work:
    """A point to measure. ``folder``: where its record will be; ``sweep``: the folder of the sweep; both absolute.

    ``measure`` raises what the point raised. ``resumed``: the sweep goes on, so a record in ``folder`` may still hold.
    """

    name: str
    folder: Path
    sweep: Path
    options: Mapping[str, Any]
    measure: Callable[[], None]
    resumed: bool
    start: Path

    def carry_out(self) -> str | None:
        """Measure it, in the process that was found for it. What went wrong, None where a record says how it ended.

        ``start``: the folder that relative paths of the options are meant from.
        """
        if not (self.sweep / SWEEP_FILE).exists():
            return f"{socket.gethostname()} does not see {self.sweep}: start the sweep in a folder that all nodes share"
        try:
            os.chdir(self.start)
            self.measure()
        except BaseException as error:  # sys.exit is one of the ways in which a point can go wrong
            return f"the point ended its process with {type(error).__name__}: {error}"
        return None


class Cluster(Protocol):
    """Something that runs points."""

    def run(self, works: Sequence[Work]) -> Generator[tuple[Work, str | None], None, None]:
        """Carry out every one of ``works``; each, as it ends, with what the scheduler says where it did not end well.

        Closing the iterator before its end cancels what has not ended. ConfigError, MissingExtraError.
        """
        ...


def kind(launcher: Mapping[str, Any]) -> str:
    """Name of a launcher by Hydra's options of it: "basic", "slurm", "ray", "joblib", else that of its class."""
    return str(
        launcher.get("cluster")
        or str(launcher.get("_target_", "")).rpartition(".")[2].removesuffix("Launcher").lower()
    )


def elsewhere(launcher: Mapping[str, Any]) -> bool:
    """Whether points may be measured on another machine than this."""
    return kind(launcher) not in _HERE


def check(launcher: Mapping[str, Any], asked: str | None) -> None:
    """ConfigError where ``asked``, an option, needs one point after the other on one machine and that is not sure."""
    if asked and (elsewhere(launcher) or int(launcher.get("n_jobs") or 1) != 1):
        raise ConfigError(
            f"{asked} compares points measured one after the other on one machine, which this hydra/launcher does not "
            "promise: leave hydra/launcher out and have the scheduler run the whole command on one node."
        )
