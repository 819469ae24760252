"""An engine that only sleeps: for tests with exact arithmetic and for dry runs of a sweep."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Any

from asr_scaling.core.decoding import GREEDY, Decoding
from asr_scaling.core.model_spec import ModelSpec
from asr_scaling.core.ports import Capabilities, Device, Probe, SystemFacts, Transcription
from asr_scaling.core.workload import AudioBatch, Utterance
from asr_scaling.engine._shared.decoding_steps import Decoded, Hypothesis, Plan, Step
from asr_scaling.errors import ConfigError, EngineError, OutOfMemoryError

_CURED = 0.4
"""Temperature at which a text that looped no longer does."""


@dataclass(frozen=True)
class Fake:
    """An engine that sleeps and returns the references.

    A call takes ``fixed_s + per_audio_s × padded audio seconds``: a quarter of it is features, half
    is the encoder, and the rest is spread over ``steps`` decoding steps.

    ``jitter``: sigma of a lognormal factor of median 1 that multiplies every call's time.
    ``loops``: probability that an utterance's text loops, for as long as it is decoded at a
    temperature below 0.4.
    ``word_errors``: probability that a word comes out wrong; the same words at every call.
    ``max_batch``: a larger batch runs out of memory.
    ``fail_on``: name of the model that can't be loaded.
    ``fault``: a file of words, each of which befalls the process that finds it first, in the middle
    of a call: kill (SIGKILL), exit or raise. The process takes its word away, so it happens once.
    ``sleep``: tests replace it.
    """

    fixed_s: float = 0.002
    per_audio_s: float = 0.0001
    steps: int = 4
    jitter: float = 0.0
    word_errors: float = 0.0
    loops: float = 0.0
    decoding: Decoding = GREEDY
    seed: int = 42
    max_batch: int | None = None
    fail_on: str | None = None
    fault: str | None = None
    sleep: Callable[[float], None] = time.sleep

    @property
    def capabilities(self) -> Capabilities:
        """It reads no weights: nothing is fetched for it before a sweep."""
        return Capabilities(reads_weights=False, any_device=True)

    def __post_init__(self) -> None:
        if self.fixed_s < 0 or self.per_audio_s < 0 or self.steps < 1:
            raise ConfigError(
                "engine.fixed_s and engine.per_audio_s must not be negative, "
                "engine.steps at least 1."
            )
        shares = (self.word_errors, self.loops)
        if self.jitter < 0 or not all(0 <= share <= 1 for share in shares):
            raise ConfigError(
                "engine.jitter must not be negative, and engine.word_errors and engine.loops must "
                "be between 0 and 1."
            )

    def check(self, model: ModelSpec) -> None:
        """Runs any model but ``fail_on``."""
        if model.name == self.fail_on:
            raise EngineError(f"engine=fake was told to fail on '{model.name}'.")

    def load(self, model: ModelSpec, device: Device) -> FakeSystem:
        """Nothing to load."""
        return FakeSystem(self, model)


class FakeSystem:
    """Returns the references as texts, but for the errors it was told to make, and says so."""

    def __init__(self, engine: Fake, model: ModelSpec) -> None:
        self._engine, self._random = engine, Random(engine.seed)
        self._model = model
        self.modules: Mapping[str, Any] = {}
        self.facts = SystemFacts(
            weights="fake",
            weights_source="engine=fake",
            weights_bytes=0,
            parameters=0,
            dtype="none",
            notes=(
                "engine=fake sleeps and returns the references: no figure of this point is about "
                "a model.",
            ),
        )

    def transcribe(self, batch: AudioBatch, probe: Probe) -> Transcription:
        """Sleep through the stages."""
        engine = self._engine
        if engine.max_batch is not None and len(batch) > engine.max_batch:
            raise OutOfMemoryError(
                f"A batch of {len(batch)} does not fit; use batch.size <= {engine.max_batch}."
            )
        plan = Plan(engine.decoding, engine.seed)
        result = plan.transcribe(batch, lambda part, step: self._attempt(part, step, probe))
        return replace(result, languages=self._languages(batch) if self._model.multilingual else ())

    def _languages(self, batch: AudioBatch) -> tuple[str, ...]:
        """Those asked for; it recognises what the dataset states, and English where it does not."""
        stated = [utterance.language for utterance in batch.utterances]
        return tuple(self._model.asked_for(code) or code or "en" for code in stated)

    def _attempt(self, batch: AudioBatch, step: Step, probe: Probe) -> Decoded:
        engine = self._engine
        total = engine.fixed_s + engine.per_audio_s * batch.padded_s
        total *= self._random.lognormvariate(0.0, engine.jitter) if engine.jitter else 1.0
        probe.stage("features")
        engine.sleep(total / 4)
        probe.stage("encoder")
        engine.sleep(total / 2)
        if engine.fault is not None:
            _befall(Path(engine.fault))
        probe.stage("decoder")
        for _ in range(engine.steps):
            engine.sleep(total / 4 / engine.steps)
            probe.token()
        probe.stage("text")
        texts = [self._text(utterance, step.temperature) for utterance in batch.utterances]
        mean = -0.5 if step.scored else None
        return Decoded([Hypothesis(text, engine.steps, mean) for text in texts], engine.steps)

    def _text(self, utterance: Utterance, temperature: float) -> str:
        share = self._engine.loops  # a generator that isn't needed would cost 0.1 ms of the call
        if share and temperature < _CURED and self._loops(utterance, share):
            return "and so on, " * 40
        if not self._engine.word_errors:
            return utterance.reference
        chance = Random(f"{self._engine.seed} {utterance.id}")
        words = utterance.reference.split(" ")
        return " ".join(
            word if chance.random() >= self._engine.word_errors else "fake" for word in words
        )

    def _loops(self, utterance: Utterance, share: float) -> bool:
        return Random(f"loops {self._engine.seed} {utterance.id}").random() < share

    def close(self) -> None:
        """Nothing to give back."""


def _befall(fault: Path) -> None:
    try:
        word, *others = fault.read_text(encoding="utf-8").split()
        fault.write_text(" ".join(others), encoding="utf-8")
    except (FileNotFoundError, ValueError):
        return  # nothing is left
    if word == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if word == "exit":
        sys.exit(f"engine=fake found {fault.name}")
    raise RuntimeError(f"engine=fake found {fault.name}")
