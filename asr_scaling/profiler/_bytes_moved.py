"""Bytes that operators read and write while they run; those of weights apart.

Every operator counts as if it read its operands from memory once and wrote its results once.
That is the traffic of a machine whose caches hold one operator's tiles and nothing between
operators. A view, whose result shares the memory of its operand, moves nothing; neither does an
operator that only allocates. For broadcast dimensions (stride 0) and overlapping windows the
memory that exists counts. What is computed from weights alone (a weight norm, a cast) counts as
weights, since it does not grow with the batch.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

_OVERWRITE = {"copy_", "fill_", "zero_"}
"""In-place operators that don't read what they overwrite."""
_GATHER = {"embedding", "index", "index_select", "gather"}
"""Operators that read of their first operand only what they return."""
_SCATTER = {"index_put_", "_index_put_impl_", "index_copy_", "scatter_"}
"""Operators that write to their first operand only what their last one holds."""


def byte_counter(modules: Mapping[str, Any]) -> Any:
    """A context manager; ``moved`` sums all bytes, ``weights`` those of parameters and buffers."""
    import torch
    from torch.utils._python_dispatch import TorchDispatchMode

    class Counter(TorchDispatchMode):
        supports_higher_order_operators = True

        def __init__(self) -> None:
            super().__init__()  # type: ignore[no-untyped-call]
            self.moved = self.weights = 0
            self._weights: dict[int, Any] = {}
            for module in modules.values():
                self._weights |= _blocks((*module.parameters(), *module.buffers()))

        def __torch_dispatch__(
            self, func: Any, types: Any, args: Any = (), kwargs: Any = None
        ) -> Any:
            result = func(*args, **(kwargs or {}))
            # a higher-order operator has no schema; those inside it are seen one by one
            if hasattr(func, "_schema"):
                self._count(func, args, kwargs or {}, result)
            return result

        def _count(self, func: Any, args: Any, kwargs: Any, result: Any) -> None:
            operands, results = _tensors((args, kwargs)), _tensors(result)
            written = _written(func, args, kwargs)
            shared = {_storage(tensor) for tensor in operands} if not written else set()
            made = [tensor for tensor in results if _storage(tensor) not in shared]
            if not made or "empty" in func.__name__ or torch.Tag.inplace_view in func.tags:
                return
            if operands and all(_storage(tensor) in self._weights for tensor in operands):
                self._weights |= _blocks(made)
            moved = _moved(func.__name__.partition(".")[0], operands, made, written)
            self.moved += sum(size for _, size in moved)
            self.weights += sum(size for tensor, size in moved if _storage(tensor) in self._weights)

    return Counter()


def _moved(
    name: str, operands: list[Any], made: list[Any], written: set[int]
) -> list[tuple[Any, int]]:
    """Each operand read and each result written, with its bytes."""
    if name in _SCATTER:
        return [(tensor, _bytes(tensor)) for tensor in (*operands[1:], operands[-1])]
    in_place = name.endswith("_") and name not in _OVERWRITE
    read = [tensor for tensor in operands if id(tensor) not in written or in_place]
    if name in _GATHER and read:
        read[0] = made[0]
    return [(tensor, _bytes(tensor)) for tensor in (*read, *made)]


def _written(func: Any, args: Any, kwargs: Any) -> set[int]:
    """Identities of the operands that the operator's schema says it writes to."""
    written: set[int] = set()
    for i, argument in enumerate(func._schema.arguments):
        if argument.alias_info is not None and argument.alias_info.is_write:
            value = args[i] if i < len(args) else kwargs.get(argument.name)
            written.update(id(tensor) for tensor in _tensors(value))
    return written


def _tensors(values: Any) -> list[Any]:
    """Tensors with memory anywhere in ``values``; one that occurs twice is read once."""
    import torch
    from torch.utils._pytree import tree_leaves

    leaves = {id(leaf): leaf for leaf in tree_leaves(values) if isinstance(leaf, torch.Tensor)}
    return [leaf for leaf in leaves.values() if leaf.layout == torch.strided and leaf.numel()]


def _blocks(tensors: Iterable[Any]) -> dict[int, Any]:
    """Identity of each tensor's memory → a weak reference to it.

    Weak references hold no memory, but keep the identities from being reused.
    """
    from torch.multiprocessing.reductions import StorageWeakRef

    weak: Any = StorageWeakRef
    return {_storage(tensor): weak(tensor.untyped_storage()) for tensor in tensors}


def _storage(tensor: Any) -> int:
    return int(tensor.untyped_storage()._cdata)


def _bytes(tensor: Any) -> int:
    """Distinct bytes behind a tensor."""
    sizes = zip(tensor.shape, tensor.stride(), strict=True)
    distinct = math.prod(size for size, stride in sizes if stride)
    return int(min(distinct * tensor.element_size(), tensor.untyped_storage().nbytes()))
