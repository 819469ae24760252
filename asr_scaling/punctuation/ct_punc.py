"""FunASR's ct-punc: a transformer that adds marks to Chinese and English, and capital letters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from asr_scaling.model.funasr_layouts import CT_PUNC
from asr_scaling.model.funasr_modules import FunAsrOptions, LoadedModule


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


class CtPuncRestorer(LoadedModule):
    """The punctuation in memory."""

    transfers = "punc_forward"

    def restored(self, texts: Sequence[str]) -> Sequence[str]:
        """The texts with marks and capital letters."""
        if not texts:
            return ()
        return tuple(answer["text"].strip() for answer in self._loaded.answers(texts))
