"""From samples to text with exported graphs: Whisper step by step, CTC in one pass."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from asr_scaling.core.ports import Probe, Transcription
from asr_scaling.core.workload import SAMPLE_RATE_HZ, AudioBatch
from asr_scaling.engine._onnx.files import PREFIX, check_length
from asr_scaling.engine._onnx.search import Rules, log_probabilities, searched
from asr_scaling.engine._onnx.token_policy import Policy
from asr_scaling.engine._shared import ctc
from asr_scaling.engine._shared.decoding_steps import Step
from asr_scaling.engine._shared.short_clips import least_samples, padded
from asr_scaling.engine._shared.token_texts import Texts
from asr_scaling.engine._shared.whisper import hear
from asr_scaling.engine._shared.window_by_window import Rows, Windows
from asr_scaling.model.convert import difference


class Steps(Protocol):
    """Whisper's two graphs in an engine, which keeps the keys and values between calls."""

    def encode(self, features: NDArray[np.float32]) -> None:
        """Begin with ``features [batch, mels, frames]``; what was decoded before is forgotten."""
        ...

    def step(self, tokens: NDArray[np.int64], forbidden: NDArray[np.float32]) -> NDArray[np.int64]:
        """The most likely tokens ``[batch]`` after ``tokens [batch, new]``.

        ``forbidden [vocabulary]`` is added to the logits first.
        """
        ...

    def logits(self) -> NDArray[np.float32]:
        """What the last step chose from, ``[batch, vocabulary]``."""
        ...

    def spread(self, times: int) -> None:
        """Begin anew with what was encoded, every row ``times`` times, one beside the other."""
        ...

    def reorder(self, rows: Sequence[int]) -> None:
        """What was decoded so far becomes that of ``rows``, each of the same utterance."""
        ...


class Frames(Protocol):
    """A CTC graph in an engine."""

    def run(self, inputs: Mapping[str, NDArray[Any]], output: str) -> NDArray[Any]:
        """The output "frames" ``[batch, frames]`` or "logits" ``[batch, frames, vocabulary]``."""
        ...


@dataclass(frozen=True)
class Whisper:
    """Whisper by its two graphs."""

    texts: Texts
    steps: Steps
    policy: Policy
    windows: Windows

    def transcribe(self, batch: AudioBatch, probe: Probe) -> Transcription:
        """From samples to texts, up to a window of audio an utterance.

        Raises EngineError for longer utterances, unless the weights are random.
        """
        check_length(self.texts.spec, batch.longest_s, random=self.texts.random)
        return self.windows.transcribe(batch, probe, self._decode, self.texts.text)

    def _decode(
        self,
        features: NDArray[np.float32],
        probe: Probe,
        step: Step,
        planned: list[int] | None,
        languages: list[str | None],
    ) -> Rows:
        """A ``Decode`` of ``Windows``."""
        policy, steps = self.policy, self.steps
        probe.stage("encoder")
        steps.encode(features)
        probe.stage("decoder")
        bound = policy.longest if step.most is None else min(step.most, policy.longest)
        if planned:
            bound = max(planned) + 1
        tokens = self._prompts(languages)
        if step.scored or step.beam > 1:
            prompts = np.array([policy.prompts.of(code) for code in languages], np.int64)
            return self._searched(features, probe, step, bound, planned=planned, prompts=prompts)
        ended = np.zeros(len(features), bool)
        columns = list[Any]()
        while len(columns) < bound and not ended.all():
            chosen = steps.step(tokens, policy.later if columns else policy.first)
            probe.token()
            columns.append(chosen)
            tokens = chosen[:, None]
            if planned is None:
                ended |= chosen == policy.end
        rows = np.stack(columns, axis=1).tolist()
        if planned is not None:
            return Rows([row[:n] for row, n in zip(rows, planned, strict=True)], len(columns))
        cut = (row[: row.index(policy.end)] if policy.end in row else row for row in rows)
        kept = [[token for token in row if token < policy.end] for row in cut]
        return Rows(kept, len(columns))

    def _searched(
        self,
        features: NDArray[np.float32],
        probe: Probe,
        step: Step,
        bound: int,
        *,
        planned: list[int] | None,
        prompts: NDArray[np.int64],
    ) -> Rows:
        """With probabilities, by samples or by beams; random weights end where it is planned."""
        policy, never = self.policy, -1
        rules = Rules(policy.end if planned is None else never, policy.first, policy.later, bound)
        found, passes = searched(self.steps, rules, prompts, step, probe.token)
        lengths = planned or [bound] * len(found)
        rows = [text.tokens[:n] for text, n in zip(found, lengths, strict=True)]
        if planned is None:
            rows = [[token for token in row if token < policy.end] for row in rows]
        return Rows(
            rows,
            passes,
            [text.mean for text in found] if step.scored else None,
            lambda number: self._no_speech(features[number : number + 1]),
        )

    def _no_speech(self, features: NDArray[np.float32]) -> float:
        """The probability of the token for "no speech" after the first token of the prompt."""
        prompts, allowed = self.policy.prompts, np.zeros_like(self.policy.later)
        self.steps.encode(np.ascontiguousarray(features))
        self.steps.step(np.array([[prompts.start]], np.int64), allowed)
        likely = log_probabilities(self.steps.logits(), allowed)
        return float(np.exp(likely[0, prompts.no_speech]))

    def _prompts(self, languages: list[str | None]) -> NDArray[np.int64]:
        """The prompts of rows in ``languages``, of which None is replaced by what is recognised.

        That takes a step on the first token alone, which is then left out of the prompts.
        """
        prompts, begin = self.policy.prompts, 0
        if prompts.languages and None in languages:
            chosen = self.steps.step(
                np.full((len(languages), 1), prompts.start, np.int64), self.policy.spoken
            )
            hear(languages, lambda: [prompts.recognised(token) for token in chosen.tolist()])
            begin = 1
        return np.array([prompts.of(code)[begin:] for code in languages], np.int64)


