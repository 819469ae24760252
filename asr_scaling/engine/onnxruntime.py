"""ONNX Runtime: Whisper and CTC models as graphs exported from transformers."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asr_scaling.core.option_checks import one_of
from asr_scaling.core.ports import Device
from asr_scaling.engine._onnx.exported_engine import ExportedEngine, Graphs
from asr_scaling.engine._onnx.networks import cross_names, self_names
from asr_scaling.errors import EngineError
from asr_scaling.machine.threads import threads

LEVELS = {
    "disabled": "ORT_DISABLE_ALL",
    "basic": "ORT_ENABLE_BASIC",
    "extended": "ORT_ENABLE_EXTENDED",
    "all": "ORT_ENABLE_ALL",
}
PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}


@dataclass(frozen=True)
class OnnxRuntime(ExportedEngine):
    """Options of the engine; the others are those of ExportedEngine.

    ``dtype``: float32; or int8, for weights in 8 bits per output channel and activations that are
    quantised while they are computed.
    ``graph_optimisation``: disabled, basic, extended or all.
    """

    name = "onnxruntime"
    tolerance = MappingProxyType({"float32": 1e-3, "int8": 0.35})
    graph_optimisation: str = "all"

    def __post_init__(self) -> None:
        super().__post_init__()
        one_of("engine.graph_optimisation", self.graph_optimisation, LEVELS)

    def graphs(self, device: Device) -> Graphs:
        """Graphs loaded onto the device."""
        import onnxruntime

        provider, offered = PROVIDERS[device.kind], onnxruntime.get_available_providers()
        if provider not in offered:
            raise EngineError(
                f"This onnxruntime has no {provider} (only {', '.join(offered)}): install "
                "onnxruntime-gpu in its place, or use device=cpu."
            )
        if self.dtype == "int8" and device.kind != "cpu":
            raise EngineError(
                "engine.dtype=int8 of engine=onnxruntime is for processors: use float32 or "
                "device=cpu."
            )
        runtime = Runtime(device.torch_name, threads(), self.graph_optimisation)
        return Graphs(
            steps=partial(OrtSteps, runtime),
            frames=partial(OrtFrames, runtime),
            fill=_quantise if self.dtype == "int8" else None,
            options={"version": onnxruntime.__version__, "provider": provider},
            details={"provider": provider, "graph_optimisation": self.graph_optimisation},
        )


def _quantise(origin: Path, new: Path) -> None:
    """Writes constant matrices of products in 8 bits.

    Convolutions and embeddings stay: they have few weights and are slower in 8 bits.
    """
    import onnx
    from onnxruntime.quantization import QuantType, quantize_dynamic

    # It advises a preparation that the exporter has done, through the root logger.
    logging.getLogger().disabled = True
    try:
        for path in origin.glob("*.onnx"):
            model = onnx.load(path)
            _untie(model.graph)
            quantize_dynamic(
                model,
                new / path.name,
                op_types_to_quantize=["MatMul"],
                per_channel=True,
                weight_type=QuantType.QInt8,
                use_external_data_format=True,
            )
    finally:
        logging.getLogger().disabled = False


def _untie(graph: Any) -> None:
    """Gives the output layer a matrix of its own, since only this one shall be quantised.

    Before, it shares its matrix with the embedding.
    """
    from onnx import helper, numpy_helper

    constants = {tensor.name: tensor for tensor in graph.initializer}
    for node in graph.node:
        if node.op_type == "Gemm":
            tied = numpy_helper.to_array(constants[node.input[1]])
            name = f"{node.input[1]}_transposed"
            graph.initializer.append(numpy_helper.from_array(np.ascontiguousarray(tied.T), name))
            node.CopyFrom(
                helper.make_node("MatMul", [node.input[0], name], list(node.output), name=node.name)
            )


@dataclass(frozen=True)
class Runtime:
    """How sessions are made: on which device, with how many threads, how far optimised."""

    device: str
    threads: int
    level: str

    def session(self, path: Path) -> Any:
        """The graph at ``path``, loaded."""
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = self.threads, 1
        options.graph_optimization_level = getattr(
            onnxruntime.GraphOptimizationLevel, LEVELS[self.level]
        )
        options.log_severity_level = 3
        return onnxruntime.InferenceSession(path, options, providers=self.providers)

    @property
    def kind(self) -> str:
        """The device's name in ONNX Runtime."""
        return self.device.partition(":")[0]

    @property
    def index(self) -> int:
        """The device's number."""
        return int(self.device.partition(":")[2] or 0)

    @property
    def providers(self) -> list[Any]:
        """The device's provider with its options; the processor's for what that one lacks."""
        if self.kind == "cpu":
            return [PROVIDERS["cpu"]]
        import torch

        # device.tf32, which the provider would turn on by itself
        tf32 = int(torch.backends.cuda.matmul.allow_tf32)
        options = {"device_id": self.index, "use_tf32": tf32}
        return [(PROVIDERS[self.kind], options), PROVIDERS["cpu"]]

    def value(self, array: NDArray[Any]) -> Any:
        """``array`` on the device."""
        import onnxruntime

        return onnxruntime.OrtValue.ortvalue_from_numpy(array, self.kind, self.index)


