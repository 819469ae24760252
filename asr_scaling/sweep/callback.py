"""A sweep as Hydra runs it.

It begins and ends in the process of the command line; its points are measured there or in any
other process. Callbacks are the one hook of Hydra that every launcher honours.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from hydra.conf import HydraConf
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.utils import JobReturn
from hydra.types import RunMode, TaskFunction
from omegaconf import DictConfig

from asr_scaling.core.record import RECORD_FILE, RunRecord
from asr_scaling.errors import AsrScalingError, ConfigError, PointInterruptedError
from asr_scaling.launchers.work import Work, check_one_machine, launcher_kind, runs_elsewhere
from asr_scaling.records.sweep_manifest import SweepManifest, command
from asr_scaling.sweep import places
from asr_scaling.sweep.instantiate import build, build_job, options, with_needs
from asr_scaling.sweep.plan import PlannedPoint, labels, planned
from asr_scaling.sweep.point_names import Swept, made_up, point_name, swept, told
from asr_scaling.sweep.precision import Planner
from asr_scaling.sweep.prefetch import prepare
from asr_scaling.sweep.rounds import Rounds, has_its_process, of_round
from asr_scaling.sweep.stopping_callback import StoppingCallback
from asr_scaling.sweep.sweep_run import SweepRun, begun, current
from asr_scaling.util.redact import redacted


class SweepCallback(StoppingCallback):
    """Begins the sweep before its first point and ends it after the last, of a single run too.

    This object travels to the processes of any launcher, with what they need to know:

    parent: the store's token of the sweep.
    certificate: summary of what the self-test said of this machine.
    elsewhere: whether points are measured on other machines, which need certificates of their own.
    varied: what the sweep varies, for the names of its points.
    """

    def __init__(self) -> None:
        self.varied: Swept = {}
        self.parent: str | None = None
        self.certificate: Mapping[str, Any] | None = None
        self.elsewhere = False

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Begin a sweep; a store that does not answer ends the program here."""
        self._start(config, single=False)

    def on_run_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Begin a single run."""
        self._start(config, single=True)

    def on_job_start(
        self, config: DictConfig, *, task_function: TaskFunction, **kwargs: Any
    ) -> None:
        """In the process that measures."""
        sweep = current()
        sweep.parent, sweep.certificate = self.parent, self.certificate
        sweep.varied = self.varied
        if self.elsewhere and config.sweep.get("selftest"):
            sweep.certify_node(Path(config.hydra.sweep.dir))

    def on_job_end(self, config: DictConfig, job_return: JobReturn, **kwargs: Any) -> None:
        """Drop a point's options, 170 kB: Hydra would keep them until the sweep ends."""
        job_return.cfg = job_return.hydra_cfg = None

    def on_multirun_end(self, config: DictConfig, **kwargs: Any) -> None:
        """Every point has ended, or the one of a single run."""
        current().finish("FINISHED")

    on_run_end = on_multirun_end

    def _start(self, config: DictConfig, single: bool) -> None:
        """Begin the sweep or the single run."""
        from asr_scaling.sweep.progress import Display

        points = () if single else planned(config)
        compose = partial(GlobalHydra.instance().config_loader().load_sweep_config, config)
        places.check(points, config, compose)
        folder = places.claim(config, single)
        sweep, resumed = _begin(config, folder, points, single)
        sweep.display = Display([job.weight for job in sweep.plan or [PlannedPoint.of(())]])
        begun(sweep)
        self.parent = sweep.parent
        self.varied = sweep.varied
        if config.sweep.get("resume") and not resumed:
            sweep.display.say(
                "There is no earlier sweep of this command line to go on with: it begins anew."
            )
        launcher = launcher_kind(config.hydra)
        self.elsewhere = not single and runs_elsewhere(launcher)
        if config.sweep.get("selftest") and not self.elsewhere:
            sweep.certify(folder)
            self.certificate = sweep.certificate
        if points and (launcher != "basic" or sweep.planner):
            prepare(points, lambda some: options(compose([*some])), build, sweep.display.say)


def _begin(
    config: DictConfig, folder: Path, points: tuple[PlannedPoint, ...], single: bool
) -> tuple[SweepRun, bool]:
    """The sweep, begun in its folder and its store, and whether it goes on with an earlier one.

    Raises ConfigError for options that can't work together, TrackingError for a store that is away.
    """
    plain = options(config)
    varied = {**made_up(config.hydra.overrides.task), **swept(points)}
    rounds = _rounds(config, plain, varied, single)
    names = labels(points)
    earlier = _earlier(config, folder, names, single)
    subdir, program = places.pattern(config), str(config.hydra.job.name)
    sweep = SweepRun(
        varied=varied,
        sink=build(plain["tracking"], "tracking") if plain.get("tracking") else None,
        plan=rounds.jobs(points, subdir, program) if rounds else points,
        planner=Planner(rounds, points, subdir, program) if rounds else None,
        report=not single and bool(plain["sweep"].get("report")),
    )
    arguments = command(sys.argv[1:])
    file = SweepManifest(arguments, names, tracking=plain.get("tracking"), options=redacted(plain))
    sweep.begin(folder, file, earlier)
    return sweep, earlier is not None


