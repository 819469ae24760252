"""Whisper's decoder, one step at a time: the library's modules without the code around them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    import torch

Pair: TypeAlias = "tuple[torch.Tensor, torch.Tensor]"
"""Keys and values of one layer: (utterances, heads, positions, head size)."""


class Cache:
    """Keys and values of every layer, for the utterances still being decoded.

    The memory is allocated once. Each entry has the shape ``[utterances, heads, positions, head
    size]``.

    ``own``: of the tokens so far.
    ``cross``: of the encoder's output.
    ``rows``: the first so many utterances are still being decoded.
    ``mask``: ``[positions, positions]``, True where a token may look; only for steps of one shape.
    """

    mask: torch.Tensor

    def __init__(self, own: list[Pair], cross: list[Pair]) -> None:
        self._own, self._cross = own, cross
        self.own, self.cross = own, cross
        self.rows = int(cross[0][0].shape[0])

    def drop(self, row: int, positions: int) -> None:
        """Removes utterance ``row``; the last one takes its place.

        ``positions``: tokens decoded so far.
        """
        self.rows -= 1
        if row < self.rows:
            for key, value in self._cross:
                key[row], value[row] = key[self.rows], value[self.rows]
            for key, value in self._own:
                key[row, :, :positions] = key[self.rows, :, :positions]
                value[row, :, :positions] = value[self.rows, :, :positions]
        self.own = [(key[: self.rows], value[: self.rows]) for key, value in self._own]
        self.cross = [(key[: self.rows], value[: self.rows]) for key, value in self._cross]


class Decoder:
    """The decoding step of a ``WhisperForConditionalGeneration``.

    It calls the network's own modules, so quantised, fused or pruned ones work. It uses none of the
    library's code around them (cache objects, masks, hooks), which costs more than the arithmetic
    of a small model.
    """

    def __init__(self, model: Any) -> None:
        decoder = model.get_decoder()
        self._embed, self._positions = decoder.embed_tokens, decoder.embed_positions.weight
        self._layers, self._norm = list(decoder.layers), decoder.layer_norm
        self._project = model.proj_out
        self.longest = int(self._positions.shape[0])
        self._compiled: Any = self._hidden

    def start(self, encoded: torch.Tensor, positions: int) -> Cache:
        """Room for ``positions`` tokens, and the keys and values of ``encoded``.

        ``encoded``: ``[utterances, frames, width]``.
        """
        own = []
        for layer in self._layers:
            attention = layer.self_attn
            shape = (encoded.shape[0], attention.num_heads, positions, attention.head_dim)
            own.append((encoded.new_zeros(shape), encoded.new_zeros(shape)))
        return Cache(own, self.cross(encoded))

    def cross(self, encoded: torch.Tensor) -> list[Pair]:
        """Keys and values of ``encoded`` for the cross-attention of every layer."""
        attentions = [layer.encoder_attn for layer in self._layers]
        return [
            (_heads(a, a.k_proj(encoded)).contiguous(), _heads(a, a.v_proj(encoded)).contiguous())
            for a in attentions
        ]

    def compile(self, mode: str) -> None:
        """Makes the first step of one shape compile the layers, in a mode of torch.compile."""
        import torch

        self._compiled = torch.compile(self._hidden, mode=mode)

    def step(
        self, tokens: torch.Tensor, position: int | torch.Tensor, cache: Cache
    ) -> torch.Tensor:
        """Logits ``[utterances, vocabulary]`` after ``tokens [utterances, n]``.

        ``position``: of the first of the tokens. As a tensor of one element it keeps all shapes the
        same from step to step, so that the step can be compiled or captured; attention then goes
        over the whole cache, masked.
        """
        if isinstance(position, int):
            where = self._positions[position : position + tokens.shape[1]]
            hidden = self._hidden(
                self._embed(tokens) + where, position, cache.own, cache.cross, None
            )
        else:
            hidden = self._embed(tokens) + self._positions[position]
            hidden = self._compiled(hidden, position, cache.own, cache.cross, cache.mask[position])
        return self._project(self._norm(hidden[:, -1]))  # type: ignore[no-any-return]

    def _hidden(
        self,
        hidden: torch.Tensor,
        position: int | torch.Tensor,
        own: list[Pair],
        cross: list[Pair],
        mask: torch.Tensor | None,
    ) -> torch.Tensor:
        """Hidden states after all layers (transformers, WhisperDecoderLayer.forward)."""
        for layer, kept, read in zip(self._layers, own, cross, strict=True):
            normed = layer.self_attn_layer_norm(hidden)
            hidden = hidden + _self_attention(layer.self_attn, normed, position, kept, mask)
            hidden = hidden + _cross_attention(
                layer.encoder_attn, layer.encoder_attn_layer_norm(hidden), read
            )
            hidden = hidden + layer.fc2(
                layer.activation_fn(layer.fc1(layer.final_layer_norm(hidden)))
            )
        return hidden


def _self_attention(
    attention: Any,
    normed: torch.Tensor,
    position: int | torch.Tensor,
    own: Pair,
    mask: torch.Tensor | None,
) -> torch.Tensor:
    """Attention to the tokens so far; queries are projected first, as fused projections need."""
    query = _heads(attention, attention.q_proj(normed))
    keys = _kept(own[0], _heads(attention, attention.k_proj(normed)), position)
    values = _kept(own[1], _heads(attention, attention.v_proj(normed)), position)
    causal = normed.shape[1] > 1
    return _attend(attention, query, (keys, values), attn_mask=mask, is_causal=causal)


def _cross_attention(attention: Any, normed: torch.Tensor, cross: Pair) -> torch.Tensor:
    """Of tokens to the encoder's output."""
    return _attend(attention, _heads(attention, attention.q_proj(normed)), cross)


def _attend(attention: Any, query: torch.Tensor, pair: Pair, **options: Any) -> torch.Tensor:
    """(utterances, n, width): what attention to ``pair`` gives, projected."""
    from torch.nn.functional import scaled_dot_product_attention

    mixed = scaled_dot_product_attention(query, *pair, scale=attention.scaling, **options)
    return attention.out_proj(mixed.transpose(1, 2).flatten(2))  # type: ignore[no-any-return]


def _kept(kept: torch.Tensor, new: torch.Tensor, position: int | torch.Tensor) -> torch.Tensor:
    """Store ``new`` keys or values at ``position``; what attention has to look at."""
    if not isinstance(position, int):
        return kept.index_copy_(2, position, new)
    kept[:, :, position : position + new.shape[2]] = new
    return kept[:, :, : position + new.shape[2]]


def _heads(attention: Any, projected: torch.Tensor) -> torch.Tensor:
    """(utterances, n, width) → (utterances, heads, n, head size), a view."""
    rows, n = projected.shape[:2]
    return projected.view(rows, n, attention.num_heads, attention.head_dim).transpose(1, 2)
