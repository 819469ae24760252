"""Two sides measured in turn: A B, B A, A B …, every time in a fresh process.

Each process is a single run of the command line, so that a revision measures as it did in its day.
What it left is read with the code of this process.
"""

from __future__ import annotations

import math
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from asr_scaling.core.record import RECORD_FILE, ROUNDS_FOLDER, RunRecord
from asr_scaling.errors import AsrScalingError, ConfigError
from asr_scaling.machine.environment import certified
from asr_scaling.measure.record_builder import machine_facts
from asr_scaling.sweep.plan import key_and_value, parsed
from asr_scaling.sweep.rounds import merge_rounds
from asr_scaling.sweep.sides import Side, environment_of
from asr_scaling.util.quoting import quoted

LETTERS = ("a", "b")
"""Folders of the sides below that of a round, and of their merged records."""
_OWN = ("hydra", "sweep", "experiment", "optimiser")
"""Groups of options that say how a sweep is run, which is decided here."""
_ALONE = ("++sweep.selftest=false", "++sweep.processes=1")
_OF_MACHINE = ("certificate", "spread", "state_coefficients")
"""What a record's ``environment`` gets, whatever its code knew: certificate and spread, the same on
both sides, and the coefficients of the side's own system."""
_CHANGED = "{} was changed while it was measured, so its processes differ: measure it anew."
_END_S = 60.0
"""Seconds that a process gets to record that it was interrupted."""
Start = Callable[[Sequence[str], Mapping[str, str], Path], int]
"""Runs a command with these variables, its output in a file, and returns its exit status."""


def check_overrides(overrides: Sequence[str]) -> None:
    """Raises ConfigError for an argument that is no option of a single point."""
    for text in overrides:
        key, value = key_and_value(text)
        group = key.lstrip("+~").replace("/", ".").partition(".")[0]
        override = parsed(text)
        if not value and not text.startswith("~"):
            raise ConfigError(f"'{text}' is no option: write key=value, as in batch.size=8.")
        if group in _OWN:
            raise ConfigError(f"{key} says how a sweep is run, which --run decides: leave it out.")
        if override is not None and override.is_sweep_override():
            raise ConfigError(
                f"{text} is several values, and --run measures one point a side: give one value."
            )


def start(command: Sequence[str], variables: Mapping[str, str], said: Path) -> int:
    """``Start`` with a process of its own, which is ended when this one is interrupted."""
    with said.open("wb") as file:
        process = subprocess.Popen(
            command,
            env=dict(variables),
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C reaches it from here alone, and once
        )
        try:
            return process.wait()
        except BaseException:
            process.terminate()
            try:
                process.wait(_END_S)
            finally:
                process.kill()
            raise


