"""What was loaded: sizes and data types, after whatever optimisations changed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from asr_scaling.core.model_spec import ModelSpec
from asr_scaling.core.ports import Change, Device, SystemFacts
from asr_scaling.model.weights import Weights


@dataclass(frozen=True)
class Network:
    """A network and its facts.

    ``dtype``: of its weights.
    ``parameters``: how many it has.
    ``said``: what each change that was made says for the record.
    """

    network: Any
    dtype: str
    parameters: int
    said: tuple[str, ...] = ()

    def facts(self, weights: Weights, load_s: float, compile_s: float | None) -> SystemFacts:
        """For the record."""
        config = self.network.config
        details = {"revision": weights.revision, "attention": config._attn_implementation}
        if self.said:
            details["changes"] = list(self.said)
        return SystemFacts(
            weights=weights.kind,
            weights_source=weights.origin,
            weights_bytes=stored_bytes(self.network),
            parameters=self.parameters,
            dtype=self.dtype,
            load_s=load_s,
            compile_s=compile_s,
            details=details,
        )


def changed(
    network: Any, dtype: str, changes: Sequence[Change], model: ModelSpec, device: Device
) -> Network:
    """``network`` with all of ``changes`` made, in their order.

    Raises EngineError when one of them can't be made.
    """
    now = Network(network, dtype, sum(parameter.numel() for parameter in network.parameters()))
    for change in changes:
        made = change.change(now.network, model, device)
        now = replace(
            now,
            network=made.network,
            dtype=made.dtype or now.dtype,
            parameters=now.parameters if made.parameters is None else made.parameters,
            said=(*now.said, made.said),
        )
    return now


def drafted(facts: SystemFacts, name: str | None, draft: Any) -> SystemFacts:
    """``facts`` of a system that also holds the network ``draft``, whose bytes are added."""
    size = stored_bytes(draft)
    details = {**(facts.details or {}), "draft": name, "draft_bytes": size}
    return replace(facts, weights_bytes=facts.weights_bytes + size, details=details)


def stored_bytes(network: Any) -> int:
    """Bytes of all weights and buffers as they are stored, shared ones once.

    A tensor that wraps others (quantised or sparse weights) is as large as those. A module whose
    weights are no tensors has their size in ``packed_bytes``.
    """
    tensors = (*network.parameters(), *network.buffers())
    stored = (part for tensor in tensors for part in _parts(tensor))
    unique: dict[int, int] = {
        part.data_ptr(): part.numel() * part.element_size() for part in stored
    }
    packed: list[int] = [getattr(module, "packed_bytes", 0) for module in network.modules()]
    return sum(unique.values()) + sum(packed)


def _parts(tensor: Any) -> Iterator[Any]:
    from torch.utils._python_dispatch import is_traceable_wrapper_subclass

    if not is_traceable_wrapper_subclass(tensor):
        yield tensor
        return
    for name in tensor.__tensor_flatten__()[0]:
        yield from _parts(getattr(tensor, name))
