"""ONNX Runtime: Whisper and CTC models as graphs exported from transformers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from asr_scaling.core.checks import one_of
from asr_scaling.core.model_spec import ModelSpec
from asr_scaling.core.ports import Device
from asr_scaling.engine._onnx.files import check_exportable, check_length
from asr_scaling.engine._onnx.networks import cross_names, self_names
from asr_scaling.engine._onnx.recipe import Recipe
from asr_scaling.engine._shared.log_mel import check_features, place_of
from asr_scaling.engine._shared.short_window import check_margin
from asr_scaling.engine._shared.speech_system import SpeechSystem
from asr_scaling.errors import EngineError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

TOLERANCE = {"float32": 1e-3, "int8": 0.35}
"""dtype → how far logits may be from transformers', in standard deviations of these."""
LEVELS = {
    "disabled": "ORT_DISABLE_ALL",
    "basic": "ORT_ENABLE_BASIC",
    "extended": "ORT_ENABLE_EXTENDED",
    "all": "ORT_ENABLE_ALL",
}
PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}
_PACKAGES = ("onnxruntime", "onnx", "onnxscript")


@dataclass(frozen=True)
class OnnxRuntime:
    """Options of the engine.

    ``dtype``: float32; or int8, for weights in 8 bits per output channel and activations that are
    quantised while they are computed.
    ``graph_optimisation``: disabled, basic, extended or all.
    ``window_margin_s``: seconds that Whisper's encoder sees beyond the longest utterance of a
    batch; None for its whole window (_shared/short_window.py).
    ``features``: "library" for the extractor of transformers, "device" to compute Whisper's on the
    device (_shared/log_mel.py).
    ``seed``: of random weights.
    """

    dtype: str = "float32"
    graph_optimisation: str = "all"
    window_margin_s: float | None = None
    features: str = "library"
    seed: int = 42

    def __post_init__(self) -> None:
        one_of("engine.dtype", self.dtype, TOLERANCE)
        one_of("engine.graph_optimisation", self.graph_optimisation, LEVELS)
        check_margin(self.window_margin_s)
        check_features(self.features)

    def check(self, model: ModelSpec) -> None:
        """Whisper, wav2vec 2.0 and HuBERT."""
        check_exportable(model, "onnxruntime", self.window_margin_s, *_PACKAGES)

    def check_length(self, model: ModelSpec, longest_s: float) -> None:
        """One window of Whisper, unless its weights are random."""
        check_length(model, longest_s)

    def load(self, model: ModelSpec, device: Device) -> SpeechSystem:
        """Convert where that was never done, then load the graphs onto the device."""
        import onnxruntime
        import torch

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
        runtime = Runtime(device.torch_name, torch.get_num_threads(), self.graph_optimisation)
        return Recipe(
            engine="onnxruntime",
            dtype=self.dtype,
            seed=self.seed,
            margin_s=self.window_margin_s,
            features_on=place_of(self.features, device),
            steps=lambda folder: OrtSteps(runtime, folder),
            frames=lambda folder: OrtFrames(runtime, folder),
            fill=None if self.dtype == "float32" else _quantise,
            tolerance=TOLERANCE[self.dtype],
            options={"version": onnxruntime.__version__, "provider": provider},
            details={"provider": provider, "graph_optimisation": self.graph_optimisation},
        ).load(model)


def _quantise(origin: Path, new: Path) -> None:
    """Writes constant matrices of products in 8 bits.

    Convolutions and embeddings stay: they have few weights and are slower in 8 bits.
    """
    import logging

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
    import numpy as np
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
        return onnxruntime.InferenceSession(
            path, options, providers=[self.provider, PROVIDERS["cpu"]][: self._many]
        )

    @property
    def kind(self) -> str:
        """The device's name in ONNX Runtime."""
        return self.device.partition(":")[0]

    @property
    def index(self) -> int:
        """The device's number."""
        return int(self.device.partition(":")[2] or 0)

    @property
    def provider(self) -> Any:
        """The provider with its options."""
        import torch

        if self.kind == "cpu":
            return PROVIDERS["cpu"]
        tf32 = int(
            torch.backends.cuda.matmul.allow_tf32
        )  # device.tf32, which the provider would turn on by itself
        return PROVIDERS[self.kind], {"device_id": self.index, "use_tf32": tf32}

    @property
    def _many(self) -> int:
        return 1 if self.kind == "cpu" else 2

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
        _, self._heads, _, self._size = next(
            i for i in self._decoder.get_inputs() if i.name == self._past[0]
        ).shape
        self._binding: Any = None

    def encode(self, features: NDArray[np.float32]) -> None:
        """Bind the audio's keys and values to the decoder, and an empty past."""
        import numpy as np

        runtime, binding = self._runtime, self._encoder.io_binding()
        binding.bind_cpu_input("features", np.ascontiguousarray(features))
        for name in self._audio:
            binding.bind_output(name, runtime.kind, runtime.index)
        self._encoder.run_with_iobinding(binding)
        self._binding = self._decoder.io_binding()
        for name, value in zip(self._audio, binding.get_outputs(), strict=True):
            self._binding.bind_ortvalue_input(name, value)
        nothing = runtime.value(np.zeros((len(features), self._heads, 0, self._size), np.float32))
        for name in self._past:
            self._binding.bind_ortvalue_input(name, nothing)

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
        chosen, *present, self._logits = binding.get_outputs()
        for name, value in zip(self._past, present, strict=True):
            binding.bind_ortvalue_input(name, value)
        array: NDArray[np.int64] = chosen.numpy()
        return array

    def logits(self) -> NDArray[np.float32]:
        """Of the last step."""
        array: NDArray[np.float32] = self._logits.numpy()
        return array


class OrtFrames:
    """A CTC graph in ONNX Runtime."""

    def __init__(self, runtime: Runtime, folder: Path) -> None:
        self._session = runtime.session(folder / "model.onnx")

    def run(self, inputs: Mapping[str, NDArray[Any]], output: str) -> NDArray[Any]:
        """The graph's ``output``."""
        (array,) = self._session.run([output], dict(inputs))
        return array  # type: ignore[no-any-return]
