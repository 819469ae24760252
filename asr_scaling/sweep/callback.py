"""A sweep as Hydra runs it: begun and ended in the client, one point at a time in between, anywhere.

Hydra's callbacks are the one hook that every launcher honours.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.utils import JobReturn
from hydra.experimental.callback import Callback
from hydra.types import TaskFunction
from omegaconf import DictConfig

from asr_scaling import launchers
from asr_scaling.errors import AsrScalingError, ConfigError, PointInterruptedError
from asr_scaling.measure.fingerprint import identity
from asr_scaling.measure.model_cache import Shelf
from asr_scaling.records.sweep_manifest import SweepManifest
from asr_scaling.sweep.context import State, goes_on, measured_before
from asr_scaling.sweep.instantiate import build, build_job, options
from asr_scaling.sweep.interleave import Rounds, measurements, weights
from asr_scaling.sweep.order import labels, neighbours
from asr_scaling.sweep.prefetch import prepare
from asr_scaling.util.redact import printable, redact, redacted


class SweepCallback(Callback):
    """Opens the tracking store before the first point and closes it after the last. Also of a sweep of one.

    ``parent`` and ``certificate``, what the self-test said, travel with this object to the processes of any launcher.
    ``elsewhere``: points are measured on other machines than this, each of which needs a certificate of its own.
    """

    def __init__(self) -> None:
        self.parent: str | None = None
        self.certificate: dict[str, Any] | None = None
        self.elsewhere = False

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Before anything is measured: a store that does not answer ends the sweep here."""
        self._start(config, Path(config.hydra.sweep.dir), _jobs(config))

    def on_run_start(self, config: DictConfig, **kwargs: Any) -> None:
        """A single run is a sweep of one."""
        self._start(config, Path(config.hydra.run.dir), None)

    def on_job_start(
        self, config: DictConfig, *, task_function: TaskFunction, **kwargs: Any
    ) -> None:
        """In the process that measures."""
        State.parent, State.certificate = self.parent, self.certificate
        if self.elsewhere and config.sweep.get("selftest"):
            State.certificate = State.certify_node(Path(config.hydra.sweep.dir))

    def on_job_end(self, config: DictConfig, job_return: JobReturn, **kwargs: Any) -> None:
        """Hydra keeps what this returned of every point until the sweep ends: not its options, 170 kB a point."""
        job_return.cfg = job_return.hydra_cfg = None

    def on_multirun_end(self, config: DictConfig, **kwargs: Any) -> None:
        """Every point has ended."""
        State.finish("FINISHED")

    def on_run_end(self, config: DictConfig, **kwargs: Any) -> None:
        """The point has ended."""
        State.finish("FINISHED")

    def _start(self, config: DictConfig, folder: Path, jobs: list[list[str]] | None) -> None:
        """``jobs``: the overrides of every point of a sweep, None for a single run."""
        from asr_scaling.sweep.progress import Display

        try:
            folder.mkdir(parents=True, exist_ok=True)
            if not os.access(folder, os.W_OK):
                raise PermissionError(f"no permission to write {folder}")
        except OSError as error:
            _stop(
                f"The output folder can't be written ({error}): set hydra.sweep.dir or hydra.run.dir."
            )
        try:
            plain = options(config)
            rounds = _rounds(config, plain, single=jobs is None)
            points = labels(jobs or [])
            earlier = _earlier(config, folder, points, single=jobs is None)
            State.sink = build(plain["tracking"]) if plain.get("tracking") else None
            file = SweepManifest(
                State.command, points, tracking=plain.get("tracking"), options=redacted(plain)
            )
            self.parent = State.begin(folder, file, earlier)
        except AsrScalingError as error:
            _stop(str(error))
        except (
            Exception
        ) as error:  # anything else would only be a warning, and the sweep would go on
            _stop(f"The sweep can't begin: {type(error).__name__}: {error}")
        State.parent, State.folder, State.rounds = self.parent, folder, rounds
        State.report = jobs is not None and bool(plain["sweep"].get("report"))
        State.display = Display(weights(jobs or [[]], rounds))
        if config.sweep.get("resume") and earlier is None:
            State.display.say(
                "There is no earlier sweep of this command line to go on with: it begins anew."
            )
        self.elsewhere = jobs is not None and launchers.elsewhere(config.hydra.launcher)
        if plain["sweep"].get("selftest") and not self.elsewhere:
            self.certificate = State.certify(folder)
        if jobs and launchers.kind(config.hydra.launcher) != "basic":
            loader = GlobalHydra.instance().config_loader()
            prepare(
                jobs,
                lambda point: options(loader.load_sweep_config(config, [*point])),
                build,
                State.display.say,
            )


