"""A probe that times the stages and tokens of a call."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from asr_scaling.core.ports import Device, Session, Transcription
from asr_scaling.core.sample import Sample
from asr_scaling.core.workload import AudioBatch

_TOKEN = "\0token"
OTHER = "other"


class TimingProbe:
    """Times one call. Only ``sample`` waits for the device, once, when the call is over."""

    def __init__(self, device: Device) -> None:
        self._device = device
        self._started_at = time.time()
        self._names: list[str] = [OTHER]
        self._marks: list[Any] = [device.mark()]

    def stage(self, name: str) -> None:
        """Stage ``name`` begins now."""
        self._names.append(name)
        self._marks.append(self._device.mark())

    def token(self) -> None:
        """One decoding step ended now."""
        self._names.append(_TOKEN)
        self._marks.append(self._device.mark())

    def sample(self, batch: AudioBatch, result: Transcription) -> Sample:
        """The finished call as a sample; the stages add up to the total by construction."""
        self._marks.append(self._device.mark())
        times = self._device.seconds(self._marks)
        account = result.account
        stages, first, steps = _attribute(self._names, times)
        return Sample(
            utterances=tuple(u.id for u in batch.utterances),
            audio_s=batch.audio_s,
            processed_s=sum(result.audio_s),
            total_s=times[-1],
            stages=stages,
            first_token_s=first,
            step_s=tuple(steps),
            tokens=result.tokens,
            started_at=self._started_at,
            again=result.again,
            modules=account.modules if account else {},
            cpu_s=account.cpu_s if account else None,
        )


def _attribute(
    names: Sequence[str], times: Sequence[float]
) -> tuple[dict[str, float], float | None, list[float]]:
    """Stage → seconds, time to the first token, and times between tokens of one stage.

    ``names``: of stages and tokens, in the order of their marks.
    ``times``: seconds at which each of ``names`` begins, and the end of the last.
    """
    stages: dict[str, float] = {}
    current, first = OTHER, None
    steps: list[float] = []
    for i, name in enumerate(names):
        if name == _TOKEN:
            first = times[i] if first is None else first
            if names[i - 1] == _TOKEN:
                steps.append(times[i] - times[i - 1])
        else:
            current = name
        stages[current] = stages.get(current, 0.0) + times[i + 1] - times[i]
    return stages, first, steps


def timed_call(session: Session, batch: AudioBatch, *, keep: bool = True) -> Sample:
    """One call of the session's system with its stages timed; ``keep`` its texts."""
    probe = TimingProbe(session.device)
    return probe.sample(batch, session.transcribe(batch, probe, keep=keep))
