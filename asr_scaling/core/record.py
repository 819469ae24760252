"""What is kept of a measured point: its samples, metrics, cautions and all that identifies it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

from asr_scaling.core.cascade_facts import modules_in, segments_at_once
from asr_scaling.core.cautions import Caution
from asr_scaling.core.checksum import signed, verified
from asr_scaling.core.load_point import LoadPoint, load_points
from asr_scaling.core.metric import Metric, metrics_from
from asr_scaling.core.module_use import VAD
from asr_scaling.core.older_records import as_now
from asr_scaling.core.sample import Beat, Sample
from asr_scaling.core.statistics import Interval
from asr_scaling.core.typed_json import build, check_parts, finite, number, read, shown
from asr_scaling.errors import ConfigError, DataError
from asr_scaling.util.cache import write_atomic

SCHEMA_VERSION = 1
RECORD_FILE = "record.json"
ROUNDS_FOLDER = "rounds"
"""Folder of a sweep for the rounds of its points: rounds/<k>/<point>, one process each."""
_AGAIN, _NO_MODULE = "measure the point again.", ("model", "decoding")
_TREES = ("config", "environment", "system", "dataset")
Status = Literal["ok", "out_of_memory", "failed", "interrupted"]


@dataclass(frozen=True)
class BatchTrial:
    """A batch size that was tried for memory.

    batch: utterances in the batch.
    fits: whether it fits in memory.
    peak_bytes: most that the process held, or used on the accelerator; None if unknown.
    seconds: duration of the call; None without one.
    tried: False when the peak was predicted from smaller batches and no call was made.
    """

    batch: int
    fits: bool
    peak_bytes: float | None = None
    seconds: float | None = None
    tried: bool = True


@dataclass(frozen=True)
class Findings:
    """What one measurement returns.

    metrics: the measured numbers.
    unavailable: metric name → one sentence why it has no value.
    cautions: what a reader must know before trusting the figures.
    tags: facts shown with the figures, such as ``energy/method``.
    transcripts: one row per utterance.
    artifacts: names of files written into the point's folder.
    repeats: metric name → its repeated values, in order, for metrics that no sample holds.
    trials: batch sizes that were tried for memory.
    lanes: when each module of a cascade worked in a call, in types that JSON has.
    loads: what requests that arrive showed, one for each load.
    serving: how the service was set up that took them, in types that JSON has.
    """

    metrics: tuple[Metric, ...] = ()
    unavailable: Mapping[str, str] = field(default_factory=dict)
    cautions: tuple[Caution, ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict)
    transcripts: tuple[Mapping[str, Any], ...] = ()
    artifacts: tuple[str, ...] = ()
    repeats: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    trials: tuple[BatchTrial, ...] = ()
    lanes: Mapping[str, Any] | None = None
    loads: tuple[LoadPoint, ...] = ()
    serving: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class RunRecord:
    """One point of a sweep, measured or failed, with all that a report needs.

    name: of the point.
    status: how the point ended.
    config: the options it was started with, as JSON values.
    environment: facts of the machine and the installation.
    reason: why it failed; None when its status is "ok".
    system, dataset: facts of each; empty when it was not loaded.
    scope: what the times of a call include.
    samples: the timed calls, in order.
    beats: the machine's state between these calls, in order.
    metrics, unavailable, cautions, tags, transcripts, artifacts, repeats, loads: all ``Findings``.
    job_s: part of the job → seconds it took.
    started_at, ended_at: seconds since 1970.
    identity: fingerprint of everything that the figures depend on.
    schema: version of this format.
    """

    name: str
    status: Status
    config: Mapping[str, Any]
    environment: Mapping[str, Any]
    reason: str | None = None
    system: Mapping[str, Any] = field(default_factory=dict)
    dataset: Mapping[str, Any] = field(default_factory=dict)
    scope: str = ""
    samples: tuple[Sample, ...] = ()
    beats: tuple[Beat, ...] = ()
    metrics: tuple[Metric, ...] = ()
    unavailable: Mapping[str, str] = field(default_factory=dict)
    cautions: tuple[Caution, ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict)
    transcripts: tuple[Mapping[str, Any], ...] = ()
    artifacts: tuple[str, ...] = ()
    repeats: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    loads: tuple[LoadPoint, ...] = ()
    job_s: Mapping[str, float] = field(default_factory=dict)
    started_at: float = 0.0
    ended_at: float = 0.0
    identity: str = ""
    schema: int = SCHEMA_VERSION

    @property
    def values(self) -> dict[str, float]:
        """Metric name → value."""
        return {metric.name: metric.value for metric in self.metrics}

    @property
    def intervals(self) -> dict[str, Interval]:
        """Metric name → interval, of the metrics that have one."""
        return {metric.name: metric.interval for metric in self.metrics if metric.interval}

    @property
    def processes(self) -> int:
        """How many processes timed the calls."""
        return len({sample.process for sample in self.samples})

    @property
    def round(self) -> int | None:
        """Which of the rounds of a point this is, from 0; None for a whole point."""
        index = (self.config.get("sweep") or {}).get("round")
        return index if isinstance(index, int) else None

    @property
    def engine(self) -> str:
        """The engine's name; from the options when the point failed before it was loaded."""
        return str(self.system.get("engine") or choices(self.config).get("engine", ""))

    @property
    def optimisations(self) -> tuple[str, ...]:
        """Names of the optimisations that were applied."""
        return tuple(self.system.get("optimisations") or self.config.get("optimisation") or ())

    @property
    def device(self) -> str:
        """torch's name of the device; from the options when the point failed before loading."""
        name = choices(self.config).get("device", "")
        index = (self.config.get("device") or {}).get("index") or 0
        return str(self.system.get("device") or (f"cuda:{index}" if name == "cuda" else name))

    @property
    def length_s(self) -> float | None:
        """Seconds of every utterance, as asked for; None for natural ones."""
        return number((self.config.get("dataset") or {}).get("length_s"))

    @property
    def modules(self) -> Mapping[str, Any]:
        """Module of a cascade beside recognition → what was loaded; empty for other systems."""
        return modules_in((self.system.get("facts") or {}).get("details")) or {}

    @property
    def batch(self) -> Any:
        """Utterances in a call: as timed, else as asked for, else None.

        Of a cascade that cuts recordings, the segments that are recognised at once: as asked for,
        or their mean where batches go by seconds.
        """
        asked = (self.config.get("batch") or {}).get("size")
        if not self.samples:
            return asked
        if VAD in self.modules:
            return segments_at_once(self.system, self.samples)
        return len(self.samples[0].utterances)

    @property
    def outcome(self) -> str:
        """ "ok", or how and why the point ended otherwise, for people."""
        return "ok" if self.status == "ok" else f"{self.status.replace('_', ' ')}: {self.reason}"

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values; ``from_json`` gives an equal record back."""
        plain = {f.name: getattr(self, f.name) for f in fields(self)}
        return plain | {
            "samples": [asdict(sample) for sample in self.samples],
            "beats": [asdict(beat) for beat in self.beats],
            "metrics": {metric.name: metric.to_json() for metric in self.metrics},
            "cautions": [asdict(caution) for caution in self.cautions],
            "loads": [load.to_json() for load in self.loads],
            **{name: finite(plain[name]) for name in _TREES},
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> RunRecord:
        """A record from ``to_json``'s values, with or without a checksum.

        Raises DataError when the schema is another one or the record is damaged.
        """
        schema = data.get("schema")
        if type(schema) is not int or schema != SCHEMA_VERSION:
            raise DataError(
                f"This record has schema {shown(schema)}, and this version reads schema "
                f"{SCHEMA_VERSION}: {_AGAIN}"
            )
        try:
            check_parts(plain := as_now(verified(data)))
            parts = {name: plain[name] for name in ("samples", "cautions")}
            parts["metrics"] = metrics_from(plain["metrics"])
            parts["loads"] = load_points(plain.get("loads", []))
            record = build(cls, plain | parts)
            _check_calls(record.samples)
        except (KeyError, TypeError, AttributeError, ValueError, ConfigError) as error:
            raise DataError(f"This record is damaged ({error}): {_AGAIN}") from error
        return record

    def write(self, folder: Path) -> Path:
        """Write ``record.json`` with a checksum into ``folder``; returns its path."""
        path = folder / RECORD_FILE
        text = json.dumps(signed(self.to_json()), indent=1, allow_nan=False, ensure_ascii=False)
        write_atomic(path, text.encode(errors="backslashreplace"))  # half surrogates, of file names
        return path

    @classmethod
    def read(cls, path: Path) -> RunRecord:
        """The record in the file ``path``. Raises DataError when it can't be read."""
        try:
            data = read(path)
        except (OSError, ValueError) as error:
            raise DataError(f"{path} can't be read as a record ({error}): {_AGAIN}") from error
        if not isinstance(data, dict):
            raise DataError(f"{path} is not a record: {_AGAIN}")
        return cls.from_json(data)


def choices(config: Mapping[str, Any]) -> dict[str, str]:
    """Group of a record's options → the name that was chosen in it.

    Old records don't have Hydra's choices: there the name is that of the module of a group's class.
    """
    names = {
        group: str(options["_target_"]).rpartition(".")[0].rpartition(".")[2]
        for group, options in config.items()
        if group not in _NO_MODULE and isinstance(options, Mapping) and "_target_" in options
    }
    hydra = config.get("hydra")
    chosen = hydra.get("choices") if isinstance(hydra, Mapping) else None
    if isinstance(chosen, Mapping):
        names |= {group: name for group, name in chosen.items() if isinstance(name, str)}
    return names


def _check_calls(samples: tuple[Sample, ...]) -> None:
    """Raises TypeError when a timed call has no utterance, no audio or no duration."""
    for index, sample in enumerate(samples):
        if not sample.utterances or min(sample.audio_s, sample.total_s) <= 0:
            raise TypeError(f"sample {index} is a call without utterances, audio or time")
