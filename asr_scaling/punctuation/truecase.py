"""Capital letters by counts of words and of their neighbours in English text."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata
from importlib.resources import files
from typing import Any

from asr_scaling.core.option_checks import imported
from asr_scaling.core.ports import SystemFacts
from asr_scaling.errors import DeviceError

EXTRA = "cascade"
_WORD = re.compile(r"\w+(?:['’]\w+)*")


@dataclass(frozen=True)
class TrueCase:
    """Sets capital letters with the package truecase, which carries its counts (Apache-2.0).

    It adds no marks: those that recognition gave stay. English only.

    ``device``: it computes on the processor only.
    ``threads``: it has one.
    ``batch``: texts in a call.
    """

    device: str | None = "cpu"
    threads: int | None = 1
    batch: int = 16

    def check(self) -> None:
        """Import the package. Raises MissingExtraError without it."""
        imported("truecase", EXTRA)

    def load(self, torch_name: str) -> TrueCaser:
        """The counts, which takes some seconds.

        Raises DeviceError for a device that isn't the processor.
        """
        if torch_name != "cpu":
            raise DeviceError(
                f"punctuation=truecase computes on the processor only, not on {torch_name}."
            )
        return TrueCaser()


class TrueCaser:
    """The counts in memory."""

    device_s, moved_bytes = 0.0, 0

    def __init__(self) -> None:
        from truecase.TrueCaser import TrueCaser as Package

        start_s = time.perf_counter()
        self._caser: Any = Package()
        self.facts = SystemFacts(
            weights="pretrained",
            weights_source=f"package truecase {metadata.version('truecase')}",
            weights_bytes=len(files("truecase").joinpath("data", "english.dist").read_bytes()),
            parameters=0,
            dtype="counts",
            load_s=time.perf_counter() - start_s,
        )

    def restored(self, texts: Sequence[str]) -> list[str]:
        """The texts with capital letters where English has them."""
        return [self._cased(text) for text in texts]

    def _cased(self, text: str) -> str:
        """A word that the counts don't have stays as it is."""
        words = _WORD.findall(text)
        if not words:
            return text
        found: list[str] = self._caser.get_true_case_from_tokens([w.lower() for w in words])
        known = self._caser.word_casing_lookup
        cased = [
            new if word.lower() in known else word for word, new in zip(words, found, strict=True)
        ]
        cased[0] = cased[0][:1].upper() + cased[0][1:]
        left = iter(cased)
        return _WORD.sub(lambda _: next(left), text)

    def close(self) -> None:
        """Forget the counts."""
        self._caser = None
