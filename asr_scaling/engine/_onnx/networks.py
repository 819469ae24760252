"""Whisper as two graphs and a CTC model as one, as torch modules that the ONNX exporter can read.

They compute what transformers' modules compute on the same weights, arranged for inference engines:
one matrix product for queries, keys and values; weights stored as ``[in, out]``; the scale of
attention folded into the query's weights; of a step only its new keys and values are kept.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

FORBIDDEN = -1e9
"""Added to what must not be chosen or seen."""


@dataclass(frozen=True)
class Graph:
    """What to export.

    ``module``: the torch module.
    ``example``: its arguments.
    ``inputs``, ``outputs``: their names.
    ``axes``: argument → axis → name, of the axes that vary.
    """

    module: Any
    example: tuple[Any, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    axes: dict[str, dict[int, str]]


def whisper_encoder(network: Any) -> Graph:
    """From ``features [batch, mels, frames]`` to the audio's keys and values of each decoder layer.

    Keys are ``[batch, heads, size, positions]``, values ``[batch, heads, positions, size]``.
    """
    import torch

    encoder, layers = network.model.encoder, network.model.decoder.layers

    def forward(features: Any) -> tuple[Any, ...]:
        gelu = torch.nn.functional.gelu
        x = gelu(encoder.conv2(gelu(encoder.conv1(features)))).transpose(1, 2)
        x = x + encoder.embed_positions.weight[: x.shape[1]]
        for layer, project in zip(encoder.layers, inside, strict=True):
            q, k, v = project(layer.self_attn_layer_norm(x))
            x = x + _out(layer.self_attn, _attend(q, k.transpose(2, 3), v))
            x = x + _mlp(layer, layer.final_layer_norm(x))
        x = encoder.layer_norm(x)
        keys_values = []
        for project in across:
            k, v = project(x)
            keys_values += [k.transpose(2, 3), v]
        return tuple(keys_values)

    inside = [_Heads(layer.self_attn, "qkv") for layer in encoder.layers]
    across = [_Heads(layer.encoder_attn, "kv") for layer in layers]
    example = (torch.zeros(2, network.config.num_mel_bins, 200),)
    axes = {"features": {0: "batch", 2: "frames"}}
    return Graph(_module(network, forward), example, ("features",), cross_names(len(layers)), axes)


def whisper_step(network: Any) -> Graph:
    """One decoding step.

    Inputs: ``tokens [batch, new]``; ``forbidden [vocabulary]``, added to the logits; the audio's
    keys and values; the past tokens' keys and values. Outputs: the next token ``[batch]``; its
    logits ``[batch, vocabulary]``; all tokens' keys and values.
    """
    import torch

    decoder, embed = network.model.decoder, torch.nn.functional.embedding
    count = len(decoder.layers)

    def forward(tokens: Any, forbidden: Any, *state: Any) -> tuple[Any, ...]:
        cross, past = state[: 2 * count], state[2 * count :]
        before, new = past[0].shape[2], tokens.shape[1]
        at = torch.arange(before, before + new)
        hidden_from = (torch.arange(before + new)[None] > at[:, None]).to(torch.float32) * FORBIDDEN
        x = embed(tokens, decoder.embed_tokens.weight) + embed(at, decoder.embed_positions.weight)
        present = []
        for i, layer in enumerate(decoder.layers):
            q, k, v = inside[i](layer.self_attn_layer_norm(x))
            k, v = torch.cat([past[2 * i], k], dim=2), torch.cat([past[2 * i + 1], v], dim=2)
            present += [k, v]
            x = x + _out(layer.self_attn, _attend(q, k.transpose(2, 3), v, hidden_from))
            (q,) = across[i](layer.encoder_attn_layer_norm(x))
            x = x + _out(layer.encoder_attn, _attend(q, cross[2 * i], cross[2 * i + 1]))
            x = x + _mlp(layer, layer.final_layer_norm(x))
        logits = torch.nn.functional.linear(decoder.layer_norm(x[:, -1]), network.proj_out.weight)
        return (logits + forbidden).argmax(-1), logits, *present

    inside = [_Heads(layer.self_attn, "qkv") for layer in decoder.layers]
    across = [_Heads(layer.encoder_attn, "q") for layer in decoder.layers]
    crossed, kept = cross_names(count), self_names("past", count)
    axes: dict[str, dict[int, str]] = {"tokens": {0: "batch", 1: "new"}, "forbidden": {}}
    axes |= {name: {0: "batch", 3 - i % 2: "positions"} for i, name in enumerate(crossed)}
    axes |= {name: {0: "batch", 2: "past"} for name in kept}
    outputs = ("next", "logits", *self_names("present", count))
    inputs = ("tokens", "forbidden", *crossed, *kept)
    return Graph(_module(network, forward), _step_example(network), inputs, outputs, axes)


def _step_example(network: Any) -> tuple[Any, ...]:
    """Arguments of ``whisper_step``; every input needs a tensor of its own."""
    import torch

    config, layers = network.config, network.model.decoder.layers
    heads, size = config.decoder_attention_heads, layers[0].self_attn.head_dim
    shapes = ((size, 50), (50, size))  # of keys, of values
    audio = [torch.zeros(2, heads, *shapes[i % 2]) for i in range(2 * len(layers))]
    past = [torch.zeros(2, heads, 5, size) for _ in range(2 * len(layers))]
    tokens, forbidden = torch.zeros(2, 3, dtype=torch.long), torch.zeros(config.vocab_size)
    return tokens, forbidden, *audio, *past


def ctc(network: Any, masked: bool) -> Graph:
    """From ``samples [batch, samples]`` to the best token of each frame, ``[batch, frames]``.

    The second output is the ``logits`` behind them.
    ``masked``: a second input says which samples are no padding.
    """
    import torch

    for module in network.modules():  # weights that were computed at every call become constants
        if torch.nn.utils.parametrize.is_parametrized(module):
            for name in list(module.parametrizations):
                torch.nn.utils.parametrize.remove_parametrizations(module, name)

    def forward(samples: Any, *mask: Any) -> tuple[Any, ...]:
        logits = network(samples, attention_mask=mask[0] if mask else None).logits
        return logits.argmax(-1), logits

    example: tuple[Any, ...] = (torch.zeros(2, 16_000),)
    inputs: tuple[str, ...] = ("samples",)
    if masked:
        example, inputs = (*example, torch.ones(2, 16_000, dtype=torch.long)), (*inputs, "mask")
    axes = {name: {0: "batch", 1: "length"} for name in inputs}
    return Graph(_module(network, forward), example, inputs, ("frames", "logits"), axes)


def cross_names(layers: int) -> tuple[str, ...]:
    """Names of the audio's keys and values, layer by layer."""
    return tuple(f"audio_{kind}_{i}" for i in range(layers) for kind in ("key", "value"))