@dataclass(frozen=True)
class Ctc:
    """A CTC model by its one graph.

    ``config``: its transformers configuration.
    """

    texts: Texts
    graph: Frames
    config: Any

    def transcribe(self, batch: AudioBatch, probe: Probe) -> Transcription:
        """Frames that only padding gave are dropped before collapsing."""
        probe.stage("features")
        least = least_samples(self.config, self.texts.features)
        arrays = padded([utterance.audio for utterance in batch.utterances], least)
        features = self.texts.features(
            arrays, sampling_rate=SAMPLE_RATE_HZ, padding=True, return_tensors="np"
        )
        inputs = {"samples": features["input_values"]}
        if "attention_mask" in features:
            inputs["mask"] = features["attention_mask"].astype("int64")
        probe.stage("encoder")
        frames = self.graph.run(inputs, "frames").tolist()
        probe.stage("decoder")
        config = self.config
        lengths = [
            ctc.frames_of(audio.size, config.conv_kernel, config.conv_stride) for audio in arrays
        ]
        rows = ctc.collapsed(frames, lengths, config.pad_token_id)
        probe.stage("text")
        texts = self.texts.text(rows, group_tokens=False)
        return Transcription(texts, tuple(map(len, rows)), batch.durations_s)


def whisper_difference(steps: Steps, check: Mapping[str, NDArray[Any]]) -> float:
    """How far the logits of ``steps`` are from those of the check.

    Infinite when a step does not choose the token with the highest logit.
    """
    tokens, logits = check["tokens"], check["logits"]
    allowed = np.zeros(logits.shape[-1], np.float32)
    steps.encode(check["features"])
    rows = []
    for end in range(PREFIX, tokens.shape[1] + 1):
        begin = 0 if end == PREFIX else end - 1
        chosen = steps.step(np.ascontiguousarray(tokens[:, begin:end]), allowed)
        rows.append(np.array(steps.logits()))
        if (rows[-1].argmax(-1) != chosen).any():
            return float("inf")
    return difference(np.stack(rows), logits)


def ctc_difference(graph: Frames, check: Mapping[str, NDArray[Any]]) -> float:
    """How far the logits of ``graph`` are from those of the check."""
    inputs = {name: value for name, value in check.items() if name != "logits"}
    return difference(graph.run(inputs, "logits"), check["logits"])
