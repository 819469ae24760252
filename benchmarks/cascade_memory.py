"""What does a recording's length cost in memory?

    python benchmarks/cascade_memory.py --minutes 10 180

For each length a fresh process loads a cascade (silero, Whisper tiny.en, Resemblyzer) and
transcribes one synthetic meeting of that length. Printed: the most resident memory of the process
during the call, beyond what it held once the cascade was loaded, and RTFx.
"""

from __future__ import annotations

import argparse
import multiprocessing
import time

from asr_scaling.core.ports import NullProbe
from asr_scaling.core.workload import AudioBatch
from asr_scaling.dataset.meetings import Meetings
from asr_scaling.machine.memory import peak_resident, resident_bytes
from cascade import CASCADES, COMMON, composed


def measured(name: str, minutes: float) -> None:
    """Print the line of one length."""
    spec = composed((*COMMON, *CASCADES[name]))
    spec.check()
    spec.device.setup()
    system = spec.engine.load(spec.model, spec.device)
    short = Meetings(minutes=2, recordings=1).load(1).utterances
    for _ in range(2):
        system.transcribe(AudioBatch(short), NullProbe())
    recordings = Meetings(minutes=minutes, recordings=1).load(1).utterances
    before, start_s = resident_bytes(), time.perf_counter()
    with peak_resident() as peak:
        result = system.transcribe(AudioBatch(recordings), NullProbe())
    took_s = time.perf_counter() - start_s
    most = max(peak.bytes, resident_bytes())
    texts = sum(len(text) for text in result.texts)
    print(
        f"{name:26} {minutes:5g} min: {before / 1e6:6.0f} MB before, at most {most / 1e6:6.0f} MB, "
        f"{(most - before) / 1e6:6.1f} MB more; {texts / 1e3:.0f} thousand letters; "
        f"RTFx {recordings[0].duration_s / took_s:.1f}",
        flush=True,
    )


def main() -> None:
    """A fresh process for each length of each cascade."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--minutes", type=float, nargs="*", default=[10.0, 180.0])
    parser.add_argument("--systems", nargs="*", default=["cascade", "cascade, overlapped"])
    asked = parser.parse_args()
    context = multiprocessing.get_context("spawn")
    for name in asked.systems:
        for minutes in asked.minutes:
            process = context.Process(target=measured, args=(name, minutes))
            process.start()
            process.join()


if __name__ == "__main__":
    main()
