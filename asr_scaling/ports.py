"""The seams of the framework on one page: what can be replaced, what each may expect of the others (composition.py)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, runtime_checkable

from asr_scaling.model.spec import ModelSpec
from asr_scaling.record import Findings, RunRecord
from asr_scaling.workload import AudioBatch, Utterance, Workload

if TYPE_CHECKING:
    from asr_scaling.pipeline import Session

Phase = Literal["timed", "disturbing", "final"]
PHASES: tuple[Phase, ...] = ("timed", "disturbing", "final")


class DeviceMemory(Protocol):
    """The accelerator's own memory."""

    def reset(self) -> None:
        """Forget the peak."""
        ...

    def peak_bytes(self) -> int | None:
        """Most bytes allocated since ``reset``; None where the device has no memory of its own."""
        ...


class Device(Protocol):
    """Where a system runs, and the clock that is right there.

    ``torch_name``: what ``torch.device()`` takes ("cpu", "cuda:0"). ``kind``: "cpu" or "cuda".
    ``memory``: the meter of the device's own memory; on a CPU a null object that knows nothing.
    """

    @property
    def kind(self) -> str: ...  # noqa: D102
    @property
    def torch_name(self) -> str: ...  # noqa: D102
    @property
    def memory(self) -> DeviceMemory: ...  # noqa: D102

    def setup(self) -> Mapping[str, Any]:
        """Apply the options (threads, TF32 …) and return what is in force; DeviceError when it isn't there."""
        ...

    def mark(self) -> Any:
        """Mark this moment on the device's own time line, without waiting for the device."""
        ...

    def seconds(self, marks: Sequence[Any]) -> list[float]:
        """Wait for the device; then seconds from the first mark to each of ``marks``."""
        ...


class Probe(Protocol):
    """What an engine tells while it transcribes. Everything up to the next call belongs to the stage named last."""

    def stage(self, name: str) -> None:
        """A stage begins: features, transfer, encoder, decoder, text, or one of the engine's own."""
        ...

    def token(self) -> None:
        """One decoding step of the whole batch is complete."""
        ...


@dataclass(frozen=True)
class Transcription:
    """What a system made of a batch; every tuple has one entry per utterance, in the batch's order.

    ``tokens``: generated tokens that carry the text (no prompt, padding or end of text).
    ``audio_s``: seconds of audio really processed: less than the utterance's duration means truncated.
    ``steps``: decoding steps of the whole batch, 0 for models that don't decode step by step. ``again``: utterances
    that were decoded a second time, because the first looked like a loop.
    """

    texts: tuple[str, ...]
    tokens: tuple[int, ...]
    audio_s: tuple[float, ...]
    steps: int = 0
    again: int = 0


@dataclass(frozen=True)
class SystemFacts:
    """What was really loaded: provenance of the weights, sizes, and whether texts mean anything.

    ``load_s``: seconds from weights on disk to a model on the device; imports, downloads and conversions are outside.
    ``compile_s``: spent compiling so far, None where nothing is compiled. ``unobservable``: metric → why it can't be.
    """

    weights: str
    weights_source: str
    weights_bytes: int
    parameters: int
    dtype: str
    load_s: float = 0.0
    compile_s: float | None = None
    notes: tuple[str, ...] = ()
    details: Mapping[str, Any] | None = None
    unobservable: Mapping[str, str] = field(default_factory=dict)

    @property
    def random(self) -> bool:
        """True when the weights are random: then texts mean nothing and no WER may be computed."""
        return self.weights == "random"


class System(Protocol):
    """A model loaded by an engine onto a device: the system under test. ``modules``: role ("encoder", "decoder",
    "model") → torch module, empty where the engine has none to show.
    """

    @property
    def facts(self) -> SystemFacts: ...  # noqa: D102
    @property
    def modules(self) -> Mapping[str, Any]: ...  # noqa: D102

    def transcribe(self, batch: AudioBatch, probe: Probe) -> Transcription:
        """From samples in memory to texts. EngineError, OutOfMemoryError."""
        ...

    def close(self) -> None:
        """Give all memory back. May be called twice."""
        ...


class Engine(Protocol):
    """Software that runs models: transformers, faster-whisper, ONNX Runtime …"""

    def check(self, model: ModelSpec) -> None:
        """Import what is needed, so that loading is only loading. EngineError, MissingExtraError."""
        ...

    def load(self, model: ModelSpec, device: Device) -> System:
        """Load ``model`` onto ``device``. WeightsError, EngineError, OutOfMemoryError."""
        ...


class Dataset(Protocol):
    """A source of speech with transcripts."""

    @property
    def name(self) -> str: ...  # noqa: D102

    def load(self, limit: int | None) -> Workload:
        """At most ``limit`` utterances, the same ones at every call; DataError when there is none."""
        ...


class Batching(Protocol):
    """How utterances become batches."""

    @property
    def size(self) -> int: ...  # noqa: D102

    def batches(self, utterances: Sequence[Utterance]) -> list[AudioBatch]:
        """Batches of ``size``; every utterance is in at least one."""
        ...


@runtime_checkable
class Fitting(Protocol):
    """A batching whose size the loaded system decides."""

    def fit(
        self, system: System, device: Device, utterance: Utterance, idle_rss_bytes: int
    ) -> tuple[Batching, Findings]:
        """Try batches of ``utterance``; the batching of the size found. OutOfMemoryError when not even 1 fits."""
        ...


class Measurement(Protocol):
    """One kind of figure. ``phase``: "timed" reads what the timed pass left, with at most a few calls more of the same
    kind; "disturbing" runs passes of its own after that; "final" may transcribe whatever nobody transcribed yet.
    """

    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def phase(self) -> Phase: ...  # noqa: D102

    def measure(self, session: Session) -> Findings:
        """Metrics, artifacts and warnings; what can't be measured here is returned as unavailable, with a reason."""
        ...


class Watch(Protocol):
    """A measurement's eyes on the timed pass: reads counters that run anyway, between calls and never within one."""

    def begin(self) -> None:
        """The timed pass begins now."""
        ...

    def after(self, batch: AudioBatch) -> None:
        """A timed call on ``batch`` has just ended."""
        ...

    def close(self) -> None:
        """Give everything back. May be called twice."""
        ...


@runtime_checkable
class Watcher(Protocol):
    """A measurement that also watches the idle machine and the timed pass."""

    def watch(self, device: Device) -> Watch:
        """Look at the idle machine, before anything is loaded; what this returns is in ``Session.watches``."""
        ...


class Sink(Protocol):
    """Where records go. ``hint``: one line that tells the user how to look at them."""

    @property
    def hint(self) -> str: ...  # noqa: D102

    def open(self, name: str, config: Mapping[str, Any], earlier: str | None = None) -> str:
        """Check that the store answers; begin a sweep or go on with ``earlier``. The token is for ``write``."""
        ...

    def write(self, record: RunRecord, folder: Path, parent: str | None) -> None:
        """Store one finished point, its files in ``folder``, once, in place of an older one of it. TrackingError."""
        ...

    def close(self, parent: str, status: str, files: Sequence[Path] = ()) -> None:
        """End the sweep. ``files``: files and folders to store with it. TrackingError."""
        ...


class Progress(Protocol):
    """Who is told how far a point is."""

    def stage(self, name: str) -> None:
        """A stage of the point begins."""
        ...

    def advance(self, fraction: float) -> None:
        """The stage is ``fraction`` (0…1) done."""
        ...

    def say(self, line: str) -> None:
        """Something a reader must know while the point is still running."""
        ...
