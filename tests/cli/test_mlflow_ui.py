"""What `make ui` shows of a real sweep: its points side by side, with their metrics,
and what the views group by."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.chromium import chromium, needs_chromium
from support.command import Cli
from support.offline import FAST

pytestmark = [
    pytest.mark.slow,
    needs_chromium,
    pytest.mark.filterwarnings("ignore"),
]  # MLflow's own warnings
MAKEFILE = Path(__file__).parents[2] / "Makefile"
_PATIENCE_S = 60


def ui_arguments() -> list[str]:
    """What `make ui` says to MLflow."""
    (line,) = re.findall(r"/mlflow (ui .*)", MAKEFILE.read_text(encoding="utf-8"))
    return str(line).split()


@pytest.fixture
def address(
    cli: Cli, command_env: dict[str, str], tmp_path: Path, mlflow_database: Path
) -> Iterator[str]:
    """A server on the store of a sweep of four points."""
    done = cli("-m", *FAST, "model=whisper_tiny_en,wav2vec2", "batch=1,4", "sweep.report=true")
    assert done.returncode == 0, done.stderr
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = subprocess.Popen(
        [sys.executable, "-m", "mlflow", *ui_arguments(), "--port", str(port)],
        cwd=tmp_path,
        env={**command_env, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        url = f"http://127.0.0.1:{port}"
        wait_for(lambda: urllib.request.urlopen(f"{url}/health", timeout=2).status == 200)
        yield url
    finally:
        server.terminate()
        server.wait(30)


def wait_for(condition: Any, lacking: Any = lambda: "waited in vain") -> Any:
    """What ``condition`` gives once it is true;
    ``lacking`` says what is not there if it never is."""
    end = time.monotonic() + _PATIENCE_S
    while True:
        try:
            if found := condition():
                return found
        except (OSError, urllib.error.URLError):
            pass
        assert time.monotonic() < end, lacking()
        time.sleep(0.3)


def test_the_compare_page_has_the_points_and_their_metrics(address: str, tmp_path: Path) -> None:
    import mlflow

    client = mlflow.MlflowClient(f"sqlite:///{tmp_path}/mlflow.db")
    experiment = client.get_experiment_by_name("asr_scaling").experiment_id
    runs = client.search_runs([experiment], "tags.asr_scaling.kind = 'point'")
    grouped = {
        (r.data.tags["model"], r.data.tags["device"], r.data.tags["length"], r.data.tags["batch"])
        for r in runs
    }
    assert grouped == {
        (m, "cpu", "natural", b) for m in ("whisper_tiny_en", "wav2vec2") for b in ("1", "4")
    }
    (parent,) = client.search_runs([experiment], "tags.asr_scaling.kind = 'sweep'")
    assert {file.path for file in client.list_artifacts(parent.info.run_id, "report")} >= {
        "report/report.html", "report/report.md", "report/metrics.csv", "report/figures"
    }  # fmt: skip
    which = urllib.parse.quote(json.dumps([run.info.run_id for run in runs]))
    page = (
        f"{address}/#/compare-runs?runs={which}"
        f"&experiments={urllib.parse.quote(json.dumps([experiment]))}"
    )
    expected = {
        "latency/mean_s",
        "latency/first_token_s",
        "quality/cer",
        "batch.size",
        "model.name",
    }  # more scroll in
    expected |= {str(run.info.run_name) for run in runs}
    expected |= {f"{run.data.metrics['latency/mean_s']:.3f}" for run in runs}
    with chromium() as driver:
        driver.get(page)

        def missing() -> set[str]:
            shown = str(driver.execute_script("return document.body.innerText"))
            return {text for text in expected if text not in shown}

        wait_for(lambda: not missing(), missing)
