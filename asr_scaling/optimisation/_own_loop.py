"""What optimisations have in common that engine=transformers offers in its own loop alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from asr_scaling.core.ports import Optimisation, SystemSpec, option_of
from asr_scaling.core.workload import AudioBatch
from asr_scaling.optimisation.decode_loop import DecodeLoop


class InOwnLoop:
    """An optimisation of the loop, where the engine has one; of other engines it needs nothing."""

    def needs(self, system: SystemSpec) -> Mapping[str, Optimisation]:
        """``decode_loop``, unless the engine decodes by the loop already."""
        library = option_of(system.engine, "decode") == "library"
        return {"decode_loop": DecodeLoop()} if library and system.model.window_s else {}

    def idle_on(self, system: SystemSpec, batches: Sequence[AudioBatch]) -> str | None:
        """It does nothing where the loop decodes nothing."""
        return DecodeLoop().idle_on(system, batches)
