"""The system under test and what it runs on: device, engine, loaded system, and the probe it reports to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any, Protocol, runtime_checkable

from asr_scaling.core.model_spec import ModelSpec
from asr_scaling.core.workload import AudioBatch


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


class NullProbe:
    """Watches nothing."""

    def stage(self, name: str) -> None:
        """Ignored."""

    def token(self) -> None:
        """Ignored."""


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


@dataclass(frozen=True)
class Capabilities:
    """What an engine can do. An engine that declares nothing has the defaults.

    ``reads_weights``: it reads the model's weights, which a sweep fetches before its jobs begin.
    ``streaming``: it transcribes audio while the audio still arrives.
    """

    reads_weights: bool = True
    streaming: bool = False


@runtime_checkable
class Declaring(Protocol):
    """An engine that declares what it can do."""

    @property
    def capabilities(self) -> Capabilities: ...  # noqa: D102


class Engine(Protocol):
    """Software that runs models: transformers, faster-whisper, ONNX Runtime …

    May also be ``Declaring`` and ``Bounded``.
    """

    def check(self, model: ModelSpec) -> None:
        """Import what is needed, so that loading is only loading. EngineError, MissingExtraError."""
        ...

    def load(self, model: ModelSpec, device: Device) -> System:
        """Load ``model`` onto ``device``. WeightsError, EngineError, OutOfMemoryError."""
        ...


@runtime_checkable
class Bounded(Protocol):
    """An engine that can't transcribe speech of any length."""

    def check_length(self, model: ModelSpec, longest_s: float) -> None:
        """EngineError where an utterance of ``longest_s`` is too long; nothing is loaded for that."""
        ...


def capabilities(engine: Engine) -> Capabilities:
    """What ``engine`` declares, or the defaults."""
    return engine.capabilities if isinstance(engine, Declaring) else Capabilities()


def option_of(part: object, name: str) -> Any:
    """The value of the option ``name`` of an engine, a batching …; None when it has no such option."""
    options = {option.name for option in fields(part)} if is_dataclass(part) else ()
    return getattr(part, name) if name in options else None
