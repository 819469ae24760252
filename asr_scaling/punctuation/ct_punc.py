"""FunASR's ct-punc: a transformer that adds marks to Chinese and English, and capital letters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from asr_scaling.model.funasr_layouts import CT_PUNC
from asr_scaling.model.funasr_modules import FunAsrOptions, Loaded


@dataclass(frozen=True)
class CtPunc(FunAsrOptions):
    """Options of the punctuation.

    ``batch``: has no effect: FunASR gives it one text at a time.
    """

    funasr_model = "ct-punc"
    layout = CT_PUNC

    def load(self, torch_name: str) -> CtPuncRestorer:
        """Load it onto ``torch_name``. Raises WeightsError or DeviceError when it can't be."""
        return CtPuncRestorer(self.loaded(torch_name))


class CtPuncRestorer:
    """The punctuation in memory."""

    def __init__(self, loaded: Loaded) -> None:
        self._loaded = loaded
        self.facts = loaded.facts
        loaded.watch_transfers("punc_forward")

    @property
    def moved_bytes(self) -> int:
        """Bytes that it moved to an accelerator and back so far."""
        return self._loaded.moved_bytes

    def restored(self, texts: Sequence[str]) -> Sequence[str]:
        """The texts with marks and capital letters."""
        if not texts:
            return ()
        return tuple(answer["text"].strip() for answer in self._loaded.answers(texts))

    def close(self) -> None:
        """Drops the network."""
        self._loaded.close()
