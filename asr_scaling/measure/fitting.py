"""The size of a batch that the loaded system decides, found where nothing else takes memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from asr_scaling.core.older_records import FITTED_IN
from asr_scaling.core.ports import Batching, Fitting, System, SystemSpec
from asr_scaling.core.record import Findings
from asr_scaling.core.workload import Utterance
from asr_scaling.errors import FreshProcessError
from asr_scaling.machine.fresh_process import Read, in_fresh_process, prepare

_ALONE = "a process of its own"


def fitted(
    spec: SystemSpec, system: System, utterances: Sequence[Utterance]
) -> tuple[Batching, Findings]:
    """What ``spec.batch``, a ``Fitting``, finds for copies of the longest utterance.

    On a device without memory of its own the search runs in a new process, which holds what serving
    the system would hold. Where that is not possible it runs here, judged by all that this process
    holds, and the tag ``FITTED_IN`` says why.

    Raises OutOfMemoryError when not even one utterance fits.
    """
    batch, utterance = spec.batch, max(utterances, key=lambda u: u.duration_s)
    assert isinstance(batch, Fitting)
    if spec.device.memory.peak_bytes() is not None:
        return batch.fit(system, spec.device, utterance)
    parts = (spec.model, spec.engine, spec.device)
    try:
        found = in_fresh_process(fit_alone, (parts, batch, utterance), limit_s=None)
        where = _ALONE
    except FreshProcessError as error:
        found = batch.fit(system, spec.device, utterance)
        where = f"the measuring process: {error}"
    batching, findings = found
    return batching, replace(findings, tags={**findings.tags, FITTED_IN: where})


def fit_alone(read: Read) -> tuple[Batching, Findings]:
    """The search in a new process: loads the system, then looks for the largest batch."""
    model, engine, device = read()
    prepare(model, engine, device)
    system, batch = engine.load(model, device), read()
    found: tuple[Batching, Findings] = batch.fit(system, device, read())
    return found