class OrtSteps:
    """Whisper's graphs in ONNX Runtime; keys and values stay where they were computed."""

    def __init__(self, runtime: Runtime, folder: Path) -> None:
        self._runtime = runtime
        self._encoder = runtime.session(folder / "encoder.onnx")
        self._decoder = runtime.session(folder / "step.onnx")
        layers = len(self._encoder.get_outputs()) // 2
        self._audio = cross_names(layers)
        self._past, self._present = self_names("past", layers), self_names("present", layers)
        shapes = {graph_input.name: graph_input.shape for graph_input in self._decoder.get_inputs()}
        _, self._heads, _, self._size = shapes[self._past[0]]
        self._binding: Any = None

    def encode(self, features: NDArray[np.float32]) -> None:
        """Bind the audio's keys and values to the decoder, and an empty past."""
        runtime, binding = self._runtime, self._encoder.io_binding()
        binding.bind_cpu_input("features", np.ascontiguousarray(features))
        for name in self._audio:
            binding.bind_output(name, runtime.kind, runtime.index)
        self._encoder.run_with_iobinding(binding)
        self._binding = self._decoder.io_binding()
        self._heard = binding.get_outputs()
        for name, value in zip(self._audio, self._heard, strict=True):
            self._binding.bind_ortvalue_input(name, value)
        self._forget(len(features))

    def step(self, tokens: NDArray[np.int64], forbidden: NDArray[np.float32]) -> NDArray[np.int64]:
        """One pass of the decoder; the new keys and values become the next one's past."""
        runtime, binding = self._runtime, self._binding
        binding.bind_cpu_input("tokens", tokens)
        binding.bind_cpu_input("forbidden", forbidden)
        binding.clear_binding_outputs()
        binding.bind_output("next", "cpu")
        for name in self._present:
            binding.bind_output(name, runtime.kind, runtime.index)
        binding.bind_output("logits", runtime.kind, runtime.index)
        self._decoder.run_with_iobinding(binding)
        chosen, *self._kept, self._logits = binding.get_outputs()
        for name, value in zip(self._past, self._kept, strict=True):
            binding.bind_ortvalue_input(name, value)
        return chosen.numpy()  # type: ignore[no-any-return]

    def logits(self) -> NDArray[np.float32]:
        """Of the last step."""
        return self._logits.numpy()  # type: ignore[no-any-return]

    def spread(self, times: int) -> None:
        """Begin anew with what was encoded, every row ``times`` times."""
        for name, value in zip(self._audio, self._heard, strict=True):
            if times > 1:
                repeated = self._runtime.value(np.repeat(value.numpy(), times, axis=0))
                self._binding.bind_ortvalue_input(name, repeated)
        self._forget(self._heard[0].shape()[0] * times)

    def reorder(self, rows: Sequence[int]) -> None:
        """The tokens' keys and values become those of ``rows``."""
        if list(rows) == list(range(len(rows))):
            return
        for name, value in zip(self._past, self._kept, strict=True):
            ordered = np.ascontiguousarray(value.numpy()[list(rows)])
            self._binding.bind_ortvalue_input(name, self._runtime.value(ordered))

    def _forget(self, rows: int) -> None:
        """Bind an empty past of so many rows."""
        empty = np.zeros((rows, self._heads, 0, self._size), np.float32)
        nothing = self._runtime.value(empty)
        for name in self._past:
            self._binding.bind_ortvalue_input(name, nothing)


class OrtFrames:
    """A CTC graph in ONNX Runtime."""

    def __init__(self, runtime: Runtime, folder: Path) -> None:
        self._session = runtime.session(folder / "model.onnx")

    def run(self, inputs: Mapping[str, NDArray[Any]], output: str) -> NDArray[Any]:
        """The graph's ``output``."""
        (array,) = self._session.run([output], dict(inputs))
        return array  # type: ignore[no-any-return]
