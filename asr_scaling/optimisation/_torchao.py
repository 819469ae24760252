"""Quantisation by torchao, of the Linear layers of a loaded network."""

from __future__ import annotations

import importlib.util
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from asr_scaling.core.model_spec import ModelSpec
from asr_scaling.core.ports import Changed, Device, Turn
from asr_scaling.errors import EngineError, MissingExtraError


def need_torchao() -> None:
    """Raises MissingExtraError when torchao is not installed; does not import it."""
    if importlib.util.find_spec("torchao") is None:
        raise MissingExtraError("torchao", "torchao")


@dataclass(frozen=True)
class Torchao:
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
    kind: str = field(default="weights", init=False)
    turn: Turn = field(default=Turn.PACK, init=False)

    def change(self, network: Any, model: ModelSpec, device: Device) -> Changed:
        """``network`` with its Linear layers quantised in place."""
        import torch

        linear = {
            name: module
            for name, module in network.named_modules()
            if type(module) is torch.nn.Linear
        }
        fitting = {name for name, module in linear.items() if self._fits(module)}
        if not fitting:
            raise EngineError(
                f"'{model.name}' has no Linear layer whose sizes are multiples of {self.multiple}."
            )
        dtype = str(network.dtype).removeprefix("torch.")
        with _quiet():
            from torchao import quantization

            options = (
                {"granularity": getattr(quantization, self.granularity)()}
                if self.granularity
                else {}
            )
            config = getattr(quantization, self.config)(**options)
            quantization.quantize_(network, config, filter_fn=lambda _, name: name in fitting)
        said = f"{self.weights} weights by torchao.{self.config} in {len(fitting)} of {len(linear)} Linear layers"
        return Changed(network, said, f"{self.weights} Linear weights, else {dtype}")

    def _fits(self, module: Any) -> bool:
        return not (module.in_features % self.multiple or module.out_features % self.multiple)


@contextmanager
def _quiet() -> Iterator[None]:
    """Silences what torchao's import logs about kernels for other GPUs."""
    loggers = [logging.getLogger(name) for name in ("torchao", "torch.utils._pytree")]
    levels = [logger.level for logger in loggers]
    try:
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
