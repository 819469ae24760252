"""Hugging Face transformers: the reference engine, which runs every model of ``conf/model``."""

from __future__ import annotations

import importlib
import importlib.util
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from asr_scaling.core.model_spec import ModelSpec
from asr_scaling.core.ports import Capabilities, Device, Probe, SystemFacts, Transcription
from asr_scaling.core.workload import AudioBatch
from asr_scaling.engine._shared.other_engine import engine_for
from asr_scaling.engine._shared.speech_system import out_of_memory
from asr_scaling.engine.transformers._compiled import compile_mode, compile_network, compile_seconds
from asr_scaling.engine.transformers._draft import draft_spec, load_draft
from asr_scaling.engine.transformers._options import TransformersOptions
from asr_scaling.errors import EngineError

if TYPE_CHECKING:
    from asr_scaling.engine._shared.token_texts import Texts
    from asr_scaling.engine.transformers._loaded_model import Family
    from asr_scaling.model.weights import Weights


@dataclass(frozen=True)
class Transformers(TransformersOptions):
    """The engine, with its options."""

    @property
    def capabilities(self) -> Capabilities:
        """How ``generate`` and the pipeline decode by default."""
        return Capabilities(decoding="greedy, unless generation_config.json says otherwise")

    def check(self, model: ModelSpec) -> None:
        """A family is known when this package has a module of its name."""
        public = model.family.isidentifier() and not model.family.startswith("_")
        if not public or importlib.util.find_spec(f"{__name__}.{model.family}") is None:
            other = engine_for(model)
            remedy = "" if other == "engine=transformers" else f": use {other}"
            raise EngineError(
                f"engine=transformers can't decode models of the family '{model.family}'{remedy}."
            )
        self.check_model(model)
        self._generate_options(model)
        from asr_scaling.model import transformers_objects

        transformers_objects.network_class(model)

    def load(self, model: ModelSpec, device: Device) -> TransformersSystem:
        """Resolve the weights, load them, move them to the device."""
        import torch
        import transformers

        from asr_scaling.engine._shared.token_texts import load_texts
        from asr_scaling.engine.transformers._network_facts import changed, drafted
        from asr_scaling.model.weights import resolve

        self.check_device(device)
        transformers.utils.logging.set_verbosity_error()
        transformers.utils.logging.disable_progress_bar()
        weights = resolve(model)
        dtype = getattr(torch, self.dtype)
        start = time.perf_counter()
        draft = None
        with out_of_memory(model, f"the memory of {device.torch_name}"), torch.no_grad():
            network, texts = self._network(model, weights, dtype), load_texts(model, weights)
            network = network.eval().to(device.torch_name)
            made = changed(network, self.dtype, self.changes, model, device)
            network, options = made.network, self._generate_options(model)
            if self.draft:
                spec = draft_spec(self.draft, model)
                draft = load_draft(spec, dtype, self.attention, device.torch_name)
                options["assistant_model"] = draft
        device.seconds([device.mark()])  # waits for the copy
        load_s = time.perf_counter() - start
        mode = compile_mode(self.compile)
        if mode == "regional" or (mode and self.decode == "library"):
            compile_network(network, mode)
        family = self._family(model, texts, network, device, options)
        facts = made.facts(weights, load_s, 0.0 if mode or self.cuda_graph else None)
        facts = facts if draft is None else drafted(facts, self.draft, draft)
        return TransformersSystem(model, device, family, facts)

    def _family(
        self, model: ModelSpec, texts: Texts, network: Any, device: Device, generate: dict[str, Any]
    ) -> Family:
        import torch

        from asr_scaling.engine.transformers._loaded_model import Loaded

        loaded = Loaded(
            spec=model,
            features=texts.features,
            tokenizer=texts.tokenizer,
            model=network,
            device=torch.device(device.torch_name),
            dtype=getattr(torch, self.dtype),
            options=self,
            generate=generate,
        )
        adapter: Family = importlib.import_module(f"{__name__}.{model.family}").Adapter(loaded)
        return adapter

    def _network(self, model: ModelSpec, weights: Weights, dtype: Any) -> Any:
        from asr_scaling.model import transformers_objects

        if weights.folder is not None:
            return transformers_objects.pretrained_model(
                model, weights.folder, dtype, self.attention
            )
        network: Any = transformers_objects.random_model(model, self.seed, dtype)
        network.set_attn_implementation(self.attention)
        return network

    def _generate_options(self, model: ModelSpec) -> dict[str, Any]:
        beam = self.decoding.beam
        options: dict[str, Any] = {"num_beams": beam} if beam > 1 else {}
        if self.cache == "static":
            options["cache_implementation"] = "static"
        if self.cache == "none":
            options["use_cache"] = False
        if options and model.tokens_per_s is None:
            raise EngineError(
                f"'{model.name}' decodes without steps: leave out decoding and engine.cache."
            )
        return options


class TransformersSystem:
    """A model of the transformers library, loaded."""

    def __init__(
        self, model: ModelSpec, device: Device, family: Family, facts: SystemFacts
    ) -> None:
        self._facts = facts
        self._model, self._device = model, device
        self._family: Family | None = family
        self._compiled_before_s = None if facts.compile_s is None else compile_seconds()

    @property
    def facts(self) -> SystemFacts:
        """What was loaded, and what the calls so far add to it: the time of those that compile."""
        if self._family is None:
            return self._facts
        facts = replace(
            self._facts, details={**(self._facts.details or {}), **self._family.details}
        )
        if self._compiled_before_s is None:
            return facts
        compiled_s = compile_seconds() - self._compiled_before_s
        return replace(facts, compile_s=compiled_s + (self._family.capture_s or 0.0))

    @property
    def modules(self) -> Mapping[str, Any]:
        """Role → torch module."""
        return self._family.modules if self._family else {}

    def transcribe(self, batch: AudioBatch, probe: Probe) -> Transcription:
        """From samples in memory to texts."""
        import torch

        if self._family is None:
            raise EngineError(f"'{self._model.name}' is closed; load it again.")
        with (
            out_of_memory(self._model, f"the memory of {self._device.torch_name}"),
            torch.no_grad(),
        ):
            return self._family.transcribe(batch, probe)

    def close(self) -> None:
        """Drop the model; a GPU's cached blocks go back to the driver."""
        self._family = None
        if self._device.kind == "cuda":
            import torch

            torch.cuda.empty_cache()