def _rounds(
    config: DictConfig, plain: dict[str, Any], varied: Swept, single: bool
) -> Rounds | None:
    """The rounds asked for. Raises ConfigError when this kind of sweep can't have any."""
    for option in ("sweep.processes", "sweep.precision", "sweep.most_processes"):
        if option in varied:
            raise ConfigError(f"{option} takes one value, which holds for all points of a sweep.")
    rounds = Rounds.of(plain)
    asked = rounds.asked if rounds else None
    searched = bool(config.get("optimiser"))  # experiment=optimise brings a sweeper of its own
    if rounds and searched:
        raise ConfigError(
            f"{asked} is not for the optimiser, which measures its finals in processes of their "
            "own: set optimiser.processes."
        )
    if rounds and single:
        raise ConfigError(f"{asked} is a sweep: leave hydra.mode out.")
    if rounds and config.hydra.runtime.choices["hydra/sweeper"] != "asr_scaling":
        raise ConfigError(f"{asked} needs hydra/sweeper=asr_scaling, the default: leave yours out.")
    if searched:
        check_one_machine(config.hydra, "The optimiser")
    check_one_machine(config.hydra, asked, ", or measure each point in one process")
    return rounds


def work(config: DictConfig, measure: Callable[[], None]) -> Work:
    """A point for a launcher: ``config`` has Hydra's options too, ``measure`` calls ``point``."""
    sweep = Path(config.hydra.sweep.dir)
    where = sweep / str(config.hydra.sweep.subdir)
    plain, resumed = _plain(config, config.hydra), bool(config.sweep.get("resume"))
    return Work(point_name(plain), where, sweep, plain, measure, resumed, Path.cwd())


def point(config: DictConfig) -> None:
    """Measure the point that Hydra composed; if it can't be built, its record says why."""
    from asr_scaling.measure.job import run

    hydra = HydraConfig.get()
    folder = Path(hydra.runtime.output_dir)
    plain = _plain(config, hydra)
    name = point_name(plain)
    sweep, alone = current(), has_its_process(plain)
    if sweep.folder is not None:
        sweep.claim(folder, name)
    before: RunRecord | None = None

    def earlier(fingerprint: str) -> RunRecord | None:
        nonlocal before
        if config.sweep.get("resume"):
            before = sweep.measured_before(folder, fingerprint)
        return before

    sweep.display.begin(f"{name} · process {plain['sweep']['round'] + 1}" if alone else name)
    try:
        job = of_round(build_job(plain), plain)
        job = replace(job, folder=folder, config=plain, name=name, certificate=sweep.certificate)
    except AsrScalingError as error:
        record = _keep_unbuilt(name, error, plain, folder, sweep)
    else:
        cache = sweep.models if plain["sweep"].get("keep_loaded") and not alone else None
        try:
            record = run(job, sweep.display, sweep.parent, cache, earlier)
        except (KeyboardInterrupt, PointInterruptedError) as error:
            record = RunRecord.read(folder / RECORD_FILE)
            if isinstance(error, PointInterruptedError) or not sweep.goes_on():
                raise KeyboardInterrupt from None
    if before is None:
        sweep.display.end(record)
    else:
        sweep.display.reused(record)


def _keep_unbuilt(
    name: str, error: AsrScalingError, plain: dict[str, Any], folder: Path, sweep: SweepRun
) -> RunRecord:
    """Keep the record of a point that can't be built because of ``error``."""
    from asr_scaling.measure.keep import keep
    from asr_scaling.measure.record_builder import unbuilt

    sink = sweep.sink or (build(plain["tracking"], "tracking") if plain.get("tracking") else None)
    record = unbuilt(name, str(error), plain, sweep.certificate)
    return keep(record, folder, sink, sweep.parent)


def _plain(config: DictConfig, hydra: HydraConf) -> dict[str, Any]:
    """A point's options, with what its optimisations need, and under "hydra" what it was made of.

    That is the name chosen in each group, the overrides, and what the sweep varies beyond what a
    point is called by anyway. Overrides that only say how the sweep is run are left out. Relative
    paths begin at ``cwd``. A point of a sweep has the sweep's folder and its place in that too.
    """
    choices = hydra.runtime.choices.items()
    overrides = PlannedPoint.of(hydra.overrides.task)
    made = {
        "choices": {group: name for group, name in choices if name and "/" not in group},
        "overrides": list(overrides.without(("sweep",))),
        "cwd": hydra.runtime.cwd,
        **(_of_sweep(hydra) if hydra.mode == RunMode.MULTIRUN else {}),
    }
    plain = {**with_needs(options(config)), "hydra": made}
    varied = told(plain, overrides.overrides, current().varied)
    return {**plain, "hydra": {**made, "swept": varied}} if varied else plain


def _of_sweep(hydra: HydraConf) -> dict[str, str]:
    """The folder of its sweep, and the point's place in it."""
    return {"sweep": str(hydra.sweep.dir), "place": places.place(hydra)}


def _earlier(
    config: DictConfig, folder: Path, points: tuple[str, ...], single: bool
) -> SweepManifest | None:
    """What an earlier run of this sweep left in ``folder``, None where there is none to go on with.

    Raises ConfigError for a single run and for a folder of a sweep with other points.
    """
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
