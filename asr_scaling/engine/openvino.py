"""OpenVINO: the graphs that engine=onnxruntime runs too, compiled for the processor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asr_scaling.core.model_spec import ModelSpec
from asr_scaling.core.ports import Device
from asr_scaling.engine._onnx.exported_engine import ExportedEngine, Graphs
from asr_scaling.engine._onnx.networks import cross_names, self_names
from asr_scaling.errors import EngineError
from asr_scaling.machine.threads import threads

SMALLEST = 1 << 14
"""Matrices with fewer numbers stay in float32."""


@dataclass(frozen=True)
class OpenVino(ExportedEngine):
    """Options of the engine; the others are those of ExportedEngine.

    ``dtype``: float32; bfloat16, where the processor computes in it; or int8, for weights in 8 bits
    per output channel and activations that are quantised while they are computed.
    """

    name = "openvino"
    tolerance = MappingProxyType({"float32": 1e-3, "bfloat16": 0.35, "int8": 0.35})

    def check(self, model: ModelSpec) -> None:
        """As for every such engine; bfloat16 where the processor has it."""
        super().check(model)
        import openvino

        able = openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
        if self.dtype == "bfloat16" and "BF16" not in able:
            raise EngineError(
                "This processor does not compute in bfloat16: choose engine.dtype=float32 or int8."
            )

    def graphs(self, device: Device) -> Graphs:
        """Graphs compiled for the processor."""
        import openvino

        if device.kind != "cpu":
            raise EngineError(
                f"engine=openvino runs on the processor, not on {device.torch_name}: "
                "use device=cpu."
            )
        runtime = Runtime(self.dtype, threads())
        return Graphs(
            steps=partial(OvSteps, runtime),
            frames=partial(OvFrames, runtime),
            fill=_compress if self.dtype == "int8" else None,
            options={"version": openvino.__version__},
            details={"precision": runtime.precision},
        )


def _compress(origin: Path, new: Path) -> None:
    """The graphs of ``origin`` with 8-bit weights, in OpenVINO's own format."""
    import openvino

    for path in origin.glob("*.onnx"):
        graph = openvino.Core().read_model(path)
        _quantise(graph)
        openvino.save_model(graph, new / f"{path.stem}.xml", compress_to_fp16=False)


def _quantise(graph: Any) -> None:
    """Stores constant matrices as 8-bit integers with a scale per output.

    The plugin then multiplies in 8 bits.
    """
    from openvino import opset13 as ops

    for node in graph.get_ordered_ops():
        if node.get_type_name() != "MatMul":
            continue
        constant = node.input_value(1).get_node()
        if constant.get_type_name() != "Constant" or constant.data.size < SMALLEST:
            continue
        transposed = node.get_attributes()["transpose_b"]
        weight = np.array(constant.data)
        scale = (
            np.maximum(np.abs(weight).max(axis=1 if transposed else 0, keepdims=True), 1e-12) / 127
        )
        rounded = np.clip(np.rint(weight / scale), -127, 127).astype(np.int8)
        if not transposed:  # the plugin's kernels want one row an output
            rounded, scale = np.ascontiguousarray(rounded.T), np.ascontiguousarray(scale.T)
        small = ops.multiply(
            ops.convert(ops.constant(rounded), "f32"), ops.constant(scale.astype(np.float32))
        )
        product = ops.matmul(node.input_value(0), small, node.get_attributes()["transpose_a"], True)
        product.set_friendly_name(node.get_friendly_name())
        for target in node.output(0).get_target_inputs():
            target.replace_source_output(product.output(0))


