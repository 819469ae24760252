"""Facts of this machine and installation that figures depend on."""

from __future__ import annotations

import functools
import importlib.metadata
import os
import platform
import socket
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psutil

_PACKAGES = (
    "asr-scaling",
    "torch",
    "transformers",
    "datasets",
    "jiwer",
    "codecarbon",
    "mlflow",
    "thop",
    "numpy",
)

_SCHEDULERS = {  # inner ones first: Ray may run within a Slurm job
    "ray": {"job": "RAY_JOB_ID", "node": "RAY_NODE_ID"},
    "slurm": {
        "job": "SLURM_JOB_ID",
        "array": "SLURM_ARRAY_JOB_ID",
        "index": "SLURM_ARRAY_TASK_ID",
        "node": "SLURMD_NODENAME",
        "partition": "SLURM_JOB_PARTITION",
    },
    "pbs": {"job": "PBS_JOBID", "node": "PBS_NODENUM", "queue": "PBS_QUEUE"},
    "lsf": {"job": "LSB_JOBID", "queue": "LSB_QUEUE"},
}
"""Fact of a job → the variable that has it."""


@functools.cache
def environment() -> dict[str, Any]:
    """Facts of this machine and installation, sizes in bytes; nothing secret."""
    return {
        "host": socket.gethostname(),
        "os": platform.platform(),
        "python": platform.python_version(),
        "cpu": _cpu_model(),
        "cpu_cores": len(allowed_cores()),
        "memory_bytes": psutil.virtual_memory().total,
        "versions": {name: version(name) for name in _PACKAGES},
        "commit": _commit(),
    }


def allowed_cores() -> list[int]:
    """Cores that this process may use now."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


def scheduler() -> dict[str, str] | None:
    """Name of the scheduler that started this process, its job and node; None where none did.

    From the variables that schedulers set; no others are read, so none that may hold a secret.
    """
    for name, facts in _SCHEDULERS.items():
        found = {
            fact: value for fact, variable in facts.items() if (value := os.environ.get(variable))
        }
        if "job" in found:
            index = found.pop("index", None)
            found["job"] = f"{found.pop('array', found['job'])}_{index}" if index else found["job"]
            return {"name": name, **found}
    return None


def certified(certificate: Mapping[str, Any] | None) -> dict[str, Any]:
    """The environment with the scheduler's job, where there is one, and what the self-test said of this very machine.

    "niceness" is there where it is not 0, as in the workers of many a Ray: other processes of the machine go first.
    A certificate of another host, as of a sweep's client, is left out.
    """
    asked, niceness = scheduler(), os.nice(0) if hasattr(os, "nice") else 0
    facts = (
        environment()
        | ({"scheduler": asked} if asked else {})
        | ({"niceness": niceness} if niceness else {})
    )
    if certificate is None or certificate.get("host", facts["host"]) != facts["host"]:
        return facts
    return facts | {"certificate": dict(certificate)}


def _cpu_model() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def version(package: str) -> str | None:
    """The installed version of a package; None where it is not installed."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _commit() -> str | None:
    """The checkout's commit, "-dirty" when it has changes; None outside a checkout."""
    root = Path(__file__).resolve().parents[2]
    if not (root / ".git").exists():
        return None
    head = _git(root, "rev-parse", "HEAD")
    changes = _git(root, "status", "--porcelain", "-uno")
    return f"{head}-dirty" if head and changes else head


def _git(root: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", *arguments], cwd=root, capture_output=True, text=True, timeout=5, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
