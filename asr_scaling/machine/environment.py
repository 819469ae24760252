"""Facts of this machine and installation that figures depend on."""

from __future__ import annotations

import functools
import importlib.metadata
import os
import platform
import socket
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

from asr_scaling.machine.instructions import instructions

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
"""Scheduler → fact of a job → the environment variable that has it."""


@functools.cache
def environment() -> dict[str, Any]:
    """Facts of this machine and installation, sizes in bytes; nothing secret."""
    return {
        "host": socket.gethostname(),
        "os": platform.platform(),
        "python": platform.python_version(),
        "cpu": _cpu_model(),
        "cpu_cores": len(allowed_cores()),
        "instructions": list(instructions()),
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
    """Name of the scheduler that started this process, its job and node; None without one.

    Reads only variables that schedulers set, none that may hold a secret.
    """
    for name, variables in _SCHEDULERS.items():
        values = {fact: os.environ.get(variable) for fact, variable in variables.items()}
        facts = {fact: value for fact, value in values.items() if value}
        if "job" in facts:
            if index := facts.pop("index", None):
                facts["job"] = f"{facts.pop('array', facts['job'])}_{index}"
            return {"name": name, **facts}
    return None


def certified(certificate: Mapping[str, Any] | None) -> dict[str, Any]:
    """The environment, with "scheduler", "niceness" and "certificate" where there are any.

    certificate: the self-test's result; left out when it is of another host, as a sweep's client.

    A niceness above 0, which many Ray workers have, lets other processes go first.
    """
    facts = environment()
    here = certificate is not None and certificate.get("host", facts["host"]) == facts["host"]
    more = {
        "scheduler": scheduler(),
        "niceness": os.nice(0) if hasattr(os, "nice") else 0,
        "certificate": dict(certificate) if certificate is not None and here else None,
    }
    return facts | {name: fact for name, fact in more.items() if fact}


def _cpu_model() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text("utf-8", "replace").splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def version(package: str) -> str | None:
    """The installed version of a package; None where it is not installed."""
    with suppress(importlib.metadata.PackageNotFoundError):
        return importlib.metadata.version(package)
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