@dataclass(frozen=True)
class Runtime:
    """How graphs are compiled."""

    dtype: str
    threads: int

    @property
    def precision(self) -> str:
        """Data type of activations; the plugin would by itself choose bfloat16 wherever it can."""
        return "bf16" if self.dtype == "bfloat16" else "f32"

    def compiled(self, folder: Path, name: str) -> Any:
        """Graph ``name`` of ``folder``, compiled from the engine's own file or the exported one."""
        import openvino

        own = folder / f"{name}.xml"
        options: dict[str, Any] = {
            "PERFORMANCE_HINT": "LATENCY",
            "NUM_STREAMS": 1,
            "INFERENCE_NUM_THREADS": self.threads,
            "ENABLE_CPU_PINNING": False,  # device.pinned decides
            "INFERENCE_PRECISION_HINT": self.precision,
            "DYNAMIC_QUANTIZATION_GROUP_SIZE": 32 if self.dtype == "int8" else 0,
        }
        return openvino.Core().compile_model(
            own if own.exists() else folder / f"{name}.onnx", "CPU", options
        )


class OvSteps:
    """Whisper's graphs in OpenVINO; keys and values of the audio are not copied."""

    def __init__(self, runtime: Runtime, folder: Path) -> None:
        self._encoder = runtime.compiled(folder, "encoder").create_infer_request()
        decoder = runtime.compiled(folder, "step")
        layers = len(self._encoder.model_outputs) // 2
        self._audio = cross_names(layers)
        self._past, self._present = self_names("past", layers), self_names("present", layers)
        shape = decoder.input(self._past[0]).partial_shape
        self._heads, self._size = shape[1].get_length(), shape[3].get_length()
        self._requests = [decoder.create_infer_request() for _ in range(2)]

    def encode(self, features: NDArray[np.float32]) -> None:
        """Hand the audio's keys and values to the decoder, with an empty past."""
        import openvino

        self._encoder.infer(
            {"features": openvino.Tensor(np.ascontiguousarray(features), shared_memory=True)}
        )
        for request in self._requests:
            for name in self._audio:
                request.set_tensor(name, self._encoder.get_tensor(name))
        self._forget(len(features))

    def step(self, tokens: NDArray[np.int64], forbidden: NDArray[np.float32]) -> NDArray[np.int64]:
        """One pass of the decoder; two requests take turns, so each reads what the other wrote."""
        import openvino

        request, following = self._requests
        request.set_tensor("tokens", openvino.Tensor(np.ascontiguousarray(tokens)))
        request.set_tensor("forbidden", openvino.Tensor(forbidden, shared_memory=True))
        request.infer()
        for past, present in zip(self._past, self._present, strict=True):
            following.set_tensor(past, request.get_tensor(present))
        self._requests = [following, request]
        return np.array(request.get_tensor("next").data)

    def logits(self) -> NDArray[np.float32]:
        """Of the last step."""
        return self._requests[1].get_tensor("logits").data  # type: ignore[no-any-return]

    def spread(self, times: int) -> None:
        """Begin anew with what was encoded, every row ``times`` times."""
        import openvino

        for name in self._audio if times > 1 else ():
            repeated = np.repeat(self._encoder.get_tensor(name).data, times, axis=0)
            for request in self._requests:
                request.set_tensor(name, openvino.Tensor(repeated))
        self._forget(self._encoder.get_tensor(self._audio[0]).shape[0] * times)

    def reorder(self, rows: Sequence[int]) -> None:
        """The tokens' keys and values become those of ``rows``."""
        import openvino

        if list(rows) == list(range(len(rows))):
            return
        following, last = self._requests
        for past, present in zip(self._past, self._present, strict=True):
            ordered = np.ascontiguousarray(last.get_tensor(present).data[list(rows)])
            following.set_tensor(past, openvino.Tensor(ordered))

    def _forget(self, rows: int) -> None:
        """An empty past of so many rows."""
        import openvino

        empty = np.zeros((rows, self._heads, 0, self._size), np.float32)
        for name in self._past:
            self._requests[0].set_tensor(name, openvino.Tensor(empty))


class OvFrames:
    """A CTC graph in OpenVINO."""

    def __init__(self, runtime: Runtime, folder: Path) -> None:
        self._request = runtime.compiled(folder, "model").create_infer_request()

    def run(self, inputs: Mapping[str, NDArray[Any]], output: str) -> NDArray[Any]:
        """The graph's ``output``."""
        self._request.infer(dict(inputs), share_inputs=True)
        return np.array(self._request.get_tensor(output).data)
