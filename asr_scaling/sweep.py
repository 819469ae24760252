"""A sweep as Hydra runs it: begun and ended in the client, one point at a time in between, anywhere.

Beside cli.py this is the only module that imports Hydra: its callbacks are the one hook that every launcher honours.
"""

from __future__ import annotations

import functools
import operator
import os
import re
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import InstantiationException
from hydra.experimental.callback import Callback
from hydra.types import TaskFunction
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from asr_scaling.environment import certified
from asr_scaling.errors import AsrScalingError, ConfigError, PointInterruptedError
from asr_scaling.rounds import Rounds, measurements, merge_rounds

_PARTS = ("model", "engine", "device", "dataset", "batch", "profiler", "pipeline", "tracking")


def build(node: dict[str, Any]) -> Any:
    """What a config node describes: the one place where YAML becomes objects. AsrScalingError as the part raised it."""
    try:
        return instantiate(node, _convert_="all")
    except InstantiationException as error:
        cause: BaseException | None = error
        while cause is not None:
            if isinstance(cause, AsrScalingError):
                raise cause from None
            cause = cause.__cause__
        key = re.search(r"full_key: (\S+)", str(error))
        where = key[1] if key else "the configuration"
        reason = " ".join(str(error.__cause__ or error).split())
        raise ConfigError(f"The options of {where} can't be used ({reason}); see  --cfg job  for them.") from error


def build_job(plain: dict[str, Any]) -> Any:
    """The job that a point's options describe."""
    return build({"_target_": "asr_scaling.job.Job", **{key: plain[key] for key in _PARTS if key in plain}})


def options(config: DictConfig) -> dict[str, Any]:
    """A point's options as plain values, Hydra's own left out."""
    own = OmegaConf.masked_copy(config, [str(key) for key in config if key != "hydra"])
    plain = OmegaConf.to_container(own, resolve=True)
    return {str(key): value for key, value in plain.items()} if isinstance(plain, dict) else {}


class SweepCallback(Callback):
    """Opens the tracking store before the first point and closes it after the last. Also of a sweep of one.

    ``parent`` and ``certificate``, what the self-test said, travel with this object to the processes of any launcher.
    """

    def __init__(self) -> None:
        self.parent: str | None = None
        self.certificate: dict[str, Any] | None = None

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Before anything is measured: a store that does not answer ends the sweep here."""
        self._start(config, Path(config.hydra.sweep.dir), _count(config))

    def on_run_start(self, config: DictConfig, **kwargs: Any) -> None:
        """A single run is a sweep of one."""
        self._start(config, Path(config.hydra.run.dir), None)

    def on_job_start(self, config: DictConfig, *, task_function: TaskFunction, **kwargs: Any) -> None:
        """In the process that measures."""
        State.parent, State.certificate = self.parent, self.certificate

    def on_multirun_end(self, config: DictConfig, **kwargs: Any) -> None:
        """Every point has ended."""
        State.finish("FINISHED")

    def on_run_end(self, config: DictConfig, **kwargs: Any) -> None:
        """The point has ended."""
        State.finish("FINISHED")

    def _start(self, config: DictConfig, folder: Path, points: int | None) -> None:
        """``points``: of a sweep, None for a single run."""
        from asr_scaling.display import Display

        try:
            folder.mkdir(parents=True, exist_ok=True)
            if not os.access(folder, os.W_OK):
                raise PermissionError(f"no permission to write {folder}")
        except OSError as error:
            _stop(f"The output folder can't be written ({error}): set hydra.sweep.dir or hydra.run.dir.")
        try:
            plain = options(config)
            rounds = _rounds(config, plain, single=points is None)
            State.sink = build(plain["tracking"]) if plain.get("tracking") else None
            if State.sink is not None:
                self.parent = State.sink.open(f"{folder.parent.name} {folder.name}", plain)
        except AsrScalingError as error:
            _stop(str(error))
        except Exception as error:  # anything else would only be a warning, and the sweep would go on
            _stop(f"The sweep can't begin: {type(error).__name__}: {error}")
        State.parent, State.folder, State.rounds = self.parent, folder, rounds
        State.display = Display((points or 1) * (rounds.count if rounds else 1))
        if (plain.get("sweep") or {}).get("selftest"):
            self.certificate = State.certify(folder)


def _rounds(config: DictConfig, plain: dict[str, Any], single: bool) -> Rounds | None:
    """The rounds that the options ask for; ConfigError where they can't be."""
    rounds = Rounds.of(plain)
    if rounds and single:
        raise ConfigError("sweep.interleave=true shuffles the points of a sweep: add -m, as in  -m batch=1,8.")
    if rounds and not str(config.hydra.sweeper._target_).endswith(".RoundsSweeper"):
        raise ConfigError("sweep.interleave=true needs hydra/sweeper=asr_scaling, the default: leave yours out.")
    return rounds


