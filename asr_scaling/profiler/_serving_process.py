"""What a process holds that serves a system and does nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from asr_scaling.core.memory_parts import MEMORY_PARTS
from asr_scaling.core.ports import NullProbe
from asr_scaling.core.workload import AudioBatch
from asr_scaling.machine.fresh_process import Read, prepare
from asr_scaling.machine.memory import file_bytes, peak_resident, resident_bytes
from asr_scaling.machine.nvml import process_bytes

CALLS = 3
"""The first allocates what later ones use again; allocators may grow for two or three."""


@dataclass(frozen=True)
class Held:
    """Resident bytes of the process, step by step.

    ``imported``: Python, the engine's packages and what ``load_system`` imports; no weights yet.
    ``loading``: most while the system was loaded.
    ``loaded``: once it was loaded.
    ``calling``: most while it transcribed.
    ``called``: once it had transcribed.
    ``files``: of ``called``, pages of files: libraries, and weights that are mapped; None if
    unknown.
    ``on_device``: what the process held on the accelerator after the calls, None on a CPU; in
    words why it is not known.
    ``method``: how peaks were found.
    """

    imported: int
    loading: int
    loaded: int
    calling: int
    called: int
    files: int | None = None
    on_device: int | str | None = None
    method: str = ""

    @property
    def peak(self) -> int:
        """The most that the process ever held."""
        return max(self.imported, self.loading, self.loaded, self.calling, self.called)

    @property
    def parts(self) -> dict[str, int]:
        """Each of ``MEMORY_PARTS`` → what it adds to those before it; they add up to ``peak``.

        None is negative: what loading left and calls gave back is a part of the calls.
        """
        held = [0, self.imported, min(self.loaded, self.called), self.called, self.calling]
        for i in range(1, len(held)):
            held[i] = max(held[i - 1], held[i])
        added = (after - before for before, after in pairwise([*held, self.peak]))
        return dict(zip(MEMORY_PARTS, added, strict=True))


def serve(read: Read) -> Held:
    """Load a system as ``load_system`` does and transcribe one batch ``CALLS`` times.

    read: gives model, engine and device as one argument, then the batch.
    Raises what engine and device raise.
    """
    model, engine, device = read()
    prepare(model, engine, device)
    imported = resident_bytes()
    with peak_resident() as loading:
        system = engine.load(model, device)
    loaded = resident_bytes()
    batch: AudioBatch = read()
    with peak_resident() as calling:
        for _ in range(CALLS):
            system.transcribe(batch, NullProbe())
    called, files = resident_bytes(), file_bytes()
    on_device = None if device.kind == "cpu" else process_bytes(device.torch_name)
    return Held(
        imported, loading.bytes, loaded, calling.bytes, called, files, on_device, calling.method
    )
