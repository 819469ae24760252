"""Structured pruning: whole attention heads and feed-forward channels are removed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from asr_scaling.core.model_spec import ModelSpec
from asr_scaling.core.ports import Changed, Device, SystemSpec, Turn
from asr_scaling.errors import ConfigError, EngineError

KINDS = ("whisper", "wav2vec2", "hubert", "wav2vec2-conformer")
"""Values of ``model_type`` whose heads can be removed; others take their number from the config."""
ATTENTION = (
    ("q_proj", "k_proj", "v_proj", "out_proj"),
    ("linear_q", "linear_k", "linear_v", "linear_out"),
)
FEED_FORWARD = (("fc1", "fc2"), ("intermediate_dense", "output_dense"))
MULTIPLE = 16
"""Remaining channels are a multiple of it, which suits vector units and Tensor Cores."""


@dataclass(frozen=True)
class Prune:
    """``ratio``: share of heads and of channels to remove from each layer, above 0 and below 1."""

    ratio: float = 0.2

    def __post_init__(self) -> None:
        if not 0 < self.ratio < 1:
            raise ConfigError(
                f"optimisation.prune.ratio must lie between 0 and 1, both excluded; "
                f"got {self.ratio}."
            )

    def apply(self, system: SystemSpec) -> SystemSpec:
        """For Whisper and for CTC models whose attention lets heads be removed."""
        model = system.model
        if model.model_type not in KINDS:
            system.refuse(
                f"can remove heads from {', '.join(KINDS)}; '{model.name}' is a {model.model_type}"
            )
        if model.architecture.get("position_embeddings_type") == "relative":
            system.refuse(
                f"can't remove heads from '{model.name}', whose positions are added to them"
            )
        return system.change(RemoveWeakest(self.ratio))


@dataclass(frozen=True)
class RemoveWeakest:
    """Removes what has the smallest L1 norm over its matrices (Li et al. 2017, arXiv 1608.08710).

    Each layer loses the same share, rounded to whole heads and to channels that leave a multiple of
    ``MULTIPLE``; at least one head stays. There is no training afterwards.
    """

    ratio: float
    kind: str = field(default="heads and channels", init=False)
    turn: Turn = field(default=Turn.REMOVE, init=False)

    def change(self, network: Any, model: ModelSpec, device: Device) -> Changed:
        """``network`` with smaller matrices, in place."""
        heads, channels = Tally(), Tally()
        for module in network.modules():
            for names in ATTENTION:
                if all(hasattr(module, name) for name in names):
                    heads += cut_heads(module, names, self.ratio)
            for into, out_of in FEED_FORWARD:
                if hasattr(module, into) and hasattr(module, out_of):
                    pair = getattr(module, into), getattr(module, out_of)
                    channels += cut_channels(*pair, self.ratio)
        if not heads.removed + channels.removed:
            raise EngineError(
                f"optimisation.prune.ratio={self.ratio} removes nothing from '{model.name}' "
                f"({heads.before} heads, {channels.before} channels in all): choose a larger one."
            )
        parameters = sum(parameter.numel() for parameter in network.parameters())
        done = f"removed {heads} heads and {channels} feed-forward channels"
        return Changed(network, done, parameters=parameters)


@dataclass(frozen=True)
class Tally:
    """How many there were, and how many are gone."""

    removed: int = 0
    before: int = 0

    def __add__(self, other: Tally) -> Tally:
        return Tally(self.removed + other.removed, self.before + other.before)

    def __str__(self) -> str:
        return f"{self.removed} of {self.before}"


def cut_heads(attention: Any, names: tuple[str, ...], ratio: float) -> Tally:
    """Remove the weakest heads of one attention; ``names``: of queries, keys, values and output."""
    import torch

    *inputs, output = (getattr(attention, name) for name in names)
    size = attention.head_dim if hasattr(attention, "head_dim") else attention.head_size
    heads = inputs[0].out_features // size
    left = max(1, heads - round(ratio * heads))
    norm = output.weight.abs().float().reshape(-1, heads, size).sum((0, 2))
    for linear in inputs:
        norm += linear.weight.abs().float().reshape(heads, -1).sum(1)
    of_a_head = torch.arange(size, device=norm.device)
    rows = (_strongest(norm, left)[:, None] * size + of_a_head).flatten()
    for linear in inputs:
        keep_rows(linear, rows)
    keep_columns(output, rows)
    # a Conformer's number is that of what it rotates: its input
    if not hasattr(attention, "position_embeddings_type"):
        attention.num_heads = left
    return Tally(heads - left, heads)


def cut_channels(into: Any, out_of: Any, ratio: float) -> Tally:
    """Remove the weakest channels between two Linear layers."""
    before = into.out_features
    left = min(before, max(MULTIPLE, round((1 - ratio) * before / MULTIPLE) * MULTIPLE))
    norm = into.weight.abs().float().sum(1) + out_of.weight.abs().float().sum(0)
    rows = _strongest(norm, left)
    keep_rows(into, rows)
    keep_columns(out_of, rows)
    return Tally(before - left, before)


def _strongest(norm: Any, count: int) -> Any:
    """Indices of the ``count`` largest, in their order."""
    return norm.topk(count).indices.sort().values


def keep_rows(linear: Any, rows: Any) -> None:
    """Leave only these outputs of a Linear layer."""
    import torch

    linear.weight = torch.nn.Parameter(linear.weight[rows].contiguous(), requires_grad=False)
    if linear.bias is not None:
        linear.bias = torch.nn.Parameter(linear.bias[rows].contiguous(), requires_grad=False)
    linear.out_features = len(rows)


def keep_columns(linear: Any, columns: Any) -> None:
    """Leave only these inputs of a Linear layer."""
    import torch

    linear.weight = torch.nn.Parameter(linear.weight[:, columns].contiguous(), requires_grad=False)
    linear.in_features = len(columns)
