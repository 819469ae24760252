"""The median call of a record as a trace, one span a stage, written afterwards so that it costs the call nothing."""

from __future__ import annotations

from asr_scaling.record import RunRecord


def log_stages(experiment: str, run_id: str, record: RunRecord) -> None:
    """The trace of the run; nothing for a record without timed calls."""
    import mlflow

    if not record.samples:
        return
    sample = sorted(record.samples, key=lambda s: s.total_s)[len(record.samples) // 2]
    start = round(sample.started_at * 1e9)
    root = mlflow.start_span_no_context(
        name=f"transcribe {record.name}",
        inputs={"utterances": list(sample.utterances), "audio_s": sample.audio_s},
        metadata={"mlflow.sourceRun": run_id},
        experiment_id=experiment,
        start_time_ns=start,
    )
    clock = start
    for name, seconds in sample.stages.items():
        span = mlflow.start_span_no_context(name=name, parent_span=root, start_time_ns=clock)
        clock += round(seconds * 1e9)
        span.end(end_time_ns=clock)
    root.end(end_time_ns=start + round(sample.total_s * 1e9))