@dataclass
class Turns:
    """The measurement of two sides.

    folder: where all of it is; rounds/<k>/<a or b> has what one process left.
    sides: the two.
    overrides: further options of both.
    certificate: summary of what the self-test said of this machine; None where none was made.
    say: prints a line for the user.
    start: runs a process.
    """

    folder: Path
    sides: tuple[Side, Side]
    overrides: Sequence[str] = ()
    certificate: Mapping[str, Any] | None = None
    say: Callable[[str], None] = print
    start: Start = start

    def missing(self, processes: int) -> list[tuple[int, int]]:
        """Round and side of each run that is not there or not ok, in the order to measure them."""
        turns = [(k, side) for k in range(processes) for side in ((0, 1), (1, 0))[k % 2]]
        return [turn for turn in turns if not self._done(*turn)]

    def measure(self, processes: int) -> list[str]:
        """Have each side measured by so many processes, and write a record of each side.

        Returns a sentence for each run that failed: nothing is measured after its round, and no
        record is written. Raises ConfigError when a revision can't be laid out.
        """
        turns = self.missing(processes)
        failures: dict[int, list[str]] = {}
        with ExitStack() as codes:
            needed = {side for _, side in turns}
            code = {side: codes.enter_context(self.sides[side].code()) for side in sorted(needed)}
            for number, (k, side) in enumerate(turns, 1):
                if failures and k not in failures:
                    break
                what = f"{LETTERS[side].upper()}, {self.sides[side].what}"
                self.say(f"[{number}/{len(turns)}] {what}: process {k + 1} of {processes} …")
                if reason := self._run(k, side, code[side]):
                    failures.setdefault(k, []).append(f"{what}: process {k + 1} {reason}")
        failed = [sentence for several in failures.values() for sentence in several]
        failed += [_CHANGED.format(side.what) for side in self.sides if not side.unchanged()]
        if not failed:
            self._merge(processes)
        return failed

    def rounds(self, side: int) -> int:
        """How many processes have measured this side."""
        places = (self.folder / ROUNDS_FOLDER).glob(f"*/{LETTERS[side]}")
        return sum(self._done(int(place.parent.name), side) for place in places)

    def _place(self, k: int, side: int) -> Path:
        return self.folder / ROUNDS_FOLDER / str(k) / LETTERS[side]

    def _done(self, k: int, side: int) -> bool:
        try:
            return RunRecord.read(self._place(k, side) / RECORD_FILE).status == "ok"
        except AsrScalingError:
            return False

    def _run(self, k: int, side: int, code: Path | None) -> str | None:
        """Measure one side once; why it failed, None where it did not."""
        place, chosen = self._place(k, side), self.sides[side]
        shutil.rmtree(place, ignore_errors=True)  # of a run that failed
        place.parent.mkdir(parents=True, exist_ok=True)
        said = place.with_suffix(".log")
        began = time.monotonic()
        command = [sys.executable, "-m", "asr_scaling", *chosen.arguments(), *self._options(k)]
        command.append(f"hydra.run.dir={quoted(str(place.absolute()))}")
        status = self.start(command, environment_of(code), said)
        try:
            record = RunRecord.read(place / RECORD_FILE)
        except AsrScalingError as error:
            told = _last_words(said) or str(error)
            return f"left no record, status {status} ({told}): all it said is in {said}."
        if record.status != "ok":
            return f"ended: {record.outcome} (all it said is in {said})."
        ran = record.environment.get("commit")
        if chosen.commit is not None and ran not in (chosen.commit, None):
            return f"ran the code of {ran}: uninstall the asr_scaling that comes before it."
        self.say(f"  done in {time.monotonic() - began:.0f} s")
        return None

    def _options(self, k: int) -> list[str]:
        """Options of the command line that any revision takes: ``+`` adds what it does not have."""
        own = [f"+sweep.round={k}", *_ALONE]
        asked = any(text.lstrip("+~").startswith("tracking") for text in self.overrides)
        return [*self.overrides, *own, *([] if asked else ["~tracking"])]

    def _merge(self, processes: int) -> None:
        """One record a side, of all its rounds, which get what is known of this machine."""
        here = certified(self.certificate)
        began = min((record.started_at for _, record in self._records()), default=math.inf)
        for path, record in self._records():
            own = {"round": int(path.parent.parent.name), "processes": processes}
            given = record.config.get("sweep") or {}
            sweep = {key: value for key, value in given.items() if key != "rounds"} | own
            facts = machine_facts(here, record.device, record.identity, began)
            known = {key: facts[key] for key in _OF_MACHINE if key in facts}
            replace(
                record,
                config={**record.config, "sweep": sweep},
                environment={**record.environment, **known},
            ).write(path.parent)
        merge_rounds(self.folder, None, None)

    def _records(self) -> Iterator[tuple[Path, RunRecord]]:
        for path in sorted((self.folder / ROUNDS_FOLDER).glob(f"*/[ab]/{RECORD_FILE}")):
            yield path, RunRecord.read(path)


def _last_words(said: Path) -> str:
    """The error that a process printed, else its last line."""
    try:
        lines = said.read_text(encoding="utf-8", errors="replace").split("\n")
    except OSError:
        return ""
    lines = [line.strip() for line in lines if line.strip()]
    errors = [line for line in lines if line.startswith("error: ")]
    return (errors or lines or [""])[-1].removeprefix("error: ").rstrip(".")
