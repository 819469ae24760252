"""What only some GPUs can do, asked before anything is loaded."""

from __future__ import annotations

from asr_scaling.core.ports import SystemSpec


def need_capability(system: SystemSpec, least: tuple[int, int], what: str) -> None:
    """Raises ConfigError unless the device is a GPU that can do ``what``.

    ``least``: the compute capability that it needs.
    A GPU that is not there is left to the device, which says so when it is set up.
    """
    needed = f"a GPU of compute capability {least[0]}.{least[1]} or more"
    if system.device.kind != "cuda":
        system.refuse(
            f"computes with {what}, which needs {needed}: choose device=cuda where there is one"
        )
    import torch

    if not torch.cuda.is_available():
        return
    capability = torch.cuda.get_device_capability(system.device.torch_name)
    if capability < least:
        system.refuse(
            f"computes with {what}, which needs {needed}, "
            f"and this one has {capability[0]}.{capability[1]}"
        )