class State:
    """The sweep this process takes part in: one at a time, so one of each."""

    parent: str | None = None
    folder: Path | None = None
    sink: Any = None
    display: Any = None
    rounds: Rounds | None = None
    certificate: Mapping[str, Any] | None = None
    documents: Mapping[str, Mapping[str, Any]] = MappingProxyType({})
    remarks: Sequence[str] = ()
    failed: bool = False

    @classmethod
    def certify(cls, folder: Path) -> dict[str, Any]:
        """Have the self-test's certificate, a new one or a day's old, and store it with the sweep; its summary."""
        from asr_scaling.cache import write_atomic
        from asr_scaling.selftest import certificate

        found = certificate.obtain(cls.display.say)
        write_atomic(folder / certificate.FILE, certificate.to_bytes(found))
        cls.documents, cls.remarks = {certificate.FILE: found}, certificate.remarks(found)
        return certificate.summary(found)

    @classmethod
    def finish(cls, status: str) -> None:
        """Show the table, end the parent run. Nothing happens the second time."""
        display, folder, sink, parent = cls.display, cls.folder, cls.sink, cls.parent
        cls.display = cls.folder = cls.sink = cls.parent = None
        if display is None or folder is None:
            return
        from asr_scaling.records.read import read_records

        display.close()
        title = f"of {display.total} points"
        if cls.rounds is not None:
            merge_rounds(folder, sink, parent)
            title = f"of {display.total // cls.rounds.count} points in {cls.rounds.count} rounds"
        records = read_records(folder)
        tracked = all(c.kind != "NotTracked" for record in records for c in record.cautions)
        cls.failed = cls.failed or not tracked or any(record.status != "ok" for record in records)
        hints = [f"Records: {folder}"]
        if sink is not None and parent is not None:
            try:
                sink.close(parent, status, cls.documents)
                hints.append(sink.hint)
            except AsrScalingError as error:
                cls.failed = True
                hints.append(str(error))
        display.results(records, f"{len(records)} {title}", hints, cls.remarks)


def point(config: DictConfig) -> None:
    """Measure the point that Hydra composed; a point that can't be built is a record with the reason."""
    from asr_scaling.job import keep, run, unbuilt
    from asr_scaling.record import RECORD_FILE, RunRecord
    from asr_scaling.timing import NullProgress

    hydra = HydraConfig.get()
    folder = Path(hydra.runtime.output_dir)
    plain, name = options(config), _name(config, hydra)
    display, number = State.display, (plain.get("sweep") or {}).get("round")
    if display is not None:
        display.begin(name if number is None else f"{name} · round {number}")
    try:
        job = replace(build_job(plain), folder=folder, config=plain, name=name, certificate=State.certificate)
        job = replace(job, profiler=measurements(job.profiler, number))
    except AsrScalingError as error:
        record = replace(unbuilt(name, str(error), plain), environment=certified(State.certificate))
        record = keep(record, folder, State.sink, State.parent)
    else:
        try:
            record = run(job, display or NullProgress(), State.parent)
        except (KeyboardInterrupt, PointInterruptedError) as error:
            record = RunRecord.read(folder / RECORD_FILE)
            if display is None or isinstance(error, PointInterruptedError) or not _goes_on(display):
                raise KeyboardInterrupt from None
    if display is not None:
        display.end(record)


def _goes_on(display: Any) -> bool:
    """After Ctrl-C: whether the sweep goes on. A second one within two seconds ends it, and so does the last point."""
    if display.points_left <= 1:
        return False
    display.say("Interrupted this point; the sweep goes on. Press Ctrl-C again within 2 s to end it.")
    try:
        time.sleep(2)
    except KeyboardInterrupt:
        return False
    return True


def _name(config: DictConfig, hydra: Any) -> str:
    choices = hydra.runtime.choices
    length = config.dataset.get("length_s")
    parts = [config.model.name, choices.engine, choices.device, f"b{config.batch.size}"]
    return " ".join([*parts, f"{length:g}s"] if isinstance(length, (int, float)) else parts)


def _count(config: DictConfig) -> int:
    """Points of the sweep: the product of the values of every swept option."""
    params = config.hydra.sweeper.get("params") or {}
    texts = [f"{key}={value}" for key, value in params.items()] + list(config.hydra.overrides.task)
    sizes = {}
    loader = GlobalHydra.instance().config_loader()  # expands glob(*)
    for override in OverridesParser.create(config_loader=loader).parse_overrides(texts):
        swept = override.is_sweep_override() and override.is_discrete_sweep()
        sizes[override.get_key_element()] = len(list(override.sweep_string_iterator())) if swept else 1
    return functools.reduce(operator.mul, sizes.values(), 1)


def _stop(message: str) -> None:
    """End the program: Hydra turns any other exception of a callback into a warning."""
    sys.stderr.write(f"error: {message}\n")
    raise SystemExit(1)
