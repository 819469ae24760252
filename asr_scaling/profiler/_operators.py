"""torch's operators by class: what the trace and the decoder study have in common."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

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
    lowered = name.lower()
    return next(
        (label for label, pattern in CLASSES.items() if re.search(pattern, lowered)), "other"
    )


def shares(rows: Iterable[Mapping[str, Any]]) -> dict[str, float]:
    """Class → share of self time; the shares add up to 1."""
    totals = dict.fromkeys((*CLASSES, "other"), 0.0)
    for row in rows:
        totals[row["class"]] = totals.get(row["class"], 0.0) + row["self_s"]
    whole = sum(totals.values()) or 1.0
    return {name: value / whole for name, value in totals.items()}


def operator_rows(averages: Iterable[Any], cuda: bool) -> list[dict[str, Any]]:
    """One row per operator of torch.profiler's ``key_averages()``.

    A row has the operator's class, calls, self time in seconds and share.
    ``cuda``: on the GPU's clock, else on the CPU's.
    """
    rows = []
    for event in averages:
        if (
            event.device_type.name != "CPU"
        ):  # a kernel's time is also that of the operator that launched it
            continue
        micro = event.self_device_time_total if cuda else event.self_cpu_time_total
        if micro > 0 and not event.key.startswith("ProfilerStep"):
            rows.append(
                {"operator": event.key, "class": operator_class(event.key), "calls": event.count}
            )
            rows[-1]["self_s"] = micro / 1e6
    whole = sum(row["self_s"] for row in rows) or 1.0
    return [row | {"share": row["self_s"] / whole} for row in rows]


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
    rows = []
    for event in events:
        if event.device_type.name != "CPU" or not _below_encoder(event):
            continue
        micro = event.self_device_time_total if cuda else event.self_cpu_time_total
        label = "python" if event.name == _ENCODER else operator_class(event.name)
        if micro > 0 and not (cuda and label == "python"):
            rows.append({"class": label, "self_s": micro / 1e6})
    return rows


def _below_encoder(event: Any) -> bool:
    while event is not None and event.name != _ENCODER:
        event = event.cpu_parent
    return event is not None
