"""Whisper's encoder on windows shorter than 30 s."""

from __future__ import annotations

from types import MethodType
from typing import Any


def take_any_length(encoder: Any) -> None:
    """Makes a ``WhisperEncoder`` accept any number of mel frames up to 3000.

    The library's own ``forward`` takes exactly 3000. It is replaced in this one object, so hooks on
    the encoder still run.
    """
    encoder.forward = MethodType(_forward, encoder)


def _forward(encoder: Any, input_features: Any, attention_mask: Any = None, **_: Any) -> Any:
    """As WhisperEncoder.forward in transformers. The mask is not used there either."""
    from torch.nn.functional import gelu
    from transformers.modeling_outputs import BaseModelOutput

    hidden = gelu(encoder.conv2(gelu(encoder.conv1(input_features)))).permute(0, 2, 1)
    hidden = hidden + encoder.embed_positions.weight[: hidden.shape[1]]
    for layer in encoder.layers:
        hidden = layer(hidden, None)
    return BaseModelOutput(last_hidden_state=encoder.layer_norm(hidden))
