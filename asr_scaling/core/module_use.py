"""What each module of a cascade cost in one call."""

from __future__ import annotations

from dataclasses import dataclass, field

VAD, PUNCTUATION = "vad", "punctuation"
SPEAKER = "speaker"
MODULES = (VAD, PUNCTUATION, SPEAKER)
"""Groups of the modules of a cascade, in the order of their work."""
RECOGNITION = "recognition"
"""Name of the module that turns speech into text; the others are called after their groups."""
BETWEEN = "between"
"""Name of the rest of a call: cutting, putting together, waiting, and threads of no module."""


@dataclass(frozen=True)
class ModuleUse:
    """What one module cost in one call of a cascade.

    wall_s: seconds during which it worked.
    cpu_s: seconds of processor time of its own threads, also while they only wait in a loop; None
    where the system doesn't tell.
    device_s: seconds during which it occupied an accelerator; None without one.
    wait_s: seconds that its inputs waited in the queue before it.
    moved_bytes: bytes that it moved between the processor's memory and an accelerator's; None where
    it does not tell.
    padding_share: share of the audio that it was given that is padding; None of other modules than
    recognition.
    calls: how often it was called.
    items: how many segments, windows or texts it was given.
    """

    wall_s: float = 0.0
    cpu_s: float | None = None
    device_s: float | None = None
    wait_s: float = 0.0
    moved_bytes: int | None = 0
    padding_share: float | None = None
    calls: int = 0
    items: int = 0


@dataclass(frozen=True)
class Span:
    """One stretch of work of a module in a call.

    module: its name.
    start_s, end_s: seconds from the beginning of the call.
    device: where it computed, as "cpu" or "cuda:0".
    items: how many segments, windows or texts it was given.
    """

    module: str
    start_s: float
    end_s: float
    device: str = "cpu"
    items: int = 0


@dataclass(frozen=True)
class Account:
    """What a call of a cascade cost, module by module.

    total_s: seconds that the call took.
    cpu_s: processor seconds of the whole process during the call.
    modules: name → what it cost, with the rest under ``BETWEEN``. In a plain chain the wall times
    add up to ``total_s``; where modules overlap they may be more.
    spans: every stretch of work, in the order in which they ended.
    """

    total_s: float
    cpu_s: float
    modules: dict[str, ModuleUse] = field(default_factory=dict)
    spans: tuple[Span, ...] = ()
