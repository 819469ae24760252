"""The GPU encodes a part of a batch while the processor computes the features of the next part."""

from __future__ import annotations

from dataclasses import dataclass

from asr_scaling.core.ports import SystemSpec, option_of
from asr_scaling.optimisation._own_loop import InOwnLoop


@dataclass(frozen=True)
class Overlap(InOwnLoop):
    """Overlaps work within a call, since a call is what is timed.

    Nothing of the next batch is prepared before it is asked for. Launching work on a GPU does not
    wait for it, so no thread is needed; copies go through pinned memory.
    """

    def apply(self, system: SystemSpec) -> SystemSpec:
        """For models with a window, on a GPU: a processor would do both with the same cores."""
        kind = system.device.kind
        if kind != "cuda":
            system.refuse(
                f"has a GPU and the processor work at once, and device={kind} has one of them only"
            )
        if system.model.window_s is None:
            system.refuse(
                f"splits batches in Whisper's own loop, and '{system.model.name}' has no window"
            )
        return system.set("engine", overlap=True)

    def check(self, system: SystemSpec) -> None:
        """A batch of one has no parts."""
        if option_of(system.batch, "size") == 1:
            system.refuse("works on parts of a batch, and batch=1 has none: raise batch")