def self_names(when: str, layers: int) -> tuple[str, ...]:
    """Names of the tokens' keys and values, ``when`` "past" or "present", layer by layer."""
    return tuple(f"{when}_{kind}_{i}" for i in range(layers) for kind in ("key", "value"))


class _Heads:
    """Queries, keys, values of one attention layer by one product: ``[batch, time, width]`` → one
    ``[batch, heads, time, size]`` for each letter of ``which``."""

    def __init__(self, attention: Any, which: str) -> None:
        import torch

        scale = attention.head_dim**-0.5
        weights, biases = [], []
        for letter in which:
            linear, factor = getattr(attention, f"{letter}_proj"), scale if letter == "q" else 1.0
            bias = torch.zeros(linear.out_features) if linear.bias is None else linear.bias
            weights.append(linear.weight.detach().T * factor)
            biases.append(bias.detach() * factor)
        self._weight, self._bias = torch.cat(weights, 1).contiguous(), torch.cat(biases)
        self._parts = len(which)
        self._heads, self._size = attention.num_heads, attention.head_dim

    def __call__(self, x: Any) -> tuple[Any, ...]:
        y = x @ self._weight + self._bias
        rows = y.reshape(*x.shape[:2], self._parts * self._heads, self._size).transpose(1, 2)
        return tuple(rows.split(self._heads, dim=1)) if self._parts > 1 else (rows,)


def _out(attention: Any, x: Any) -> Any:
    """``[batch, heads, time, size]`` back to ``[batch, time, width]``."""
    y = x.transpose(1, 2).reshape(x.shape[0], x.shape[2], -1)
    return y @ attention.out_proj.weight.T.contiguous() + attention.out_proj.bias


def _mlp(layer: Any, x: Any) -> Any:
    """The two wide layers of a block."""
    import torch

    y = torch.nn.functional.gelu(x @ layer.fc1.weight.T.contiguous() + layer.fc1.bias)
    return y @ layer.fc2.weight.T.contiguous() + layer.fc2.bias


def _attend(q: Any, k: Any, v: Any, mask: Any = None) -> Any:
    """Attention of scaled queries to ``k [.., size, all]`` and ``v [.., all, size]``."""
    scores = q @ k
    return (scores if mask is None else scores + mask).softmax(-1) @ v


def _module(network: Any, forward: Any) -> Any:
    """``forward`` as a torch module that owns the weights of ``network``."""
    import torch

    class Module(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = network

        def forward(self, *arguments: Any) -> Any:
            return forward(*arguments)

    return Module().eval()
