"""What FunASR's modules around a recogniser have in common: options, loading, calling."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from asr_scaling.core.option_checks import must_be
from asr_scaling.core.ports import SystemFacts
from asr_scaling.errors import DeviceError, EngineError
from asr_scaling.machine.memory import release_memory
from asr_scaling.machine.module_place import ModulePlace, OnPlace
from asr_scaling.machine.threads import threads
from asr_scaling.model.funasr_folders import (
    FunAsrWeights,
    folder_weights,
    load_error,
    random_weights,
)
from asr_scaling.model.funasr_layouts import Layout
from asr_scaling.model.funasr_package import contained, package, running
from asr_scaling.util.files import user_path

QUIET: Mapping[str, Any] = {
    "disable_update": True,
    "disable_pbar": True,
    "log_level": "ERROR",
    "trust_remote_code": False,
    "ignore_init_mismatch": False,
}
"""Options of ``AutoModel``: nothing is asked of the network or shown, no code of a folder is run,
and a tensor of another size is an error."""
_MISSING = "miss key in ckpt"
"""What FunASR prints of a tensor that the weights lack; it would go on with a random one."""
_REASON = "No folder with weights was given, so they are random."


@dataclass(frozen=True)
class FunAsrOptions:
    """Options of a module.

    ``device``: where it computes; None for where recognition does.
    ``threads``: of its own on the processor; None for as many as everything else has.
    ``batch``: how many inputs the network is given at once, where it takes several.
    ``path``: folder with its weights; None for random ones of the published shape.
    ``seed``: of random weights.
    ``funasr_model``: the name that FunASR gives the module.
    ``layout``: its published shape.
    """

    funasr_model: ClassVar[str]
    layout: ClassVar[Layout]
    device: str | None = None
    threads: int | None = None
    batch: int = 1
    path: str | None = None
    seed: int = 42

    def __post_init__(self) -> None:
        name = self.layout.name
        must_be(f"batch of {name}", self.batch, self.batch >= 1, "at least 1")
        fits = self.threads is None or self.threads >= 1
        must_be(f"threads of {name}", self.threads, fits, "at least 1 or null")

    def check(self) -> None:
        """Imports the package. Raises MissingExtraError without it."""
        package()

    def weights(self) -> FunAsrWeights:
        """Those in ``path``, or random ones. Raises WeightsError when ``path`` can't be used."""
        if self.path is not None:
            option = f"the path of {self.layout.name},"
            return folder_weights(user_path(self.path), self.layout, option)
        return random_weights(self.layout, self.seed, _REASON)

    def loaded(self, torch_name: str) -> Loaded:
        """The module on the device ``torch_name``. Raises WeightsError, DeviceError."""
        weights = self.weights()
        count = self.threads or threads()
        start = time.perf_counter()
        library = auto_model(weights, torch_name, count, seed=self.seed)
        return Loaded(library, facts_of(weights, library, time.perf_counter() - start), count)


def auto_model(weights: FunAsrWeights, device: str, count: int, seed: int, **options: Any) -> Any:
    """FunASR's ``AutoModel`` with ``weights`` on ``device``, built with ``count`` threads.

    Raises WeightsError when it can't load them, DeviceError when it would use another device.
    """
    made = package().AutoModel
    with contained(count) as printed:
        try:
            library = made(
                model=str(weights.folder), device=device, ncpu=count, seed=seed, **QUIET, **options
            )
        except MemoryError:
            raise
        except Exception as error:  # of the package, of YAML, of torch's reader of weights
            raise load_error(weights, error) from error
    if _MISSING in printed.getvalue():
        lines = [line for line in printed.getvalue().splitlines() if _MISSING in line]
        raise load_error(weights, EngineError(f"{len(lines)} tensors are missing: {lines[0]}"))
    release_memory()  # FunASR reads weights twice, and leaves both to the collector
    if library.kwargs["device"] != device:
        raise DeviceError(f"FunASR finds no {device} here: choose device=cpu.")
    return library


def facts_of(weights: FunAsrWeights, library: Any, load_s: float) -> SystemFacts:
    """What ``AutoModel`` loaded in ``load_s`` seconds."""
    parameters = sum(int(weight.numel()) for weight in library.model.parameters())
    return SystemFacts(
        weights=weights.origin.kind,
        weights_source=weights.origin.origin,
        weights_bytes=weights.bytes,
        parameters=parameters,
        dtype="float32",
        load_s=load_s,
    )


class Loaded:
    """A module in memory.

    ``facts``: what was loaded.
    ``place``: where it computes, for how long it occupied it, and what it moved there.
    """

    def __init__(self, library: Any, facts: SystemFacts, count: int) -> None:
        self.facts = facts
        self.place = ModulePlace(library.kwargs["device"])
        self._threads = count
        self._library: Any = library

    def answers(self, inputs: Sequence[Any], **options: Any) -> list[dict[str, Any]]:
        """What FunASR answers to ``inputs``. Raises EngineError when the module is closed."""
        if self._library is None:
            raise EngineError("A module of FunASR is closed; load it again.")
        with running(self._threads), self.place.occupied():
            found = self._library.generate(input=list(inputs), **options)
        return list(found)

    @property
    def network(self) -> Any:
        """FunASR's network."""
        return self._library.model

    def close(self) -> None:
        """Drops the network."""
        self._library = None


class LoadedModule(OnPlace):
    """What the modules in memory have in common.

    ``facts``: what was loaded.
    ``transfers``: the network's method whose input and answer cross a bus to an accelerator.
    """

    transfers: ClassVar[str] = "forward"

    def __init__(self, loaded: Loaded) -> None:
        super().__init__(loaded.place)
        self.facts = loaded.facts
        self._loaded = loaded
        if loaded.place.accelerated:
            watch_transfers(loaded.network, self.transfers, self._add)

    def close(self) -> None:
        """Drops the network."""
        self._loaded.close()

    def _add(self, count: int) -> None:
        self._place.moved_bytes += count


def watch_transfers(owner: Any, method: str, add: Callable[[int], None]) -> None:
    """Tells ``add`` the bytes of what ``method`` is given and returns on an accelerator.

    FunASR moves a network's input there and its answer back.
    """
    inner: Callable[..., Any] = getattr(owner, method)

    def counted(*given: Any, **options: Any) -> Any:
        found = inner(*given, **options)
        add(accelerator_bytes([*given, *options.values(), found]))
        return found

    setattr(owner, method, counted)


def accelerator_bytes(values: Any) -> int:
    """Bytes of all tensors among ``values``, and in the sequences among them, that are not in the
    processor's memory."""
    import torch

    if isinstance(values, torch.Tensor):
        return 0 if values.device.type == "cpu" else values.numel() * values.element_size()
    return sum(map(accelerator_bytes, values)) if isinstance(values, (list, tuple)) else 0
