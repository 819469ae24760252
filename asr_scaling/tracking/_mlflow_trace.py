"""The median call of a record as a trace with one span a stage, made after the measurement.

It is sent in one piece: with MLflow's own ``span.end()`` each span is a request, and a lost one is
not reported.
"""

from __future__ import annotations

import base64
import json
import uuid
from typing import Any

from asr_scaling.core.record import RunRecord
from asr_scaling.core.sample import Sample


def log_stages(uri: str, experiment: str, run_id: str, record: RunRecord) -> None:
    """Store the trace of a run; nothing for a record without timed calls.

    Raises MLflow's own errors.
    """
    from mlflow.entities import Span, TraceInfo, TraceLocation, TraceState
    from mlflow.tracing.client import TracingClient

    if not record.samples:
        return
    sample = sorted(record.samples, key=lambda s: s.total_s)[len(record.samples) // 2]
    trace, name = uuid.uuid4(), f"transcribe {record.name}"
    inputs = json.dumps({"utterances": list(sample.utterances), "audio_s": sample.audio_s})
    info = TraceInfo(
        trace_id=f"tr-{trace.hex}",
        trace_location=TraceLocation.from_experiment_id(experiment),
        request_time=round(sample.started_at * 1000),
        execution_duration=round(sample.total_s * 1000),
        state=TraceState.OK,
        request_preview=inputs[:1000],
        trace_metadata={"mlflow.sourceRun": run_id, "mlflow.trace_schema.version": "3"},
        tags={"mlflow.traceName": name},
    )
    client = TracingClient(uri)
    client.start_trace(info)
    spans = map(Span.from_dict, _spans(trace, name, inputs, sample))
    client.log_spans(experiment, list(spans))


def _spans(trace: uuid.UUID, name: str, inputs: str, sample: Sample) -> list[dict[str, Any]]:
    """A span of the call, and below it one span a stage, one after the other."""
    start = round(sample.started_at * 1e9)
    root = _span(trace, name, start, sample.total_s)
    root["attributes"]["mlflow.spanInputs"] = inputs
    spans, clock = [root], start
    for stage, seconds in sample.stages.items():
        spans.append(_span(trace, stage, clock, seconds, root["span_id"]))
        clock = spans[-1]["end_time_unix_nano"]
    return spans


def _span(
    trace: uuid.UUID, name: str, start_ns: int, seconds: float, parent: str | None = None
) -> dict[str, Any]:
    attributes = {
        "mlflow.traceRequestId": json.dumps(f"tr-{trace.hex}"),
        "mlflow.spanType": '"UNKNOWN"',
    }
    return {
        "trace_id": base64.b64encode(trace.bytes).decode(),
        "span_id": base64.b64encode(uuid.uuid4().bytes[:8]).decode(),
        "parent_span_id": parent,
        "name": name,
        "start_time_unix_nano": start_ns,
        "end_time_unix_nano": start_ns + round(seconds * 1e9),
        "events": [],
        "status": {"code": "STATUS_CODE_OK", "message": ""},
        "attributes": attributes,
        "links": [],
    }
