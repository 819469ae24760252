"""Fixtures for every test below this folder; the fakes themselves are in support/fakes.py."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import warnings
from collections.abc import Generator, Iterator
from functools import partial
from pathlib import Path

# Before NumPy: its small matrices are computed ten times as long by threads that wait for cores
# on which other workers compute.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

# First of all: imported at the end of a run, its hook in trio would warn.
import hypothesis  # noqa: F401
import pytest
from support.command import Cli
from support.fakes import FakeClock
from support.offline import run_python
from support.warm import run_warm

from asr_scaling.machine.co_tenants import FOLDER_VARIABLE
from asr_scaling.machine.interference import Counters, MachineWatch
from asr_scaling.measure import pipeline
from asr_scaling.profiler import energy
from asr_scaling.selftest.certificate import certificate, keep
from asr_scaling.selftest.checks import Check
from asr_scaling.tracking._sqlite import make_whole

_WAITING = {"launchers", "team_server"}
_SLOW = {*_WAITING, "cli", "docs", "end_to_end", "fuzz"}
"""Folders whose tests wait for schedulers and servers, and those that run whole commands."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks the tests of slow folders, before ``-m`` chooses. Tests that wait for schedulers and
    servers begin first, beside which others compute; then slow ones, so that no worker is left
    alone with one at the end.
    """
    places = {}
    for item in items:
        folder = item.path.relative_to(Path(__file__).parent).parts[0]
        if folder in _SLOW:
            item.add_marker("slow")
        places[item] = folder not in _WAITING, item.get_closest_marker("slow") is None
    items.sort(key=places.__getitem__)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A failure whose text no UTF-8 can hold (a fuzzer's) would end the run of all tests."""
    report = yield
    try:
        str(report.longrepr).encode()
    except UnicodeEncodeError:
        report.longrepr = str(report.longrepr).encode(errors="backslashreplace").decode()
    return report


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Says at once which test failed and why: a run that is ended before its summary tells too."""
    if report.failed and "PYTEST_XDIST_WORKER" not in os.environ:
        text = "\n".join(report.longreprtext.splitlines()[-30:])
        print(f"\n{report.nodeid} failed ({report.when}):\n{text}", file=sys.__stderr__, flush=True)


@pytest.fixture(autouse=True, scope="session")
def _own_node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Tests that run at the same time in other processes are not this test's neighbours."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(FOLDER_VARIABLE, str(tmp_path_factory.mktemp("node")))
        yield


@pytest.fixture(autouse=True)
def _no_store_of_an_earlier_test() -> None:
    """MLflow's ``set_tracking_uri``, which tests call, leaves a variable that names a store."""
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_EXPERIMENT_NAME", "MLFLOW_EXPERIMENT_ID"):
        os.environ.pop(name, None)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine on which nothing else happens, whatever the one that runs the tests is doing."""
    still = Counters(wall_s=0.0, cores=2, busy_s=0.0, own_s=0.0, steal_s=0.0)
    monkeypatch.setattr(pipeline, "MachineWatch", partial(MachineWatch, lambda: still))


@pytest.fixture
def budget_clock(clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> FakeClock:
    """The same clock also decides when the budgets of the timed pass
    and of the energy window are spent."""
    for module in (pipeline, energy):
        monkeypatch.setattr(module, "time", clock.as_time())
    return clock


@pytest.fixture(scope="session")
def fresh_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An MLflow database without a run, made once for all workers:
    MLflow takes seconds for its tables."""
    shared = tmp_path_factory.getbasetemp()
    shared = shared.parent if "PYTEST_XDIST_WORKER" in os.environ else shared

    def fill(uri: str) -> None:
        import mlflow

        mlflow.MlflowClient(uri).search_experiments(max_results=1)

    file = shared / "mlflow.db"
    if not file.exists():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # MLflow's own
            make_whole(file, fill)
    return file


@pytest.fixture
def mlflow_database(fresh_database: Path, tmp_path: Path) -> Path:
    """``mlflow.db`` in the test's folder, as the first sweep leaves it,
    for tests of what is stored in one."""
    return Path(shutil.copy(fresh_database, tmp_path / "mlflow.db"))


@pytest.fixture
def command_env(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """An empty cache but for a made-up certificate, so that no sweep runs the self-test."""
    with monkeypatch.context() as patch:
        patch.setenv("ASR_SCALING_CACHE", str(tmp_path / "cache"))
        keep(
            certificate([Check("A/A noise", "pass", "made up", values={"noise_floor": 0.01})], 0.0)
        )
    return {
        **os.environ,
        "ASR_SCALING_CACHE": str(tmp_path / "cache"),
        "HF_HUB_OFFLINE": "1",
        "COLUMNS": "132",
    }


@pytest.fixture
def cli(tmp_path: Path, command_env: dict[str, str]) -> Cli:
    """The command line in a process of its own, in an empty folder, as a user runs it,
    without its imports."""

    def call(*arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
        if any(name.startswith("PYTHON") for name in env):  # what only a new interpreter reads
            return run_python(
                tmp_path, ["-m", "asr_scaling", *arguments], env={**command_env, **env}
            )
        return run_warm(tmp_path, "asr_scaling", arguments, {**command_env, **env})

    return call
