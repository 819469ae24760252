"""A record while it grows, so that a failure keeps what was measured before it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from asr_scaling.core.cautions import Caution, caution
from asr_scaling.core.ports import Session, System
from asr_scaling.core.record import Findings, Metric, RunRecord, Status
from asr_scaling.core.workload import Workload
from asr_scaling.machine.environment import certified
from asr_scaling.measure.pipeline import SCOPE


@dataclass
class Draft:
    """``job_s``: what the point's own time went into, in seconds by part."""

    environment: dict[str, Any]
    system: dict[str, Any] = field(default_factory=dict)
    dataset: dict[str, Any] = field(default_factory=dict)
    metrics: list[Metric] = field(default_factory=list)
    unavailable: dict[str, str] = field(default_factory=dict)
    cautions: list[Caution] = field(default_factory=list)
    tags: dict[str, str] = field(default_factory=dict)
    transcripts: list[Mapping[str, Any]] = field(default_factory=list)
    artifacts: list[str] = field(default_factory=list)
    repeats: dict[str, tuple[float, ...]] = field(default_factory=dict)
    job_s: dict[str, float] = field(default_factory=dict)
    session: Session | None = None
    started_at: float = field(default_factory=time.time)
    clock: float = field(default_factory=time.perf_counter)

    def lap(self, name: str) -> None:
        """Seconds since the last lap went into ``name``."""
        now = time.perf_counter()
        self.job_s[name] = self.job_s.get(name, 0.0) + now - self.clock
        self.clock = now

    def collect(self, name: str, findings: Findings) -> None:
        """Take in what one measurement found."""
        self.metrics.extend(findings.metrics)
        self.unavailable.update(findings.unavailable)
        self.cautions.extend(findings.cautions)
        self.tags.update(findings.tags)
        self.transcripts.extend(findings.transcripts)
        self.artifacts.extend(findings.artifacts)
        self.repeats.update(findings.repeats)
        if findings.trials:
            self.system["memory_by_batch"] = [asdict(trial) for trial in findings.trials]
        self.lap(name)

    def record(
        self,
        name: str,
        status: Status,
        reason: str | None,
        config: Mapping[str, Any],
        identity: str = "",
    ) -> RunRecord:
        """The record of the point as it ended."""
        if self.session is not None:
            self.job_s["engine_calls"] = self.session.engine_s
        return RunRecord(
            name=name,
            status=status,
            reason=reason,
            config=config,
            environment=self.environment,
            system=self.system,
            dataset=self.dataset,
            scope=SCOPE,
            samples=self.session.samples if self.session else (),
            metrics=tuple(self.metrics),
            unavailable=self.unavailable,
            cautions=tuple(self.cautions),
            tags=self.tags,
            transcripts=tuple(self.transcripts),
            artifacts=tuple(self.artifacts),
            repeats=self.repeats,
            job_s=self.job_s,
            started_at=self.started_at,
            ended_at=time.time(),
            identity=identity,
        )


def unbuilt(
    name: str, reason: str, config: Mapping[str, Any], certificate: Mapping[str, Any] | None = None
) -> RunRecord:
    """The record of a point that could not even be built."""
    now = time.time()
    return RunRecord(
        name, "failed", config, certified(certificate), reason, started_at=now, ended_at=now
    )


def lost(name: str, reason: str, config: Mapping[str, Any], host_known: bool) -> RunRecord:
    """The record of a point that could not write its own. ``host_known``: it was this machine that measured it."""
    now, environment = time.time(), certified(None) if host_known else {}
    return RunRecord(name, "interrupted", config, environment, reason, started_at=now, ended_at=now)


def dataset_cautions(size: int, workload: Workload) -> list[Caution]:
    """What a reader must know of the speech, in batches of ``size``."""
    info, found = workload.info, []
    if info.synthetic:
        found.append(caution("SyntheticSpeech", dataset=info.name))
    if info.left_out:
        reasons = ", ".join(f"{n} {why}" for why, n in info.left_out.items())
        found.append(caution("UtterancesLeftOut", reasons=reasons))
    if len(workload.utterances) % size:
        utterances = len(workload.utterances)
        found.append(caution("RepeatedUtterances", size=size, utterances=utterances))
    return found


def system_cautions(system: System) -> list[Caution]:
    """What a reader must know of the loaded system."""
    facts = system.facts
    notes = [caution("SystemNote", note=text) for text in facts.notes]
    return (
        [caution("RandomWeights", reason=facts.weights_source), *notes] if facts.random else notes
    )
