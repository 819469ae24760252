"""Where operator time goes: a Chrome trace, a table of operators, shares by class."""

from __future__ import annotations

import csv
import gzip
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from asr_scaling.core.ports import Phase, Session
from asr_scaling.core.probe import timed_call
from asr_scaling.core.record import Findings, Metric
from asr_scaling.profiler._operators import (
    CLASSES,
    encoder_rows,
    marked_encoder,
    operator_rows,
    quiet_stderr,
    shares,
)


@dataclass(frozen=True)
class Trace:
    """One call on the first batch under torch.profiler.

    ``shapes``: also record input shapes, which costs time.
    """

    shapes: bool = False
    name: str = field(default="trace", init=False)
    phase: Phase = field(default="disturbing", init=False)

    def measure(self, session: Session) -> Findings:
        """Shares of self time, of the whole call and of the encoder.

        They are on the GPU's clock when there is one, else on the CPU's.
        """
        if not session.system.modules:
            reason = "the engine runs no torch operators"
            return Findings(
                unavailable={f"ops/{name}_share": reason for name in (*CLASSES, "other")}
            )
        from torch.profiler import ProfilerActivity, profile

        cuda = session.device.kind == "cuda"
        activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if cuda else [])]
        profiler = profile(activities=activities, record_shapes=self.shapes)
        with quiet_stderr():
            profiler.start()
        try:
            with marked_encoder(session.system.modules.get("encoder")):
                timed_call(session, session.batches[0])
        finally:
            with quiet_stderr():
                profiler.stop()
        _export(profiler, session.folder / "trace.json.gz")
        encoder = encoder_rows(profiler.events(), cuda)  # type: ignore[no-untyped-call]
        rows = sorted(operator_rows(profiler.key_averages(), cuda), key=lambda row: -row["self_s"])
        with (session.folder / "operators.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, ("operator", "class", "calls", "self_s", "share"))
            writer.writeheader()
            writer.writerows(rows)
        found = {f"{name}_share": share for name, share in shares(rows).items()}
        if encoder:
            found |= {f"encoder_{name}_share": share for name, share in shares(encoder).items()}
            found["encoder_s"] = sum(row["self_s"] for row in encoder)
        metrics = tuple(Metric(f"ops/{name}", value, 1) for name, value in found.items())
        return Findings(
            metrics,
            tags={"ops/clock": "cuda" if cuda else "cpu"},
            artifacts=("trace.json.gz", "operators.csv"),
        )


def _export(profiler: Any, path: Path) -> None:
    """Writes the Chrome trace, gzipped at level 1.

    torch uses level 9, which takes ten times as long to save a quarter.
    """
    plain = path.with_suffix("")
    profiler.export_chrome_trace(str(plain))
    with plain.open("rb") as source, gzip.open(path, "wb", compresslevel=1) as target:
        shutil.copyfileobj(source, target, 1 << 20)
    plain.unlink()
