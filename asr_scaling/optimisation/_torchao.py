"""Quantisation by torchao, of the Linear layers of a loaded network."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from typing import Any

from asr_scaling.core.model_spec import ModelSpec
from asr_scaling.core.ports import Changed, Device, SystemSpec
from asr_scaling.errors import MissingExtraError
from asr_scaling.optimisation._packing import Packing, dtype_of, fitting, linear_layers
from asr_scaling.util.quiet import errors_only


def by_torchao(system: SystemSpec, *options: Any) -> SystemSpec:
    """``system`` with its weights quantised by ``Torchao(*options)``.

    Raises MissingExtraError when torchao is not installed; does not import it.
    """
    system = system.change(Torchao(*options))
    if importlib.util.find_spec("torchao") is None:
        raise MissingExtraError("torchao", "torchao")
    return system


@dataclass(frozen=True)
class Torchao(Packing):
    """Quantises Linear layers by torchao.

    ``config``: name of a configuration class of torchao.quantization.
    ``weights``: data type of the weights afterwards.
    ``multiple``: rows and columns of a layer must be multiples of it; other layers stay and are
    counted.
    ``granularity``: a class of torchao.quantization for the number of scales; None for the default.
    """

    config: str
    weights: str
    multiple: int = 1
    granularity: str | None = None

    def change(self, network: Any, model: ModelSpec, device: Device) -> Changed:
        """``network`` with its Linear layers quantised in place."""
        layers = linear_layers(network)
        names, dtype = fitting(layers, self.multiple, model).keys(), dtype_of(network)
        # its import complains about kernels for other GPUs
        with errors_only("torchao", "torch.utils._pytree"):
            from torchao import quantization

            options = {}
            if self.granularity:
                options["granularity"] = getattr(quantization, self.granularity)()
            config = getattr(quantization, self.config)(**options)
            quantization.quantize_(network, config, filter_fn=lambda _, name: name in names)
        where = f"{len(names)} of {len(layers)} Linear layers"
        done = f"{self.weights} weights by torchao.{self.config} in {where}"
        return Changed(network, done, f"{self.weights} Linear weights, else {dtype}")