def _rounds(config: DictConfig, plain: dict[str, Any], single: bool) -> Rounds | None:
    """The rounds that the options ask for; ConfigError where they can't be."""
    rounds = Rounds.of(plain)
    if rounds and single:
        raise ConfigError(
            "sweep.interleave=true shuffles the points of a sweep: add -m, as in  -m batch=1,8."
        )
    if rounds and not str(config.hydra.sweeper._target_).endswith(".RoundsSweeper"):
        raise ConfigError(
            "sweep.interleave=true needs hydra/sweeper=asr_scaling, the default: leave yours out."
        )
    searched = str(config.hydra.sweeper._target_).endswith(".OptimiserSweeper")
    launchers.check(
        config.hydra.launcher,
        "sweep.interleave=true" if rounds else "The optimiser" if searched else None,
    )
    return rounds


def work(config: DictConfig, measure: Callable[[], None]) -> launchers.Work:
    """A point for a launcher; ``config``: all its options, Hydra's too. ``measure`` calls ``point`` with them."""
    sweep = Path(config.hydra.sweep.dir)
    where = sweep / str(config.hydra.sweep.subdir)
    return launchers.Work(
        _name(config, config.hydra),
        where,
        sweep,
        options(config),
        measure,
        bool(config.sweep.get("resume")),
        Path.cwd(),
    )


def point(config: DictConfig) -> None:
    """Measure the point that Hydra composed; a point that can't be built is a record with the reason."""
    from asr_scaling.core.ports import NullProgress
    from asr_scaling.core.record import RECORD_FILE, RunRecord
    from asr_scaling.measure.job import keep, run
    from asr_scaling.measure.record_builder import unbuilt

    hydra = HydraConfig.get()
    folder = Path(hydra.runtime.output_dir)
    plain, name = options(config), _name(config, hydra)
    display, number = State.display, plain["sweep"].get("round")
    if display is not None:
        display.begin(name if number is None else f"{name} · round {number}")
    try:
        job = replace(
            build_job(plain), folder=folder, config=plain, name=name, certificate=State.certificate
        )
        found = job.composed().device.setup()
        job = replace(
            job, profiler=measurements(job.profiler, number), identity=identity(plain, found)
        )
    except AsrScalingError as error:
        sink = State.sink or (build(plain["tracking"]) if plain.get("tracking") else None)
        record = keep(
            unbuilt(name, str(error), plain, State.certificate), folder, sink, State.parent
        )
    else:
        before = measured_before(folder, job.identity) if config.sweep.get("resume") else None
        if before is not None:
            keep(before, folder, job.tracking, State.parent)  # the store may lack what is on disk
            if display is not None:
                display.reused(before)
            return
        try:
            record = run(job, display or NullProgress(), State.parent, _shelf(plain))
        except (KeyboardInterrupt, PointInterruptedError) as error:
            record = RunRecord.read(folder / RECORD_FILE)
            if display is None or isinstance(error, PointInterruptedError) or not goes_on(display):
                raise KeyboardInterrupt from None
    if display is not None:
        display.end(record)


def _name(config: DictConfig, hydra: Any) -> str:
    choices = hydra.runtime.choices
    length = config.dataset.get("length_s")
    parts = [
        config.model.name,
        choices.engine,
        choices.device,
        f"b{config.batch.get('size', choices.batch)}",
    ]
    parts += [f"{length:g}s"] if isinstance(length, (int, float)) else []
    return " ".join(
        [*parts, *([" + ".join(config.optimisation)] if config.get("optimisation") else [])]
    )


def _jobs(config: DictConfig) -> list[list[str]]:
    """The overrides of every point of the sweep, in the order of this project's sweeper before it shuffles rounds."""
    params = config.hydra.sweeper.get("params") or {}
    texts = [f"{key}={value}" for key, value in params.items()] + list(config.hydra.overrides.task)
    loader = GlobalHydra.instance().config_loader()  # expands glob(*)
    overrides = OverridesParser.create(config_loader=loader).parse_overrides(texts)
    discrete = [o for o in overrides if o.is_discrete_sweep() or not o.is_sweep_override()]
    return neighbours(BasicSweeper.split_arguments(discrete, None)[0])


def _earlier(
    config: DictConfig, folder: Path, points: tuple[str, ...], single: bool
) -> SweepManifest | None:
    """What an earlier, cut run of this sweep left in ``folder``. ConfigError when nothing can be gone on with."""
    if not config.sweep.get("resume"):
        return None
    if single:
        raise ConfigError(
            "sweep.resume=true goes on with a sweep: add -m, as in  -m batch=1,8 sweep.resume=true."
        )
    earlier = SweepManifest.read(folder)
    if earlier is not None and earlier.points != points:
        raise ConfigError(
            f"The sweep in {folder} has other points: begin anew, without sweep.resume."
        )
    return earlier


def _shelf(plain: dict[str, Any]) -> Shelf | None:
    """Where a loaded model waits for the next point, if the options allow it."""
    if not plain["sweep"].get("keep_loaded"):
        return None
    State.shelf = State.shelf or Shelf()
    return State.shelf


def _stop(message: str) -> None:
    """End the program: Hydra turns any other exception of a callback into a warning."""
    sys.stderr.write(f"error: {printable(redact(message))}\n")
    raise SystemExit(1)
