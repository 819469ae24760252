"""FunASR's own chain, voice activity to speaker, with each module observed inside."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from asr_scaling.core.module_use import PUNCTUATION, SPEAKER, VAD
from asr_scaling.machine.threads import threads
from asr_scaling.model.funasr_folders import FunAsrWeights
from asr_scaling.model.funasr_modules import QUIET

LONGEST_S = 15.0
"""Seconds of the longest piece that a recording is cut into where random weights would decide."""
_ITS_NAME = {VAD: "vad", PUNCTUATION: "punc", SPEAKER: "spk"}
"""Module → what ``AutoModel`` calls it."""
NAMES = {VAD: "fsmn-vad", PUNCTUATION: "ct-punc", SPEAKER: "cam++"}
"""Module → which of FunASR's it is."""
_INSTEAD = {
    VAD: f"the recording is cut into equal pieces of at most {LONGEST_S:g} s",
    PUNCTUATION: "the text stays without marks",
    SPEAKER: "no speaker is named",
}


@dataclass(frozen=True)
class Chain:
    """The modules around the recogniser; each of them FunASR's own, or None."""

    vad: Any = None
    punctuation: Any = None
    speaker: Any = None

    @property
    def modules(self) -> dict[str, Any]:
        """Name → module, of those that there are."""
        every = {VAD: self.vad, PUNCTUATION: self.punctuation, SPEAKER: self.speaker}
        return {name: module for name, module in every.items() if module is not None}

    @property
    def possible(self) -> bool:
        """Whether FunASR runs it: it knows speakers only in what its voice activity found."""
        given = self.modules
        own = all(getattr(part, "funasr_model", "") == NAMES[name] for name, part in given.items())
        return bool(given) and own and (self.speaker is None or self.vad is not None)

    def check(self) -> None:
        """Raises MissingExtraError where a module lacks its package."""
        for module in self.modules.values():
            module.check()

    def weights(self) -> dict[str, FunAsrWeights]:
        """Name → weights, of each module."""
        return {name: module.weights() for name, module in self.modules.items()}

    def options(self, weights: Mapping[str, FunAsrWeights], device: str) -> dict[str, Any]:
        """What ``AutoModel`` is told of the modules.

        ``device``: of the recogniser.
        """
        chosen: dict[str, Any] = {}
        for name, module in self.modules.items():
            own = _ITS_NAME[name]
            chosen[f"{own}_model"] = str(weights[name].folder)
            options = {**QUIET, "device": module.device or device, "seed": module.seed}
            options["ncpu"] = module.threads or threads()
            if name == SPEAKER:
                options["batch_size"] = module.batch
            chosen[f"{own}_kwargs"] = options
        if self.speaker is not None and (self.punctuation is None or weights[PUNCTUATION].random):
            chosen["spk_mode"] = "vad_segment"  # else a turn ends where a mark ends a sentence
        return chosen

    def notes(self, weights: Mapping[str, FunAsrWeights]) -> tuple[str, ...]:
        """What a reader must know of modules with random weights."""
        return tuple(
            f"The weights of {name} ({NAMES[name]}) are random: it runs and its cost counts, but "
            f"{_INSTEAD[name]}."
            for name, own in weights.items()
            if own.random
        )


def facts_of_modules(
    library: Any, weights: Mapping[str, FunAsrWeights]
) -> dict[str, dict[str, Any]]:
    """Name → what was loaded, of each module around the recogniser."""
    found = {}
    for name, own in weights.items():
        network = getattr(library, f"{_ITS_NAME[name]}_model")
        found[name] = {
            "weights": own.origin.kind,
            "weights_source": own.origin.origin,
            "weights_bytes": own.bytes,
            "parameters": sum(int(weight.numel()) for weight in network.parameters()),
        }
    return found
