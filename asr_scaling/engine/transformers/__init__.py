"""Hugging Face transformers: the reference engine, and the one that runs every model of ``conf/model``."""

from __future__ import annotations

import importlib
import importlib.util
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from asr_scaling.errors import ConfigError, EngineError, OutOfMemoryError
from asr_scaling.model.spec import ModelSpec
from asr_scaling.ports import Device, Probe, SystemFacts, Transcription
from asr_scaling.workload import AudioBatch

if TYPE_CHECKING:
    from asr_scaling.engine.transformers._loaded import Family
    from asr_scaling.model.weights import Weights

DTYPES = ("float32", "bfloat16", "float16")
ATTENTION = ("eager", "sdpa", "flash_attention_2")
CACHES = ("dynamic", "static", "none")


@dataclass(frozen=True)
class Transformers:
    """``beam``: 1 is greedy. ``attention``: sdpa, eager or flash_attention_2. ``compile``: torch.compile the encoder
    and the decoding step. ``cache``: of keys and values, dynamic, static or none. ``long_form``: false for a model's
    first window only, as a plain call does; what lies beyond is lost, and said. ``seed``: of random weights.
    """

    dtype: str = "float32"
    beam: int = 1
    attention: str = "sdpa"
    compile: bool = False
    cache: str = "dynamic"
    long_form: bool = True
    seed: int = 42

    def __post_init__(self) -> None:
        for key, value, allowed in (
            ("dtype", self.dtype, DTYPES),
            ("attention", self.attention, ATTENTION),
            ("cache", self.cache, CACHES),
        ):
            if value not in allowed:
                raise ConfigError(f"engine.{key} must be one of {', '.join(allowed)}; got '{value}'.")
        if self.beam < 1:
            raise ConfigError(f"engine.beam must be at least 1; got {self.beam}.")

    def check(self, model: ModelSpec) -> None:
        """A family is known when this package has a module of its name."""
        known = model.family.isidentifier() and not model.family.startswith("_")
        if not known or importlib.util.find_spec(f"{__name__}.{model.family}") is None:
            raise EngineError(f"engine=transformers can't decode models of the family '{model.family}'.")
        self._generate_options(model)
        if not self.long_form and model.window_s is None:
            raise EngineError(f"'{model.name}' has no window: leave out engine.long_form=false.")
        from asr_scaling.model import build

        build.network_class(model)

    def load(self, model: ModelSpec, device: Device) -> TransformersSystem:
        """Resolve the weights, load them, move them to the device."""
        import torch
        import transformers

        from asr_scaling.engine.transformers._loaded import Loaded
        from asr_scaling.model.weights import resolve

        transformers.utils.logging.set_verbosity_error()
        transformers.utils.logging.disable_progress_bar()
        weights = resolve(model)
        dtype = getattr(torch, self.dtype)
        start = time.perf_counter()
        with _out_of_memory(model, device), torch.no_grad():
            network, features, tokenizer = self._parts(model, weights, dtype)
            network.eval().to(device.torch_name)
        device.seconds([device.mark()])  # waits for the copy
        load_s = time.perf_counter() - start
        compile_s = _compile(network) if self.compile else None
        loaded = Loaded(
            spec=model,
            model=network,
            features=features,
            tokenizer=tokenizer,
            device=torch.device(device.torch_name),
            dtype=dtype,
            generate=self._generate_options(model),
            long_form=self.long_form,
        )
        family = importlib.import_module(f"{__name__}.{model.family}").Adapter(loaded)
        return TransformersSystem(model, device, family, _facts(network, weights, self.dtype, load_s, compile_s))

    def _parts(self, model: ModelSpec, weights: Weights, dtype: Any) -> tuple[Any, Any, Any]:
        """Network, feature extractor and tokenizer; no tokenizer with random weights."""
        from asr_scaling.model import build

        if weights.folder is None:
            network: Any = build.random_model(model, self.seed, dtype)
            network.set_attn_implementation(self.attention)
            return network, build.feature_extractor(model), None
        import transformers

        folder = str(weights.folder)
        network = build.auto_class(model).from_pretrained(folder, dtype=dtype, attn_implementation=self.attention)
        features = transformers.AutoFeatureExtractor.from_pretrained(folder)
        return network, features, transformers.AutoTokenizer.from_pretrained(folder)

    def _generate_options(self, model: ModelSpec) -> dict[str, Any]:
        options: dict[str, Any] = {"num_beams": self.beam} if self.beam > 1 else {}
        if self.cache == "static":
            options["cache_implementation"] = "static"
        if self.cache == "none":
            options["use_cache"] = False
        if options and model.tokens_per_s is None:
            raise EngineError(f"'{model.name}' decodes without steps: leave out engine.beam and engine.cache.")
        return options


