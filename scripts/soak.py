"""Sweeps whose clients, workers and server are killed at random; then everything is counted.

    python scripts/soak.py --minutes 60 --folder soak --launchers joblib,basic

A server is started with scripts/server.sh (it needs PostgreSQL and the extras server and joblib).
Then, until the time is over, one sweep after the other of eight points with engine=fake: each
attempt is let be or loses its client, a worker or the server to SIGKILL at a random moment, and is
gone on with (sweep.resume=true) until every point is measured. Beside them one client measures all
the time and is never killed. In the end asr_scaling sync brings what the server missed, and the
server must have every point of every sweep once, finished, as it is on disk, and nothing that still
runs. No point that was measured may be measured again, and beyond records nothing may grow: the
client's resident memory, the server's, and temporary files. Exit status 1 when any of it does not
hold. Events go to soak.jsonl, the summary to standard output.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import signal
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from asr_scaling.core.record import RECORD_FILE, RunRecord
from asr_scaling.errors import AsrScalingError
from asr_scaling.tracking._mlflow_client import search

POINTS = 8
SWEEP = (
    "model=whisper_tiny_en,whisper_base",
    "batch=1,2,4,8",
    "engine=fake",
    "engine.fixed_s=0.05",
    "profiler=[latency,quality]",
    "pipeline.utterances=8",
    "pipeline.precision=null",
    "pipeline.min_iterations=6",
    "pipeline.warmup_seconds=0",
    "sweep.selftest=false",
)
LONG = (*SWEEP[2:3], "engine.fixed_s=0.2", *SWEEP[4:], "pipeline.max_seconds=2")
FATES = ("none", "client", "worker", "server")
GROWTH = {"client": 1.15, "server": 1.15}
"""How many times its resident memory after a quarter of the time a process may have in the end."""
PATIENCE_S = 300.0
"""An attempt that takes longer hangs."""


@dataclass
class Soak:
    """``folder``: where everything is kept. ``wrong``: what did not hold, a sentence each."""

    folder: Path
    port: int
    dice: random.Random
    wrong: list[str] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    server: subprocess.Popen[bytes] | None = None
    sizes: list[dict[str, float]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True)
        (self.folder / "tmp").mkdir()
        self.log = (self.folder / "soak.jsonl").open("w", encoding="utf-8", buffering=1)
        self.began = time.monotonic()

    @property
    def env(self) -> dict[str, str]:
        """Of every client; temporary files are in a folder of the soak's own,
        so that what is left there is seen."""
        found = {
            **os.environ,
            "TMPDIR": str(self.folder / "tmp"),
            "ASR_SCALING_CACHE": str(self.folder / "cache"),
        }
        secret = self.folder / "server" / "admin_password"
        if secret.exists():
            found |= {
                "MLFLOW_TRACKING_USERNAME": "admin",
                "MLFLOW_TRACKING_PASSWORD": secret.read_text("ascii").strip(),
            }
        return found

    def note(self, event: str, **facts: Any) -> None:
        """A line of the log."""
        self.log.write(
            json.dumps({"s": round(time.monotonic() - self.began, 1), "event": event, **facts})
            + "\n"
        )

    def start_server(self) -> None:
        """Wait until it answers."""
        script = Path(__file__).with_name("server.sh")
        env = {
            **os.environ,
            "BIN": str(Path(sys.executable).parent),
            "FOLDER": str(self.folder / "server"),
        }
        env |= {"PORT": str(self.port), "DATABASE_PORT": str(self.port + 1)}
        output = (self.folder / "server.log").open("ab")
        self.server = subprocess.Popen(
            ["bash", str(script)],
            env=env,
            stdout=subprocess.PIPE,
            stderr=output,
            start_new_session=True,
        )
        assert self.server.stdout is not None
        if b"tracking server is at" not in self.server.stdout.readline():
            raise SystemExit(f"The server did not start: see {output.name}.")

    def kill_server(self) -> None:
        """SIGKILL to MLflow's processes; the database then ends as its script does."""
        assert self.server is not None
        for process in psutil.Process(self.server.pid).children(recursive=True):
            with contextlib.suppress(psutil.Error):
                if "mlflow" in " ".join(process.cmdline()):
                    process.kill()
        self.server.wait(60)

    def client(self, arguments: Sequence[str], folder: Path) -> subprocess.Popen[bytes]:
        """A sweep's process."""
        uri = f"tracking.uri=http://127.0.0.1:{self.port}"
        command = [
            sys.executable,
            "-m",
            "asr_scaling",
            "-m",
            *arguments,
            uri,
            f"hydra.sweep.dir={folder}",
        ]
        output = (self.folder / "clients.log").open("ab")
        return subprocess.Popen(
            command,
            cwd=self.folder,
            env=self.env,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )

    def sweep(self, number: int, launcher: str) -> Path:
        """One sweep, however many attempts it takes."""
        folder = self.folder / "multirun" / "soak" / f"{number:05d}"
        for attempt in range(20):
            before, fate = measured(folder), self.dice.choice(FATES)
            arguments = [
                *SWEEP,
                f"hydra/launcher={launcher}",
                *(["sweep.resume=true"] if attempt else []),
            ]
            client = self.client(arguments, folder)
            self.befall(client, fate)
            try:
                status = client.wait(PATIENCE_S)
            except subprocess.TimeoutExpired:
                self.wrong.append(f"sweep {number} hung in attempt {attempt}, fate {fate}")
                os.killpg(client.pid, signal.SIGKILL)
                status = client.wait()
            now = measured(folder)
            again = [name for name, moment in before.items() if now.get(name) != moment]
            if again:
                self.wrong.append(
                    f"sweep {number} measured {', '.join(again)} again in attempt {attempt}"
                )
            self.counts.update((fate, "attempts"))
            self.note(
                "attempt",
                sweep=number,
                launcher=launcher,
                attempt=attempt,
                fate=fate,
                status=status,
                ok=len(now),
            )
            if len(now) == POINTS and fate != "client":
                return folder
        self.wrong.append(f"sweep {number} was not measured in 20 attempts")
        return folder

    def befall(self, client: subprocess.Popen[bytes], fate: str) -> None:
        """Let the attempt have its fate after up to 20 s, or when it has ended."""
        if fate == "none":
            return
        with contextlib.suppress(subprocess.TimeoutExpired):
            client.wait(self.dice.uniform(0.5, 20))
        if fate == "server":
            self.kill_server()
            time.sleep(self.dice.uniform(0, 10))
            self.start_server()
        elif client.poll() is None:
            with contextlib.suppress(psutil.Error):
                process = psutil.Process(client.pid)
                workers = process.children(recursive=True) if fate == "worker" else [process]
                if workers:
                    self.dice.choice(workers).kill()

    def weigh(self, client: int) -> None:
        """Note the resident memory of the client that is never killed and of the server,
        and what is on disk, in MB."""
        assert self.server is not None
        self.sizes.append({"client": resident_mb(client), "server": resident_mb(self.server.pid)})
        folders = ("multirun", "server", "tmp")
        self.note(
            "size",
            **self.sizes[-1],
            **{f"{name}_disk": disk_mb(self.folder / name) for name in folders},
        )

    def quarters(self, who: str) -> list[float]:
        """Median resident memory of each quarter of the time, MB; the client's while it ran."""
        found = [size[who] for size in self.sizes if size[who]]
        step = max(1, len(found) // 4)
        return [statistics.median(found[i : i + step]) for i in range(0, len(found), step)][:4]

    def grown(self) -> None:
        """Whether a process grew."""
        for who, factor in GROWTH.items():
            first, last = (self.quarters(who) or [0.0])[0], (self.quarters(who) or [0.0])[-1]
            if last > factor * first:
                self.wrong.append(f"the {who} grew from {first:.0f} to {last:.0f} MB")

    def sync(self) -> str:
        """Bring what the server lacks; the last line."""
        address = f"http://127.0.0.1:{self.port}"
        command = [
            sys.executable,
            "-m",
            "asr_scaling",
            "sync",
            "multirun",
            "--tracking-uri",
            address,
        ]
        done = subprocess.run(
            command,
            cwd=self.folder,
            env=self.env,
            capture_output=True,
            text=True,
            timeout=3600,
            check=False,
        )
        self.note(
            "sync",
            status=done.returncode,
            said=done.stdout.splitlines()[-1:],
            error=done.stderr[-500:],
        )
        if done.returncode:
            self.wrong.append(f"sync failed: {done.stderr.strip()[-300:]}")
        return (done.stdout.splitlines() or [""])[-1]

    def check_server(self, folders: Sequence[Path]) -> int:
        """What the server has must be what is on disk; how many runs of points it has."""
        os.environ |= {key: value for key, value in self.env.items() if key.startswith("MLFLOW_")}
        from mlflow import MlflowClient

        client = MlflowClient(f"http://127.0.0.1:{self.port}")
        experiment = client.get_experiment_by_name("asr_scaling")
        assert experiment is not None, "the server has no experiment of the sweeps"
        runs = list(search(client, experiment.experiment_id, ""))
        running = [run.info.run_name for run in runs if run.info.status == "RUNNING"]
        if running:
            self.wrong.append(f"{len(running)} runs are still RUNNING on the server: {running[:3]}")
        there = Counter(
            (run.data.tags["mlflow.parentRunId"], run.info.start_time, run.info.end_time)
            for run in runs
            if run.data.tags.get("asr_scaling.kind") == "point"
        )
        twice = sum(count > 1 for count in there.values())
        if twice:
            self.wrong.append(f"{twice} points are on the server twice")
        for folder in folders:
            parent = json.loads((folder / "sweep.json").read_bytes())["parent"]
            mine = [key for key in there if key[0] == parent]
            records = [RunRecord.read(path) for path in folder.rglob(RECORD_FILE)]
            expected = {
                (parent, round(r.started_at * 1000), round(r.ended_at * 1000)) for r in records
            }
            if set(mine) != expected:
                self.wrong.append(
                    f"{folder.name}: {len(mine)} points on the server, {len(expected)} on disk"
                )
        return sum(there.values())


def measured(folder: Path) -> dict[str, float]:
    """Point → when it began, of those that are measured."""
    found = {}
    for path in folder.rglob(RECORD_FILE):
        with contextlib.suppress(AsrScalingError):
            record = RunRecord.read(path)
            if record.status == "ok":
                found[path.parent.name] = record.started_at
    return found


def resident_mb(pid: int) -> float:
    """Of a process and those below it."""
    total = 0
    with contextlib.suppress(psutil.Error):
        process = psutil.Process(pid)
        for each in (process, *process.children(recursive=True)):
            with contextlib.suppress(psutil.Error):
                total += each.memory_info().rss
    return total / 1e6


def disk_mb(folder: Path) -> float:
    """Of all files below it."""
    total = 0
    for path in folder.rglob("*"):
        with contextlib.suppress(OSError):
            total += path.lstat().st_size
    return total / 1e6


def main(arguments: Sequence[str]) -> int:
    """Soak, count, say."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--folder", type=Path, default=Path("soak"))
    parser.add_argument("--launchers", default="joblib,basic")
    parser.add_argument(
        "--port", type=int, default=5055, help="of the server; the database has the next"
    )
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args(arguments)
    soak = Soak(chosen.folder.resolve(), chosen.port, random.Random(chosen.seed))
    launchers, ends = chosen.launchers.split(","), time.monotonic() + 60 * chosen.minutes
    soak.start_server()
    seeds = f"seed=range(0,{round(16 * chosen.minutes)})"
    long_folder = soak.folder / "multirun" / "soak" / "long"
    long = soak.client((*LONG, seeds), long_folder)
    folders = [long_folder]
    try:
        while time.monotonic() < ends:
            folders.append(soak.sweep(len(folders), launchers[len(folders) % len(launchers)]))
            soak.weigh(long.pid)
        status = long.wait(3600)
        first, second = soak.sync(), soak.sync()
        runs = soak.check_server(folders)
        said = (
            f"exit status {status}",
            f"asr_scaling sync: {first} Again: {second}",
            f"{runs} runs of points",
        )
        _say(soak, folders, said)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(long.pid, signal.SIGKILL)
        if soak.server is not None:
            soak.server.terminate()
            soak.server.wait(60)
    return 1 if soak.wrong else 0


def _say(soak: Soak, folders: Sequence[Path], said: tuple[str, str, str]) -> None:
    records = [path for folder in folders for path in folder.rglob(RECORD_FILE)]
    needed, stored = (
        sum(path.stat().st_size for path in records) / 1e6,
        disk_mb(soak.folder / "multirun"),
    )
    left = sorted(path.name for path in (soak.folder / "tmp").iterdir())
    if left:
        soak.wrong.append(f"{len(left)} temporary files were left: {', '.join(left[:5])}")
    soak.grown()
    status, synced, runs = said
    fates = ", ".join(f"{soak.counts[fate]} × {fate}" for fate in FATES)
    lines = [
        f"{(time.monotonic() - soak.began) / 60:.0f} minutes, {len(folders) - 1} sweeps of "
        f"{POINTS} points, and one of "
        f"{len(measured(folders[0]))} beside them ({status})",
        f"{soak.counts['attempts']} attempts: {fates}",
        f"on disk: {len(records)} records, {needed:.1f} MB of the {stored:.1f} MB below multirun",
        f"on the server: {runs}, {disk_mb(soak.folder / 'server'):.1f} MB with its database",
        *(
            f"resident memory of the {who}, MB: "
            f"{', '.join(f'{mb:.0f}' for mb in soak.quarters(who))}"
            for who in GROWTH
        ),
        synced,
        "Wrong: " + ("nothing" if not soak.wrong else "; ".join(soak.wrong)),
    ]
    print("\n".join(lines))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
