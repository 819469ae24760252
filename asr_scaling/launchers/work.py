"""Work for other processes: one point to measure, and the interface of what runs points."""

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
"""Launchers whose points run on the machine where the sweep was started."""


@dataclass(frozen=True)
class Work:
    """A point to measure.

    name: of the point.
    folder: absolute path of the folder for its record.
    sweep: absolute path of the sweep's folder.
    options: of the point, as composed by Hydra.
    measure: measures the point; raises what the point raised.
    resumed: whether the sweep is resumed, so that a record in ``folder`` may still be valid.
    start: folder to which relative paths in the options refer.
    """

    name: str
    folder: Path
    sweep: Path
    options: Mapping[str, Any]
    measure: Callable[[], None]
    resumed: bool
    start: Path

    def carry_out(self) -> str | None:
        """Measure the point in this process.

        Returns what went wrong, None when the record says how the point ended.
        """
        if not (self.sweep / SWEEP_FILE).exists():
            return (
                f"{socket.gethostname()} does not see {self.sweep}: start the sweep in a folder "
                "that all nodes share"
            )
        try:
            os.chdir(self.start)
            self.measure()
        except BaseException as error:  # also sys.exit, which a point's libraries may call
            return f"the point ended its process with {type(error).__name__}: {error}"
        return None


class Cluster(Protocol):
    """Something that runs points."""

    def run(self, works: Sequence[Work]) -> Generator[tuple[Work, str | None], None, None]:
        """Carry out all ``works``; yield each as it ends, with the scheduler's error or None.

        Closing the iterator early cancels what has not ended. Raises ConfigError when the options
        can't work, MissingExtraError when a package is missing.
        """
        ...


def launcher_kind(hydra: Mapping[str, Any]) -> str:
    """The launcher that Hydra's options choose: "basic", or the cluster of one of ours."""
    chosen = hydra["runtime"]["choices"]["hydra/launcher"]
    return str(hydra["launcher"].get("cluster") or chosen)


def runs_elsewhere(launcher: str) -> bool:
    """Whether points may be measured on another machine than this one."""
    return launcher not in _HERE


def check_one_machine(hydra: Mapping[str, Any], option: str | None, otherwise: str = "") -> None:
    """Raises ConfigError when ``option`` needs one point at a time on one machine.

    otherwise: another remedy than a node for the whole command, as the end of the sentence.
    Nothing is checked when ``option`` is None.
    """
    workers = int(hydra["launcher"].get("n_jobs") or 1)
    if option and (runs_elsewhere(launcher_kind(hydra)) or workers != 1):
        raise ConfigError(
            f"{option} compares points measured one after the other on one machine, which this "
            "hydra/launcher does not promise: leave hydra/launcher out and have the scheduler run "
            f"the whole command on one node{otherwise}."
        )


def first_line(error: BaseException, word: str = "") -> str:
    """The first line of an error's message, with ``word`` in it if any has it; else its type."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return next((line for line in lines if word in line.lower()), [*lines, type(error).__name__][0])
