"""A small system with the operators of speech recognition: the same work wherever it runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from asr_scaling.core.model_spec import ModelSpec
from asr_scaling.core.ports import Device, Probe, SystemFacts, Transcription
from asr_scaling.core.workload import AudioBatch

FRAMES, BANDS = 600, 80
WIDTH, HEADS = 256, 4
BLOCKS = 4
TOKENS, STEPS = 50_000, 16
"""Every step reads the 51 MB of the vocabulary's weights, more than caches hold."""
SEED = 42
Work = Callable[[], None]


@dataclass
class StandIn:
    """An engine whose model has random weights of a fixed seed, and whose texts are empty."""

    def check(self, model: ModelSpec) -> None:
        """Any model will do: none is loaded."""

    def load(self, model: ModelSpec, device: Device) -> StandInSystem:
        """The same network on ``device``, whatever the ``model``."""
        encode, step = _network(device.torch_name)
        return StandInSystem(encode, step)


@dataclass
class StandInSystem:
    """Convolutions and attention over some hundred frames, then decoding steps one by one."""

    encode: Work
    step: Work
    modules: Mapping[str, Any] = field(default_factory=dict)
    facts: SystemFacts = field(
        default_factory=lambda: SystemFacts("none", "made here", 0, 0, "float32")
    )

    def transcribe(self, batch: AudioBatch, probe: Probe) -> Transcription:
        """Do the work of one call; its length does not depend on the ``batch``."""
        probe.stage("encoder")
        self.encode()
        probe.stage("decoder")
        for _ in range(STEPS):
            self.step()
            probe.token()
        heard = tuple(utterance.duration_s for utterance in batch.utterances)
        return Transcription(("",) * len(batch), (STEPS,) * len(batch), heard, STEPS)

    def close(self) -> None:
        """Nothing to free."""


def _network(device: str) -> tuple[Work, Work]:
    """One run of the encoder, and one step of the decoder, on ``device``."""
    import torch
    from torch import nn

    torch.manual_seed(SEED)
    front = nn.Sequential(
        nn.Conv1d(BANDS, WIDTH, 3, padding=1),
        nn.GELU(),
        nn.Conv1d(WIDTH, WIDTH, 3, padding=1),
        nn.GELU(),
    )
    block: dict[str, Any] = {"dropout": 0.0, "activation": "gelu", "batch_first": True}
    blocks = nn.Sequential(
        *(nn.TransformerEncoderLayer(WIDTH, HEADS, 4 * WIDTH, **block) for _ in range(BLOCKS))
    )
    inner = nn.Sequential(nn.Linear(WIDTH, 4 * WIDTH), nn.GELU(), nn.Linear(4 * WIDTH, WIDTH))
    out = nn.Linear(WIDTH, TOKENS)
    for module in (front, blocks, inner, out):
        module.eval().to(device)
    frames = torch.randn(1, BANDS, FRAMES).to(device)
    state = torch.randn(1, WIDTH).to(device)

    def encode() -> None:
        with torch.no_grad():
            blocks(front(frames).transpose(1, 2))

    def step() -> None:
        with torch.no_grad():
            int(out(inner(state)).argmax())  # the host waits for the token, as it does in decoding

    return encode, step
