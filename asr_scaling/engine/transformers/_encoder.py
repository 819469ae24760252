"""Whisper's encoder on windows shorter than 30 s: its positions, cut to the frames that are there."""

from __future__ import annotations

from types import MethodType
from typing import Any


def take_any_length(encoder: Any) -> None:
    """Have a ``WhisperEncoder`` accept any number of mel frames up to its own; the library's refuses all but 3000.

    Its ``forward`` is replaced in this one object, so that whatever hooks the encoder still does.
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
