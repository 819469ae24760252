"""What a figure depends on besides the system: host, processor, memory, GPU, drivers, versions, commit."""

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

_PACKAGES = ("asr-scaling", "torch", "transformers", "datasets", "jiwer", "codecarbon", "mlflow", "thop", "numpy")


@functools.cache
def environment() -> dict[str, Any]:
    """Facts about this machine and installation; no environment variables, so no secrets. Sizes in bytes."""
    return {
        "host": socket.gethostname(),
        "os": platform.platform(),
        "python": platform.python_version(),
        "cpu": _cpu_model(),
        "cpu_cores": len(allowed_cores()),
        "memory_bytes": psutil.virtual_memory().total,
        "versions": {name: _version(name) for name in _PACKAGES},
        "commit": _commit(),
    }


def allowed_cores() -> list[int]:
    """Cores that this process may use now."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


def certified(certificate: Mapping[str, Any] | None) -> dict[str, Any]:
    """The environment with what the self-test said of it; without where it ran on another host, as on a client."""
    facts = environment()
    if certificate is None or certificate.get("host", facts["host"]) != facts["host"]:
        return dict(facts)
    return facts | {"certificate": dict(certificate)}


def _cpu_model() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _commit() -> str | None:
    """Commit of the checkout this package runs from, "-dirty" when it has changes; None outside a checkout."""
    root = Path(__file__).resolve().parent.parent
    if not (root / ".git").exists():
        return None
    head = _git(root, "rev-parse", "HEAD")
    changes = _git(root, "status", "--porcelain", "-uno")
    return f"{head}-dirty" if head and changes else head


def _git(root: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(["git", *arguments], cwd=root, capture_output=True, text=True, timeout=5, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
