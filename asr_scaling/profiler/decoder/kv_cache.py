"""How many bytes of keys and values a decoder keeps, by its architecture."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from asr_scaling.core.model_spec import ModelSpec

_WIDTHS = {"float32": 4, "bfloat16": 2, "float16": 2}
_NAMES = (
    ("decoder_layers", "decoder_num_hidden_layers"),
    ("decoder_attention_heads", "decoder_num_attention_heads"),
    ("d_model", "hidden_size"),
)
"""Layers, heads and width, as the families of transformers call them."""
_LONGEST = ("max_target_positions", "max_position_embeddings")


@dataclass(frozen=True)
class KvCache:
    """The cache of one utterance.

    ``token_bytes``: keys and values of one position in all decoder layers, which is 2 · layers ·
    key-value heads · (width / heads) · bytes of the dtype (Vaswani et al. 2017, section 3.2; with
    fewer key-value heads than heads Ainslie et al. 2023, GQA).
    ``longest``: most tokens that the decoder takes; None when the architecture names no bound.
    ``frames``: of a whole window; None for a model without one.

    Self-attention keeps ``token_bytes`` for every token, those of the prompt included.
    Cross-attention keeps it once for every frame of the encoder's output.
    """

    token_bytes: int
    longest: int | None
    frames: int | None

    def lengths(self, decoded: int) -> list[int]:
        """1, 2, 4 … and ``decoded``, up to the longest."""
        longest = self.longest or decoded
        powers = [2**n for n in range(longest.bit_length()) if 2**n < longest]
        return sorted({*powers, min(decoded, longest), longest} - {0})


def heads_left(network: Any) -> int | None:
    """Attention heads of all decoder layers of a loaded network, of which some may be pruned.

    None when the network doesn't tell.
    """
    decoder = network.get_decoder() if hasattr(network, "get_decoder") else None
    heads: list[Any] = [
        getattr(layer.self_attn, "num_heads", None) for layer in getattr(decoder, "layers", ())
    ]
    return sum(heads) if heads and None not in heads else None


def kv_cache(model: ModelSpec, dtype: str, network: Any = None) -> KvCache | str:
    """The cache of ``model`` in ``dtype``, or why it is not known, as the end of a sentence.

    ``network``: the loaded one, which may have fewer heads than the model's architecture.
    """
    shape: Mapping[str, Any] = model.architecture
    sizes = [next((shape[name] for name in names if name in shape), None) for names in _NAMES]
    if None in sizes:
        return "the decoder has no attention layers, so it keeps no keys and values"
    if dtype not in _WIDTHS:
        unsaid = "does not say in which type it keeps keys and values"
        return f"the engine computes in '{dtype}' and {unsaid}"
    layers, heads, width = map(int, sizes)  # type: ignore[arg-type]
    shared = int(shape.get("decoder_num_key_value_heads", heads))
    longest = next((int(shape[name]) for name in _LONGEST if name in shape), None)
    frames = shape.get("max_source_positions")
    left = heads_left(network) if shared == heads else None
    per_token = 2 * (layers * shared if left is None else left) * (width // heads) * _WIDTHS[dtype]
    return KvCache(per_token, longest, None if frames is None else int(frames))
