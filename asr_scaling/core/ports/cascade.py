"""The modules of a cascade beside recognition, and how a cascade is put around an engine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from asr_scaling.core.ports.dataset import Batching, Fitting
from asr_scaling.core.ports.engine import Engine, SystemFacts
from asr_scaling.errors import EngineError


class LoadedModule(Protocol):
    """A module in memory.

    ``facts``: what was loaded. A module with random weights never decides what the next one hears:
    it runs, and what it costs counts, and its answer is thrown away.
    ``device_s``: seconds for which it has occupied an accelerator so far; 0 without one.
    ``moved_bytes``: bytes that it has moved so far between the processor's memory and an
    accelerator's.
    """

    @property
    def facts(self) -> SystemFacts: ...  # noqa: D102
    @property
    def device_s(self) -> float: ...  # noqa: D102
    @property
    def moved_bytes(self) -> int: ...  # noqa: D102

    def close(self) -> None:
        """Give all memory back. May be called twice."""


class VoiceActivity(LoadedModule, Protocol):
    """Finds where somebody speaks."""

    def speech(self, audio: NDArray[np.float32]) -> Sequence[tuple[float, float]]:
        """Start and end, in seconds, of each stretch of speech, in order, none overlapping another.

        ``audio``: shape ``[samples]``, mono, 16 kHz.
        """


class Punctuation(LoadedModule, Protocol):
    """Adds marks and capital letters to texts."""

    def restored(self, texts: Sequence[str]) -> Sequence[str]:
        """The texts with marks, capital letters, or both; as many and in the same order."""


class Speaker(LoadedModule, Protocol):
    """Tells voices apart.

    ``window_s``: seconds of speech that an embedding is made of.
    ``hop_s``: seconds from the start of a window to that of the next.
    """

    @property
    def window_s(self) -> float: ...  # noqa: D102
    @property
    def hop_s(self) -> float: ...  # noqa: D102

    def embeddings(self, windows: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
        """One vector of length 1 for each window, shape ``[windows, values]``.

        ``windows``: mono, 16 kHz, none longer than ``window_s``.
        """

    def speakers(self, embeddings: NDArray[np.float32]) -> NDArray[np.int64]:
        """The number of the speaker of each embedding, from 0, shape ``[windows]``."""


@runtime_checkable
class ModuleSpec(Protocol):
    """A module that can be loaded: the class that a YAML of its group names.

    ``device``: where it computes ("cpu", "cuda", "cuda:1"); None for where recognition does.
    ``threads``: threads of its own on the processor; None leaves it to its library.
    ``batch``: how many windows, parts or texts it is given at once.
    """

    @property
    def device(self) -> str | None: ...  # noqa: D102
    @property
    def threads(self) -> int | None: ...  # noqa: D102
    @property
    def batch(self) -> int: ...  # noqa: D102

    def check(self) -> None:
        """Import what is needed. Raises MissingExtraError without a package."""

    def load(self, torch_name: str) -> LoadedModule:
        """Load the module onto the device ``torch_name`` ("cpu", "cuda:0").

        Raises WeightsError or EngineError when that can't be done.
        """


@dataclass(frozen=True)
class Absent:
    """No module: what each group's ``none`` is. It is never loaded."""

    device: str | None = None
    threads: int | None = None
    batch: int = 1

    def check(self) -> None:
        """Needs nothing."""

    def load(self, torch_name: str) -> LoadedModule:
        """Raises EngineError: there is nothing to load."""
        raise EngineError(f"There is no module to load onto {torch_name}: choose one.")


ABSENT = Absent()


class Around(Protocol):
    """Modules around an engine: a cascade, or nothing."""

    def around(
        self, engine: Engine, batch: Batching | Fitting
    ) -> tuple[Engine, Batching | Fitting]:
        """The engine with the modules around it, and how recordings become calls of it.

        ``batch``: how what is recognised becomes batches of ``engine``: the segments of a recording
        where voice activity cuts it, else recordings.
        Raises ConfigError when they make no sense together.
        """


@dataclass(frozen=True)
class Alone:
    """Recognition alone."""

    def around(
        self, engine: Engine, batch: Batching | Fitting
    ) -> tuple[Engine, Batching | Fitting]:
        """Both as they are."""
        return engine, batch


ALONE = Alone()
