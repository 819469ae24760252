"""An NVIDIA GPU: CUDA events as the clock, peak allocated memory, TF32 as an option."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from asr_scaling.errors import ConfigError, DeviceError


@dataclass(frozen=True)
class CudaMemory:
    """Peak of PyTorch's caching allocator (torch.cuda.max_memory_allocated)."""

    index: int

    def reset(self) -> None:
        """Forget the peak; cached blocks that nobody uses go back to the driver first."""
        import torch

        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(self.index)

    def peak_bytes(self) -> int | None:
        """Most bytes allocated on the GPU since ``reset``."""
        import torch

        torch.cuda.synchronize(self.index)
        return int(torch.cuda.max_memory_allocated(self.index))


@dataclass(frozen=True)
class Cuda:
    """``index``: which GPU. ``tf32``: TF32 Tensor Cores for float32 matrix products and convolutions."""

    index: int = 0
    tf32: bool = False
    kind: str = field(default="cuda", init=False)

    def __post_init__(self) -> None:
        if self.index < 0:
            raise ConfigError(f"device.index must be 0 or more; got {self.index}.")

    @property
    def torch_name(self) -> str:
        """What torch.device() takes."""
        return f"cuda:{self.index}"

    @property
    def memory(self) -> CudaMemory:
        """The GPU's memory."""
        return CudaMemory(self.index)

    def setup(self) -> Mapping[str, Any]:
        """Select the GPU and set TF32; says which GPU, by UUID, and which driver runtime."""
        import torch

        if not torch.cuda.is_available():
            raise DeviceError("device=cuda needs an NVIDIA GPU and a CUDA build of torch; use device=cpu here.")
        if self.index >= torch.cuda.device_count():
            raise DeviceError(f"device.index={self.index} but this machine has {torch.cuda.device_count()} GPU(s).")
        torch.cuda.set_device(self.index)
        torch.backends.cuda.matmul.allow_tf32 = self.tf32
        torch.backends.cudnn.allow_tf32 = self.tf32
        properties = torch.cuda.get_device_properties(self.index)
        return {
            "kind": "cuda",
            "index": self.index,
            "gpu": properties.name,
            "uuid": str(getattr(properties, "uuid", "unknown")),
            "memory_bytes": properties.total_memory,
            "capability": f"{properties.major}.{properties.minor}",
            "cuda": torch.version.cuda,
            "tf32": self.tf32,
        }

    def mark(self) -> Any:
        """A CUDA event on the current stream: recorded without waiting."""
        import torch

        event = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
        event.record(torch.cuda.current_stream(self.index))
        return event

    def seconds(self, marks: Sequence[Any]) -> list[float]:
        """Wait for the last mark, then read the GPU's clock (0.5 µs resolution, CUDA runtime API)."""
        marks[-1].synchronize()
        return [marks[0].elapsed_time(mark) / 1000.0 for mark in marks]
