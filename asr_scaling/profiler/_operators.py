"""torch's operators by class: what the trace and the decoder study have in common."""

from __future__ import annotations

import csv
import os
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from asr_scaling.core.ports import Device

NO_OPERATORS = "the engine runs no torch operators"

CLASSES: Mapping[str, str] = {
    "attention": r"scaled_dot_product|_attention|flash|fmha",
    "gemm": r"::(addmm|mm|bmm|baddbmm|matmul|linear|einsum)\b|_linear|_lstm|gemm|cutlass|cublas",
    "convolution": r"conv",
    "normalisation": r"norm|softmax",
    "memory": r"::(copy_|_to_copy|to|clone|empty\w*|fill_|zero_|zeros\w*|ones\w*|cat|stack"
    r"|index\w*|select|slice|pad|view\w*|_?reshape\w*|transpose|t|permute|expand\w*|contiguous"
    r"|gather|scatter\w*|masked_fill\w*|embedding|repeat\w*|resize\w*|as_strided\w*|item"
    r"|_local_scalar_dense|split\w*|new_\w*|full\w*|constant_pad_nd|arange|unbind|detach\w*"
    r"|lift\w*|unsqueeze|squeeze|chunk|narrow|alias)$"
    r"|memcpy|memset|copy_kernel|catarray|fillfunctor",
}
"""Class → what an operator's name looks like; the first that matches counts, the rest is "other".
"""

_ENCODER = "asr_scaling: encoder"


@contextmanager
def quiet_stderr() -> Iterator[None]:
    """Silences torch's profiler, which writes to file descriptor 2, across the progress display."""
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
    matching = (label for label, shape in CLASSES.items() if re.search(shape, name.lower()))
    return next(matching, "other")


def profiler_of(device: Device, shapes: bool = False) -> Any:
    """torch's profiler of the CPU, and of the GPU when ``device`` is one; not yet started."""
    from torch.profiler import ProfilerActivity, profile

    gpu = [ProfilerActivity.CUDA] if device.kind == "cuda" else []
    return profile(activities=[ProfilerActivity.CPU, *gpu], record_shapes=shapes)


def write_csv(path: Path, columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> None:
    """A table of ``rows`` below the names of its ``columns``."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(rows)


def class_seconds(rows: Iterable[Mapping[str, Any]]) -> dict[str, float]:
    """Class → self time in seconds."""
    totals = dict.fromkeys((*CLASSES, "other"), 0.0)
    for row in rows:
        totals[row["class"]] = totals.get(row["class"], 0.0) + row["self_s"]
    return totals


def shares(rows: Iterable[Mapping[str, Any]]) -> dict[str, float]:
    """Class → share of self time; the shares add up to 1."""
    totals = class_seconds(rows)
    whole = sum(totals.values()) or 1.0
    return {name: value / whole for name, value in totals.items()}


def operator_rows(averages: Iterable[Any], cuda: bool) -> list[dict[str, Any]]:
    """One row per operator of torch.profiler's ``key_averages()``.

    A row has the operator's class, calls, self time in seconds and share.
    ``cuda``: on the GPU's clock, else on the CPU's.
    """
    timed = [
        (event, seconds)
        for event, seconds in _self_times(averages, cuda)
        if not event.key.startswith("ProfilerStep")
    ]
    whole = sum(seconds for _, seconds in timed)
    return [
        {
            "operator": event.key,
            "class": operator_class(event.key),
            "calls": event.count,
            "self_s": seconds,
            "share": seconds / whole,
        }
        for event, seconds in timed
    ]


def _self_times(events: Iterable[Any], cuda: bool) -> Iterator[tuple[Any, float]]:
    """Operators with their self time in seconds. A kernel's time is that of its operator."""
    for event in events:
        if event.device_type.name == "CPU":
            micro = event.self_device_time_total if cuda else event.self_cpu_time_total
            if micro > 0:
                yield event, micro / 1e6


@contextmanager
def marked_encoder(encoder: Any) -> Iterator[None]:
    """Marks what the module ``encoder`` runs with an event of our own, under torch.profiler."""
    if encoder is None:
        yield
        return
    from torch.profiler import record_function

    began: list[Any] = []

    def enter(*_: Any) -> None:
        began.append(record_function(_ENCODER))
        began[-1].__enter__()

    def leave(*_: Any) -> None:
        began.pop().__exit__(None, None, None)

    hooks = [encoder.register_forward_pre_hook(enter), encoder.register_forward_hook(leave)]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
        while began:
            leave()


def encoder_rows(events: Iterable[Any], cuda: bool) -> list[dict[str, Any]]:
    """Class and self time in seconds of every event of ``events()`` in the marked encoder.

    On the CPU's clock "python" is what passes between operators; a GPU works through its queue
    meanwhile.
    """
    return [
        {
            "class": "python" if event.name == _ENCODER else operator_class(event.name),
            "self_s": seconds,
        }
        for event, seconds in _self_times(events, cuda)
        if _below_encoder(event) and not (cuda and event.name == _ENCODER)
    ]


def _below_encoder(event: Any) -> bool:
    while event is not None and event.name != _ENCODER:
        event = event.cpu_parent
    return event is not None
