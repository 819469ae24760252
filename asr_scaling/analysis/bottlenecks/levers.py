"""What advice may offer: for each way to run a model faster, the facts that its gain follows from.

``LEVERS`` says what each is and which stages of a call it touches; ``MEASURED`` (lever_facts.py)
what it left of their time where it was measured.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from asr_scaling.analysis.bottlenecks.timed import Timed

EVERY_STAGE = "every stage"
Kind = Literal["optimisation", "engine", "batch"]
Amount = Literal["once", "window", "faults", "batch"]
"""What a lever's effect grows with: nothing, the logarithm of the window's share, a million page
faults a second, or the logarithm of how much larger the batch gets."""


@dataclass(frozen=True)
class Lever:
    """One way to run a model faster.

    name: as it is chosen: an optimisation, an engine, or the utterances of a call.
    does: what it does, in a few words.
    kind: which option chooses it.
    touches: stages of a call whose time it changes.
    amount: what its effect grows with.
    engines: on which it is possible; empty for all that take it.
    needs: engine → optimisations that must come along.
    processors: classes that gain from it (machine/instructions.py); empty for all.
    watch: what may get worse; empty for nothing.
    """

    name: str
    does: str
    touches: tuple[str, ...]
    kind: Kind = "optimisation"
    amount: Amount = "once"
    engines: tuple[str, ...] = ()
    needs: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    processors: tuple[str, ...] = ()
    watch: str = ""

    def touched(self, stages: Mapping[str, float]) -> tuple[str, ...]:
        """Of the stages of a call those that it touches."""
        everything = EVERY_STAGE in self.touches
        return tuple(stage for stage in stages if everything or stage in self.touches)

    def how_much(self, timed: Timed) -> float:
        """How much of its effect there is to have at a point; 0 where it changes nothing."""
        return {
            "once": 1.0,
            "window": timed.spared_window,
            "faults": timed.faults_per_s / 1e6,
            "batch": timed.grown(int(self.name) if self.kind == "batch" else 1),
        }[self.amount]


LEVERS = (
    Lever(
        "decode_loop",
        "this package's own greedy loop in place of the library's generate",
        ("transfer", "decoder", "other"),
        engines=("transformers",),
    ),
    Lever(
        "dynamic_window",
        "the encoder sees the audio and a margin in place of the whole window",
        ("features", "transfer", "encoder", "decoder", "other"),
        amount="window",
        needs={"transformers": ("decode_loop",)},
        watch="loops, which are decoded again",
    ),
    Lever("int8", "weights and products in 8 bits", ("encoder", "decoder"), watch="WER"),
    Lever(
        "bf16",
        "weights and products in bfloat16",
        ("transfer", "encoder", "decoder"),
        engines=("transformers", "openvino"),
        processors=("amx", "avx512_bf16", "cuda"),
        watch="WER",
    ),
    Lever(
        "keep_heap",
        "the process keeps what a call frees",
        (EVERY_STAGE,),
        amount="faults",
        watch="memory",
    ),
    *(
        Lever(name, "another engine", (EVERY_STAGE,), kind="engine", engines=("transformers",))
        for name in ("faster_whisper", "onnxruntime", "openvino")
    ),
    Lever(
        "16",
        "larger batches",
        (EVERY_STAGE,),
        kind="batch",
        amount="batch",
        watch="latency and memory",
    ),
)
"""What is offered, where it is possible and worth it."""
BY_NAME: Mapping[str, Lever] = {lever.name: lever for lever in LEVERS}