class TransformersSystem:
    """A model of the transformers library, loaded."""

    def __init__(self, model: ModelSpec, device: Device, family: Family, facts: SystemFacts) -> None:
        self._facts, self._model, self._device = facts, model, device
        self._family: Family | None = family
        self._compiled_before_s = None if facts.compile_s is None else _compile_seconds()

    @property
    def facts(self) -> SystemFacts:
        """What was loaded; the compile time grows with the calls that compile."""
        if self._compiled_before_s is None:
            return self._facts
        return replace(self._facts, compile_s=_compile_seconds() - self._compiled_before_s)

    @property
    def modules(self) -> Mapping[str, Any]:
        """Role → torch module."""
        return self._family.modules if self._family else {}

    def transcribe(self, batch: AudioBatch, probe: Probe) -> Transcription:
        """From samples in memory to texts."""
        import torch

        if self._family is None:
            raise EngineError(f"'{self._model.name}' is closed; load it again.")
        with _out_of_memory(self._model, self._device), torch.no_grad():
            return self._family.transcribe(batch, probe)

    def close(self) -> None:
        """Drop the model; a GPU's cached blocks go back to the driver."""
        self._family = None
        if self._device.kind == "cuda":
            import torch

            torch.cuda.empty_cache()


def _compile(network: Any) -> float:
    """Have the forward pass compiled in place by its first calls, so that hooks stay outside the compiled code."""
    import torch

    network.forward = torch.compile(network.forward)
    return 0.0


def _compile_seconds() -> float:
    """Wall seconds that torch.compile took in this process so far, by its own account."""
    from torch._dynamo.utils import calculate_time_spent

    return float(calculate_time_spent().get("total_wall_time", 0.0))


def _facts(network: Any, weights: Weights, dtype: str, load_s: float, compile_s: float | None) -> SystemFacts:
    tensors = [*network.parameters(), *network.buffers()]
    unique = {tensor.data_ptr(): tensor for tensor in tensors}
    return SystemFacts(
        weights=weights.kind,
        weights_source=weights.reason if weights.kind == "random" else weights.source,
        weights_bytes=sum(tensor.numel() * tensor.element_size() for tensor in unique.values()),
        parameters=sum(parameter.numel() for parameter in network.parameters()),
        dtype=dtype,
        load_s=load_s,
        compile_s=compile_s,
        details={"revision": weights.revision, "attention": network.config._attn_implementation},
    )


@contextmanager
def _out_of_memory(model: ModelSpec, device: Device) -> Iterator[None]:
    """Torch's ways of saying that memory is short, as one error."""
    import torch

    try:
        yield
    except (torch.OutOfMemoryError, MemoryError, RuntimeError) as error:
        said = str(error).lower()
        plain = isinstance(error, RuntimeError) and not isinstance(error, torch.OutOfMemoryError)
        if plain and "can't allocate memory" not in said and "out of memory" not in said:
            raise
        raise OutOfMemoryError(
            f"'{model.name}' does not fit in the memory of {device.torch_name}; use a smaller batch.size or model."
        ) from error
