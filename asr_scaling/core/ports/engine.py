"""Device, engine, loaded system, and the probe that a system reports to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass, replace
from typing import Any, Protocol, runtime_checkable

from asr_scaling.core.model_spec import ModelSpec
from asr_scaling.core.module_use import Account
from asr_scaling.core.turns import Turn
from asr_scaling.core.workload import AudioBatch


class DeviceMemory(Protocol):
    """The accelerator's own memory."""

    def reset(self) -> None:
        """Forget the peak."""

    def peak_bytes(self) -> int | None:
        """Most bytes allocated since ``reset``; None where the device has no memory of its own."""


class Device(Protocol):
    """Where a system runs, and the clock that is right there.

    ``kind``: "cpu" or "cuda".
    ``torch_name``: what ``torch.device()`` takes ("cpu", "cuda:0").
    ``memory``: the meter of the device's own memory; on a CPU a null object that knows nothing.
    """

    @property
    def kind(self) -> str: ...  # noqa: D102
    @property
    def torch_name(self) -> str: ...  # noqa: D102
    @property
    def memory(self) -> DeviceMemory: ...  # noqa: D102

    def setup(self) -> Mapping[str, Any]:
        """Apply the options (threads, TF32 …) and return what is in force.

        Raises DeviceError when the device isn't there.
        """

    def mark(self) -> Any:
        """Mark this moment on the device's own time line, without waiting for the device."""

    def seconds(self, marks: Sequence[Any]) -> list[float]:
        """Wait for the device; then seconds from the first mark to each of ``marks``."""


class Probe(Protocol):
    """What an engine tells while it transcribes.

    Time belongs to the stage that was named last.
    """

    def stage(self, name: str) -> None:
        """A stage begins: features, transfer, encoder, decoder, text, or another one."""

    def token(self) -> None:
        """One decoding step of the whole batch is complete."""


class NullProbe:
    """Watches nothing."""

    def stage(self, name: str) -> None:
        """Ignored."""

    def token(self) -> None:
        """Ignored."""


@dataclass(frozen=True)
class Transcription:
    """The hypotheses of a batch; each tuple has one entry per utterance, in the batch's order.

    ``tokens``: number of generated tokens that carry the text: no prompt, padding or end of text.
    ``audio_s``: seconds of audio that were processed; fewer than the utterance has if it was cut.
    ``steps``: decoding steps of the whole batch; 0 for models that don't decode step by step.
    ``again``: number of utterances decoded more than once, because a hypothesis failed.
    ``temperatures``: at which each text was decoded; empty where the engine does not tell.
    ``decodings``: how often each utterance was decoded; empty where the engine does not tell.
    ``languages``: code of the language that each was transcribed in, asked for or recognised; empty
    where the model has no choice or does not tell.
    ``turns``: of each recording what was said when and by whom, as far as a cascade tells it; empty
    for other systems.
    ``account``: what each module of a cascade cost; None for other systems.
    """

    texts: tuple[str, ...]
    tokens: tuple[int, ...]
    audio_s: tuple[float, ...]
    steps: int = 0
    again: int = 0
    temperatures: tuple[float, ...] = ()
    decodings: tuple[int, ...] = ()
    languages: tuple[str, ...] = ()
    turns: tuple[tuple[Turn, ...], ...] = ()
    account: Account | None = None

    def once(self) -> Transcription:
        """The same, of an engine that decoded every utterance once at temperature 0."""
        n = len(self.texts)
        return replace(self, temperatures=(0.0,) * n, decodings=(1,) * n)


@dataclass(frozen=True)
class SystemFacts:
    """What was really loaded: provenance of the weights, sizes, and whether texts mean anything.

    ``weights``: "pretrained", "random" …
    ``weights_source``: where they are from; of random weights, why there are no others.
    ``weights_bytes``: size of the weights.
    ``parameters``: number of them.
    ``dtype``: data type that the model computes in.
    ``load_s``: seconds from weights on disk to a model on the device; imports, downloads and
    conversions are outside.
    ``compile_s``: seconds spent compiling so far; None where nothing is compiled.
    ``notes``: sentences that a reader of the record must know.
    ``details``: facts that only this engine has.
    ``unobservable``: metric → why this system does not show it.
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
    """A model that an engine loaded onto a device.

    ``modules``: role ("encoder", "decoder", "model") → torch module; empty where there is none.
    """

    @property
    def facts(self) -> SystemFacts: ...  # noqa: D102
    @property
    def modules(self) -> Mapping[str, Any]: ...  # noqa: D102

    def transcribe(self, batch: AudioBatch, probe: Probe) -> Transcription:
        """From samples in memory to texts.

        Raises EngineError when it can't, OutOfMemoryError when memory is too small.
        """

    def close(self) -> None:
        """Give all memory back. May be called twice."""


@dataclass(frozen=True)
class Capabilities:
    """What an engine can do. An engine that declares nothing has the defaults.

    ``reads_weights``: it reads the model's weights, which a sweep fetches before its jobs begin.
    ``streaming``: it transcribes audio while the audio still arrives.
    ``decoding``: how its package decodes where nobody says anything; empty where that is not known.
    ``any_device``: it computes nothing, so that a device that can't compute does.
    """

    reads_weights: bool = True
    streaming: bool = False
    decoding: str = ""
    any_device: bool = False


@runtime_checkable
class Declaring(Protocol):
    """An engine that declares what it can do."""

    @property
    def capabilities(self) -> Capabilities: ...  # noqa: D102


class Engine(Protocol):
    """Software that runs models: transformers, faster-whisper, ONNX Runtime …

    May also be ``Declaring``, ``Bounded`` and ``Placed``.
    """

    def check(self, model: ModelSpec) -> None:
        """Import what is needed, so that loading is only loading.

        Raises EngineError when the engine can't run ``model``, MissingExtraError without a package.
        """

    def load(self, model: ModelSpec, device: Device) -> System:
        """Load ``model`` onto ``device``.

        Raises WeightsError when there are no weights, EngineError when they can't be loaded,
        OutOfMemoryError when memory is too small.
        """


@runtime_checkable
class Bounded(Protocol):
    """An engine that can't transcribe speech of any length."""

    def check_length(self, model: ModelSpec, longest_s: float) -> None:
        """Raises EngineError when an utterance of ``longest_s`` seconds is too long.

        Loads nothing.
        """


@runtime_checkable
class Placed(Protocol):
    """An engine that knows before it loads what it can't do on a device."""

    def check_device(self, device: Device) -> None:
        """Raises EngineError when its options can't be had on ``device``. Loads nothing."""


@runtime_checkable
class Wrapping(Protocol):
    """An engine that puts modules around another one."""

    @property
    def recognition(self) -> Engine:
        """The engine that recognises."""


def recogniser(engine: Engine) -> Engine:
    """``engine``, or the one that recognises inside it."""
    return engine.recognition if isinstance(engine, Wrapping) else engine


def capabilities(engine: Engine) -> Capabilities:
    """What ``engine`` declares, or the defaults."""
    return engine.capabilities if isinstance(engine, Declaring) else Capabilities()


def option_of(part: object, name: str) -> Any:
    """Value of the option ``name`` of an engine, a batching …; None when it has no such option."""
    options = {option.name for option in fields(part)} if is_dataclass(part) else ()
    return getattr(part, name) if name in options else None
