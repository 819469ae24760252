"""A record while it grows, so that a failure keeps what was measured before it."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from asr_scaling.core.cautions import IDLE, Caution, caution
from asr_scaling.core.decoding import GREEDY, Decoding
from asr_scaling.core.ports import (
    Session,
    SpeechBound,
    System,
    SystemSpec,
    Wrapping,
    capabilities,
    option_of,
    recogniser,
)
from asr_scaling.core.record import Findings, RunRecord, Status
from asr_scaling.core.spread import of_certificate
from asr_scaling.core.time_intervals import of_one_process
from asr_scaling.core.usual_figures import with_usual
from asr_scaling.core.workload import AudioBatch, Workload, with_copies
from asr_scaling.machine.environment import certified
from asr_scaling.machine.machine_history import known
from asr_scaling.measure.pipeline import SCOPE

_NAMED = 5
"""Utterances that a caution names."""

_ONCE = "decoding={} decoded nothing again: texts of random weights mean nothing, so none fails."


@dataclass
class RecordBuilder:
    """The fields of a RunRecord as far as they are known.

    ``findings``: of all measurements so far.
    ``job_s``: what the point's own time went into, in seconds by part.
    ``session``: the loaded system, None until it is loaded.
    ``lap_at``: when the last part ended, on the clock of ``time.perf_counter``.
    """

    name: str
    config: Mapping[str, Any]
    identity: str = ""
    environment: dict[str, Any] = field(default_factory=dict)
    system: dict[str, Any] = field(default_factory=dict)
    dataset: dict[str, Any] = field(default_factory=dict)
    findings: Findings = field(default_factory=Findings)
    job_s: dict[str, float] = field(default_factory=dict)
    session: Session | None = None
    started_at: float = field(default_factory=time.time)
    lap_at: float = field(default_factory=time.perf_counter)

    def lap(self, name: str) -> None:
        """The seconds since the last lap went into ``name``."""
        now = time.perf_counter()
        self.job_s[name] = self.job_s.get(name, 0.0) + now - self.lap_at
        self.lap_at = now

    def add(self, findings: Findings) -> None:
        """Take in ``findings``; where a name is there already, the new value counts."""
        old = self.findings
        self.findings = Findings(
            old.metrics + findings.metrics,
            {**old.unavailable, **findings.unavailable},
            old.cautions + findings.cautions,
            {**old.tags, **findings.tags},
            old.transcripts + findings.transcripts,
            old.artifacts + findings.artifacts,
            {**old.repeats, **findings.repeats},
            loads=old.loads + findings.loads,
        )

    def add_history(self, device: str) -> None:
        """Add to the environment what is known of this machine and of the point on it.

        device: kind of the device.
        """
        self.environment = machine_facts(self.environment, device, self.identity)

    def collect(self, name: str, findings: Findings) -> None:
        """Take in what the measurement ``name`` found."""
        self.add(findings)
        if findings.trials:
            self.system["memory_by_batch"] = [asdict(trial) for trial in findings.trials]
        if findings.lanes is not None:
            self.system["lanes"] = findings.lanes
        if findings.serving is not None:
            self.system["serving"] = dict(findings.serving)
        if self.session is not None:
            self.session.values.update((metric.name, metric.value) for metric in findings.metrics)
        self.lap(name)

    def record(self, status: Status, reason: str | None) -> RunRecord:
        """The record of the point as it ended."""
        if self.session is not None:
            self.job_s["engine_calls"] = self.session.engine_s
        record = RunRecord(
            name=self.name,
            status=status,
            reason=reason,
            config=self.config,
            environment=self.environment,
            system=self.system,
            dataset=self.dataset,
            scope=SCOPE,
            samples=self.session.samples if self.session else (),
            beats=self.session.beats if self.session else (),
            metrics=self.findings.metrics,
            unavailable=self.findings.unavailable,
            cautions=self.findings.cautions,
            tags=self.findings.tags,
            transcripts=self._transcripts(),
            artifacts=self.findings.artifacts,
            repeats=self.findings.repeats,
            loads=self.findings.loads,
            job_s=self.job_s,
            started_at=self.started_at,
            ended_at=time.time(),
            identity=self.identity,
        )
        return of_one_process(with_usual(record))

    def _transcripts(self) -> tuple[Mapping[str, Any], ...]:
        """With the language that each was transcribed in, where the system tells it.

        ``language`` in a row is that of the reference.
        """
        told = self.session.languages if self.session else {}
        rows = self.findings.transcripts
        return tuple(
            {**row, "transcribed_in": told[row["id"]]} if row.get("id") in told else row
            for row in rows
        )


def machine_facts(
    facts: Mapping[str, Any], device: str, identity: str, before: float = math.inf
) -> dict[str, Any]:
    """The environment ``facts``, with what is known of this machine's processes.

    That is how their times differ and what the machine's state has to do with it, by the self-test
    and by earlier records; without the self-test nothing is taken as known.

    device: kind of the device; the self-test times the processor, and says nothing of a GPU.
    identity: of the point that is measured.
    before: seconds since 1970; what was measured later is left out.
    """
    spread = of_certificate(facts.get("certificate") or {}) if device == "cpu" else None
    return dict(facts) if spread is None else known(spread, before).facts(facts, identity)


def unbuilt(
    name: str, reason: str, config: Mapping[str, Any], certificate: Mapping[str, Any] | None = None
) -> RunRecord:
    """The record of a point that could not even be built."""
    environment, now = certified(certificate), time.time()
    return RunRecord(name, "failed", config, environment, reason, started_at=now, ended_at=now)


def lost(name: str, reason: str, config: Mapping[str, Any], host_known: bool) -> RunRecord:
    """The record of a point that could not write its own.

    ``host_known``: it was this machine that measured it.
    """
    environment, now = certified(None) if host_known else {}, time.time()
    return RunRecord(name, "interrupted", config, environment, reason, started_at=now, ended_at=now)


def system_facts(spec: SystemSpec, system: System) -> dict[str, Any]:
    """What the record says of the system under test."""
    return {
        "model": asdict(spec.model) | {"languages": list(spec.model.languages)},
        "engine": spec.engine_name,
        "device": spec.device.torch_name,
        "optimisations": list(spec.applied),
        "decoding": {
            **(option_of(recogniser(spec.engine), "decoding") or spec.decoding).to_json(),
            "package_default": capabilities(spec.engine).decoding,
        },
        "facts": {**asdict(system.facts), "notes": list(system.facts.notes)},
    }


def dataset_cautions(size: int, workload: Workload) -> tuple[Caution, ...]:
    """What a reader must know of the speech, in batches of ``size``."""
    info = workload.info
    remarks = []
    if info.synthetic:
        remarks.append(caution("SyntheticSpeech", dataset=info.name))
    if info.copies:
        speech = with_copies(info.utterances, info.copies)
        remarks.append(caution("MadeCopies", speech=speech))
    if info.left_out:
        reasons = ", ".join(f"{count} {reason}" for reason, count in info.left_out.items())
        remarks.append(caution("UtterancesLeftOut", reasons=reasons))
    remarks += [caution(kind, utterances=_named(ids)) for kind, ids in info.doubts.items()]
    if len(workload.utterances) % size:
        utterances = len(workload.utterances)
        remarks.append(caution("RepeatedUtterances", size=size, utterances=utterances))
    return tuple(remarks)


def _named(ids: Sequence[str]) -> str:
    """The first of ``ids`` and how many more there are."""
    more = f" and {len(ids) - _NAMED} more" if len(ids) > _NAMED else ""
    return ", ".join(f"'{name}'" for name in ids[:_NAMED]) + more


def idle_cautions(spec: SystemSpec, batches: Sequence[AudioBatch]) -> tuple[Caution, ...]:
    """A caution for each optimisation that changes nothing of the system, or on these batches.

    What a cascade gives to recognition is not known before its calls, so that only the former is.

    ``spec``: with its optimisations still to be applied.
    """
    system, steps = spec.composed(), spec.completed().optimisation
    why = dict.fromkeys(spec.idle_optimisations, "the system is the same without it")
    seen = {} if isinstance(system.engine, Wrapping) else steps
    for name, step in seen.items():
        reason = step.idle_on(system, batches) if isinstance(step, SpeechBound) else None
        if reason and name not in why:
            why[name] = reason
    return tuple(caution(IDLE, name=name, why=reason) for name, reason in why.items())


def system_cautions(system: System, decoding: Decoding = GREEDY) -> tuple[Caution, ...]:
    """What a reader must know of the loaded ``system``, which decodes by ``decoding``."""
    facts = system.facts
    random = [caution("RandomWeights", reason=facts.weights_source)] if facts.random else []
    if facts.random and decoding.falls_back:
        random.append(caution("SystemNote", note=_ONCE.format(decoding.name)))
    return (*random, *(caution("SystemNote", note=note) for note in facts.notes))
