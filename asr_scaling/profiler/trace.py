"""Where operator time goes: a Chrome trace, a table of operators, shares by class."""

from __future__ import annotations

import gzip
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from asr_scaling.core.metric import Metric
from asr_scaling.core.ports import Phase, Session
from asr_scaling.core.record import Findings
from asr_scaling.core.timing_probe import timed_call
from asr_scaling.profiler._figures import nothing_of
from asr_scaling.profiler._operators import (
    CLASSES,
    NO_OPERATORS,
    encoder_rows,
    marked_encoder,
    operator_rows,
    profiler_of,
    quiet_stderr,
    shares,
    write_csv,
)

_ARTIFACTS = ("trace.json.gz", "operators.csv")


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
            return nothing_of((f"ops/{name}_share" for name in (*CLASSES, "other")), NO_OPERATORS)
        cuda = session.device.kind == "cuda"
        profiler = profiler_of(session.device, self.shapes)
        with quiet_stderr():
            profiler.start()
        try:
            with marked_encoder(session.system.modules.get("encoder")):
                timed_call(session, session.batches[0])
        finally:
            with quiet_stderr():
                profiler.stop()
        trace, table = (session.folder / name for name in _ARTIFACTS)
        _export(profiler, trace)
        encoder = encoder_rows(profiler.events(), cuda)
        rows = sorted(operator_rows(profiler.key_averages(), cuda), key=lambda row: -row["self_s"])
        write_csv(table, ("operator", "class", "calls", "self_s", "share"), rows)
        figures = {f"{name}_share": share for name, share in shares(rows).items()}
        if encoder:
            figures |= {f"encoder_{name}_share": share for name, share in shares(encoder).items()}
            figures["encoder_s"] = sum(row["self_s"] for row in encoder)
        metrics = tuple(Metric(f"ops/{name}", value, 1) for name, value in figures.items())
        tags = {"ops/clock": "cuda" if cuda else "cpu"}
        return Findings(metrics, tags=tags, artifacts=_ARTIFACTS)


def _export(profiler: Any, path: Path) -> None:
    """Writes the Chrome trace, gzipped at level 1.

    torch uses level 9, which takes ten times as long to save a quarter.
    """
    plain = path.with_suffix("")
    profiler.export_chrome_trace(str(plain))
    with plain.open("rb") as source, gzip.open(path, "wb", compresslevel=1) as target:
        shutil.copyfileobj(source, target, 1 << 20)
    plain.unlink()
