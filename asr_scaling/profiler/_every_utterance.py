"""What measurements of texts share: every utterance has its first call."""

from __future__ import annotations

from asr_scaling.core.ports import Session
from asr_scaling.core.workload import Utterance


def every_utterance(session: Session) -> tuple[Utterance, ...]:
    """Every distinct utterance of the workload and besides it; what has no text yet gets its call.

    Raises EngineError when the system can't transcribe one, OutOfMemoryError when memory is too
    small.
    """
    batches = (*session.batches, *session.besides)
    for i, batch in enumerate(batches):
        if any(utterance.id not in session.hypotheses for utterance in batch.utterances):
            session.transcribe(batch)
        session.progress.advance((i + 1) / len(batches))
    besides = (utterance for batch in session.besides for utterance in batch.utterances)
    every = (*session.workload.utterances, *besides)
    return tuple({utterance.id: utterance for utterance in every}.values())
