"""Sweeps against MLflow with PostgreSQL and a login:
what a server, or a client, that dies leaves is made whole."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.offline import FAST
from support.team_server import SCRIPT, TeamServer, close_sessions, free_port, postgresql
from support.warm import Started

from asr_scaling.cli import sync
from asr_scaling.core.record import RECORD_FILE, RunRecord
from asr_scaling.errors import TrackingError
from asr_scaling.records.record_sources import records_of
from asr_scaling.records.sweep_manifest import SweepManifest
from asr_scaling.tracking.mlflow import Mlflow

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore"),  # MLflow's own
    pytest.mark.skipif(
        not postgresql(), reason="PostgreSQL is not installed: apt-get install postgresql"
    ),
    pytest.mark.skipif(sys.platform != "linux", reason="the server's script is tested on Linux"),
]

PAGE = SCRIPT.parents[1] / "docs" / "server.md"


@pytest.fixture(scope="module")
def server() -> Iterator[TeamServer]:
    pytest.importorskip("psycopg", reason="asr-scaling[server] is not installed")
    pytest.importorskip("flask_wtf", reason="asr-scaling[server] is not installed")
    folder = Path(tempfile.mkdtemp(prefix="asr_scaling-server-"))
    folder.chmod(0o755)  # where the tests run as root the database runs as postgres
    found = TeamServer(folder / "kept")
    found.start()
    yield found
    if found.running:
        found.stop()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, server: TeamServer) -> Iterator[Path]:
    """An empty folder, and a user of the server in it who is soon tired of waiting."""
    import mlflow

    before = mlflow.get_tracking_uri()
    monkeypatch.chdir(tmp_path)
    own = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1", "HF_HUB_OFFLINE": "1", "COLUMNS": "300"}
    for name, value in (server.login | own).items():
        monkeypatch.setenv(name, value)
    yield tmp_path
    mlflow.set_tracking_uri(before)
    close_sessions()


def sweep(server: TeamServer, experiment: str, *arguments: str) -> Started:
    store = (f"tracking.uri={server.uri}", f"tracking.experiment={experiment}")
    return Started(Path.cwd(), "asr_scaling", ["-m", *FAST, *store, *arguments], os.environ)


def records(folder: Path) -> list[RunRecord]:
    return [RunRecord.read(path) for path in sorted(folder.rglob(RECORD_FILE))]


def wait_for_a_record(folder: Path, process: Started) -> None:
    while not any(
        path.stat().st_size for path in folder.rglob("mlflow.json")
    ):  # empty until the point is stored
        assert process.returncode is None, process.communicate()
        time.sleep(0.05)


def runs(server: TeamServer, experiment: str) -> tuple[list[Any], list[Any]]:
    """Those of sweeps, and those of points."""
    import mlflow

    client = mlflow.MlflowClient(server.uri)
    found = list(client.search_runs([client.get_experiment_by_name(experiment).experiment_id]))
    kind = "asr_scaling.kind"
    return [run for run in found if run.data.tags[kind] == "sweep"], [
        r for r in found if r.data.tags[kind] != "sweep"
    ]


def told(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[str]:
    """What the command says, a line each."""
    status = sync.main(arguments)
    out, error = capsys.readouterr()
    assert (status, error) == (0, "")
    return out.splitlines()


def test_secrets_are_the_owners_alone(server: TeamServer) -> None:
    for name in ("admin_password", "flask_secret_key", "database_password"):
        path = server.folder / name
        assert path.stat().st_mode & 0o777 == 0o600
        assert len(path.read_text().strip()) == 32
        assert path.read_text().strip() not in server.said + server.log()
    rules = (server.folder / "postgresql" / "pg_hba.conf").read_text().splitlines()
    assert {rule.split()[-1] for rule in rules if rule and not rule.startswith("#")} == {
        "scram-sha-256"
    }


def test_what_the_page_says_is_run(server: TeamServer, here: Path) -> None:
    """Users, backup, restore and upgrade, as docs/server.md prints them."""
    blocks = re.findall(r"```bash\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    assert len(blocks) == 4
    own = {
        ".server": str(server.folder),
        "5000": str(server.port),
        "15432": str(server.database_port),
    }
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    for block in blocks:
        command = re.sub(
            r"(?<!\w)\.server\b|\b(?:15432|5000)\b", lambda match: own[match[0]], block
        )
        done = subprocess.run(
            ["bash", "-euc", command],
            env={**os.environ, "PATH": path},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
    assert (here / "mlflow.dump").stat().st_size > 10_000
    assert (here / "artifacts.tar.gz").exists()
    ann = {"MLFLOW_TRACKING_USERNAME": "ann", "MLFLOW_TRACKING_PASSWORD": "another long password"}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in ann.items():
            patch.setenv(name, value)
        assert Mlflow(server.uri, "anns").open("sweep", {})  # the restored database knows her


@pytest.mark.parametrize(
    ("password", "said"),
    [
        ("wrong", "does not accept user 'admin' with the password given"),
        (None, "asks for a user and a password"),
    ],
)
def test_who_may_not_in_is_told_at_the_start(
    server: TeamServer, here: Path, monkeypatch: pytest.MonkeyPatch, password: str | None, said: str
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", password or "")
    if password is None:
        monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "")
    with pytest.raises(TrackingError, match=said) as caught:
        Mlflow(server.uri).open("sweep", {})
    assert server.password not in str(caught.value)
    assert not list(here.iterdir())


def test_a_name_that_the_server_does_not_serve(server: TeamServer, here: Path) -> None:
    with pytest.raises(
        TrackingError, match=rf"start it with  --allowed-hosts 127\.1:{server.port}"
    ):
        Mlflow(f"http://127.1:{server.port}").open("sweep", {})


def test_with_a_database_of_its_own_behind_nginx(
    server: TeamServer, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nginx = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
    if nginx is None or shutil.which("openssl") is None:
        pytest.skip("needs nginx and openssl: apt-get install nginx openssl")
    secret = (server.folder / "database_password").read_text().strip()
    database = {
        "DATABASE_HOST": "127.0.0.1",
        "DATABASE_PORT": str(server.database_port),
        "PGPASSWORD": secret,
    }
    behind = TeamServer(here / "server", ALLOWED_HOSTS="localhost", **database)
    behind.start()
    assert not (behind.folder / "postgresql").exists()
    behind.uri, configuration = proxied(here, behind.port)
    for name in ("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"):
        monkeypatch.setenv(name, str(here / "mlflow.pem"))
    command = [nginx, "-p", str(here), "-e", str(here / "nginx.log"), "-c", str(configuration)]
    with subprocess.Popen(command) as proxy:
        try:
            process = sweep(behind, "proxy", "batch=1,2")
            said = "".join(process.communicate(timeout=120))
            assert process.returncode == 0, said
            (parent,), points = runs(behind, "proxy")
            assert [run.info.status for run in (parent, *points)] == ["FINISHED"] * 3
            assert len(list((behind.folder / "artifacts").rglob("record.json"))) == 2
        finally:
            proxy.terminate()
    close_sessions()
    assert behind.stop() == 0


def proxied(folder: Path, port: int) -> tuple[str, Path]:
    """Where the nginx of docs/server.md serves the server at ``port``,
    and its configuration below ``folder``."""
    made = (
        "-keyout",
        folder / "mlflow.key",
        "-out",
        folder / "mlflow.pem",
        "-addext",
        "subjectAltName=DNS:localhost",
    )
    request = (
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "1",
        "-subj",
        "/CN=localhost",
    )
    subprocess.run([*request, *made], check=True, capture_output=True)
    (block,) = re.findall(r"```nginx\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    listen = free_port()
    for old, new in {
        "listen 443": f"listen 127.0.0.1:{listen}",
        "mlflow.example.org": "localhost",
        "/etc/ssl/mlflow.pem": f"{folder}/mlflow.pem",
        "/etc/ssl/private/mlflow.key": f"{folder}/mlflow.key",
        "127.0.0.1:5000": f"127.0.0.1:{port}",
    }.items():
        assert old in block
        block = block.replace(old, new)
    user = "user root;" if os.geteuid() == 0 else ""
    places = " ".join(
        f"{name}_temp_path {folder};"
        for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    path = folder / "nginx.conf"
    path.write_text(
        f"daemon off; pid {folder}/nginx.pid; {user} events {{}} http {{ access_log off; "
        f"{places} {block} }}"
    )
    return f"https://localhost:{listen}", path


def test_a_server_that_dies_costs_no_measurement(
    server: TeamServer, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    process = sweep(server, "dying", "batch=1,2,4,8", "engine.fixed_s=0.3")
    wait_for_a_record(here, process)
    assert server.stop() == 0
    said = "".join(process.communicate(timeout=120))
    (folder,) = {path.parent for path in here.rglob("sweep.json")}
    assert process.returncode == 1
    assert f"python -m asr_scaling sync {folder.relative_to(here)}" in " ".join(said.split())
    assert [record.status for record in records(here)] == ["ok"] * 4
    lost = sum(any(c.kind == "NotTracked" for c in record.cautions) for record in records(here))
    assert 1 <= lost <= 3

    assert sync.main([]) == 1
    assert "The tracking server does not answer" in capsys.readouterr().err
    server.start()
    assert f"{lost} of 4 records missing" in told(capsys, "--dry-run")[0]
    assert f"{lost} of 4 records brought" in told(capsys)[0]
    parents, points = runs(server, "dying")
    assert [run.info.status for run in parents + points] == ["FINISHED"] * 5
    assert Counter(run.data.tags["batch"] for run in points) == Counter("1248")
    assert {run.data.tags["mlflow.parentRunId"] for run in points} == {parents[0].info.run_id}
    assert not any(c.kind == "NotTracked" for record in records(here) for c in record.cautions)
    assert not any("NotTracked" in run.data.tags.get("cautions", "") for run in points)
    stored = [
        again()
        for _, again in records_of(f"mlflow:{parents[0].info.run_id}", server.uri, light=True)
    ]
    assert sorted(r.started_at for r in stored) == sorted(r.started_at for r in records(here))
    assert sorted(map(str, (r.to_json() for r in stored))) == sorted(
        map(str, (r.to_json() for r in records(here)))
    )

    assert told(capsys) == [
        f"{folder.relative_to(here)}: all 4 records were there",
        "1 sweeps: 4 records were there, 0 brought.",
    ]
    again = runs(server, "dying")
    assert [[r.info.run_id for r in each] for each in again] == [
        [r.info.run_id for r in e] for e in (parents, points)
    ]
    assert server.password not in "".join(
        p.read_text(errors="replace") for p in here.rglob("*.json")
    )


def test_a_client_that_is_killed_leaves_nothing_running(
    server: TeamServer, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    process = sweep(server, "killed", "batch=1,2,4,8", "engine.fixed_s=0.3")
    wait_for_a_record(here, process)
    assert process.kill_all()
    (parent,), _ = runs(server, "killed")
    assert parent.info.status == "RUNNING"
    following = sweep(server, "killed", "batch=1")
    said = "".join(following.communicate(timeout=120))
    assert following.returncode == 0, said
    parents, points = runs(server, "killed")
    assert {run.info.run_id: run.info.status for run in parents}[parent.info.run_id] == "KILLED"
    assert "RUNNING" not in {run.info.status for run in parents + points}
    folder = next(
        p.parent
        for p in here.rglob("sweep.json")
        if SweepManifest.read(p.parent).parent == parent.info.run_id
    )
    on_disk = len(records(folder))
    told(capsys, str(folder))
    below = [
        r
        for r in runs(server, "killed")[1]
        if r.data.tags["mlflow.parentRunId"] == parent.info.run_id
    ]
    assert sum(run.data.tags["asr_scaling.kind"] == "point" for run in below) == on_disk
