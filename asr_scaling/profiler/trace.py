"""Where operator time goes: torch.profiler over one batch, a Chrome trace, a table of operators, shares by class."""

from __future__ import annotations

import csv
import gzip
import os
import re
import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from asr_scaling.pipeline import Session
from asr_scaling.ports import Phase
from asr_scaling.record import Findings, Metric

CLASSES: Mapping[str, str] = {
    "attention": r"scaled_dot_product|_attention|flash|fmha",
    "gemm": r"::(addmm|mm|bmm|baddbmm|matmul|linear|einsum)\b|_linear|_lstm|gemm|cutlass|cublas",
    "convolution": r"conv",
    "normalisation": r"norm|softmax",
    "memory": r"::(copy_|_to_copy|to|clone|empty\w*|fill_|zero_|zeros\w*|ones\w*|cat|stack|index\w*|select"
    r"|slice|pad|view\w*|_?reshape\w*|transpose|t|permute|expand\w*|contiguous|gather|scatter\w*|masked_fill\w*|embedding"
    r"|repeat\w*|resize\w*|as_strided\w*|item|_local_scalar_dense|split\w*|new_\w*|full\w*|constant_pad_nd|arange|unbind"
    r"|detach\w*|lift\w*|unsqueeze|squeeze|chunk|narrow|alias)$|memcpy|memset|copy_kernel|catarray|fillfunctor",
}
"""Class → what the operator's name looks like; the first that matches counts, and the rest is "other"."""


@dataclass(frozen=True)
class Trace:
    """One call on the first batch under torch.profiler. ``shapes``: also record input shapes, which costs time."""

    shapes: bool = False
    name: str = field(default="trace", init=False)
    phase: Phase = field(default="disturbing", init=False)

    def measure(self, session: Session) -> Findings:
        """Shares of self time: on the GPU's clock where there is one, else on the CPU's."""
        if not session.system.modules:
            reason = "the engine runs no torch operators"
            return Findings(unavailable={f"ops/{name}_share": reason for name in (*CLASSES, "other")})
        from torch.profiler import ProfilerActivity, profile

        cuda = session.device.kind == "cuda"
        activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if cuda else [])]
        profiler = profile(activities=activities, record_shapes=self.shapes)
        with _quiet_stderr():
            profiler.start()
        try:
            session.timed(session.batches[0])
        finally:
            with _quiet_stderr():
                profiler.stop()
        _export(profiler, session.folder / "trace.json.gz")
        rows = sorted(_rows(profiler.key_averages(), cuda), key=lambda row: -row["self_s"])
        with (session.folder / "operators.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, ("operator", "class", "calls", "self_s", "share"))
            writer.writeheader()
            writer.writerows(rows)
        metrics = tuple(Metric(f"ops/{name}_share", share, 1) for name, share in shares(rows).items())
        return Findings(
            metrics, tags={"ops/clock": "cuda" if cuda else "cpu"}, artifacts=("trace.json.gz", "operators.csv")
        )


def _export(profiler: Any, path: Path) -> None:
    """The Chrome trace, gzipped at level 1: torch does it at level 9, in ten times the time, to save a quarter."""
    plain = path.with_suffix("")
    profiler.export_chrome_trace(str(plain))
    with plain.open("rb") as source, gzip.open(path, "wb", compresslevel=1) as target:
        shutil.copyfileobj(source, target, 1 << 20)
    plain.unlink()


@contextmanager
def _quiet_stderr() -> Iterator[None]:
    """torch's profiler announces its start and stop on file descriptor 2, across the progress display."""
    sys.stderr.flush()
    saved, sink = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(sink, 2)
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
        os.close(sink)


def operator_class(name: str) -> str:
    """Class of an operator or kernel by its name."""
    lowered = name.lower()
    return next((label for label, pattern in CLASSES.items() if re.search(pattern, lowered)), "other")


def shares(rows: Iterable[Mapping[str, Any]]) -> dict[str, float]:
    """Class → share of self time; the shares add up to 1."""
    totals = dict.fromkeys((*CLASSES, "other"), 0.0)
    for row in rows:
        totals[row["class"]] += row["self_s"]
    whole = sum(totals.values()) or 1.0
    return {name: value / whole for name, value in totals.items()}


def _rows(averages: Iterable[Any], cuda: bool) -> list[dict[str, Any]]:
    rows = []
    for event in averages:
        if event.device_type.name != "CPU":  # a kernel's time is also that of the operator that launched it
            continue
        micro = event.self_device_time_total if cuda else event.self_cpu_time_total
        if micro > 0 and not event.key.startswith("ProfilerStep"):
            rows.append({"operator": event.key, "class": operator_class(event.key), "calls": event.count})
            rows[-1]["self_s"] = micro / 1e6
    whole = sum(row["self_s"] for row in rows) or 1.0
    return [row | {"share": row["self_s"] / whole} for row in rows]
