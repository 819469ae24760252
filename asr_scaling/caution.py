"""Typed cautions: what a reader must know before trusting a figure, each with advice. Stored in the record."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Caution:
    """``kind`` names the type, ``message`` what was seen, ``advice`` what to do about it."""

    kind: str
    message: str
    advice: str


def random_weights(reason: str) -> Caution:
    """The weights are random: sizes and speed are faithful, texts are not."""
    return Caution(
        "RandomWeights",
        f"Weights are random: {reason}",
        "Speed, memory, energy and FLOPs hold; no WER is computed. Set model.path or model.weights=pretrained.",
    )


def synthetic_speech(dataset: str) -> Caution:
    """The speech was made by a synthesiser."""
    return Caution(
        "SyntheticSpeech",
        f"The dataset '{dataset}' is synthesised speech.",
        "Its WER compares systems with each other only; measure on dataset=folder or librispeech for people's speech.",
    )


def estimated_energy(parts: str) -> Caution:
    """Energy comes from a model, not from a counter."""
    return Caution(
        "EstimatedEnergy",
        f"Energy is estimated, not measured: {parts}.",
        "Compare points of one machine only; a machine with RAPL or NVML counters gives measured joules.",
    )


def few_samples(name: str, n: int, needed: int) -> Caution:
    """A percentile from fewer values than can support it."""
    return Caution(
        "FewSamples",
        f"{name} rests on {n} calls and needs {needed}: it is close to the slowest call seen.",
        "Raise pipeline.min_iterations and pipeline.max_seconds, or read p50.",
    )


def timed_pass_cut(done: int, batches: int, max_seconds: float) -> Caution:
    """The time budget ended before every batch was timed."""
    return Caution(
        "TimedPassCut",
        f"Timing stopped at {max_seconds:g} s after {done} of {batches} batches.",
        "Raise pipeline.max_seconds to time every batch; WER still covers every utterance.",
    )


def truncated_audio(seconds: float) -> Caution:
    """The system did not process all the audio it was given."""
    return Caution(
        "TruncatedAudio",
        f"{seconds:.1f} s of audio were given but not processed.",
        "Use an engine that transcribes long audio to its end, or shorter dataset.length_s.",
    )


def partial_batch(size: int, utterances: int) -> Caution:
    """Some batch is filled by repeating utterances."""
    return Caution(
        "RepeatedUtterances",
        f"Batches of {size} from {utterances} utterances: the last batch repeats the first utterances to be full.",
        "Raise pipeline.utterances to a multiple of batch.size; WER counts each utterance once.",
    )


def left_out(what: str) -> Caution:
    """Utterances of the dataset that were not used."""
    return Caution("UtterancesLeftOut", f"Left out of the dataset: {what}.", "The figures are of the rest only.")


def note(message: str) -> Caution:
    """A fact about the loaded system that qualifies its figures."""
    return Caution("SystemNote", message, "Read the figures with it in mind.")


def not_tracked(reason: str) -> Caution:
    """The record is on disk but the tracking store does not have it."""
    return Caution("NotTracked", reason, "The record is complete on disk.")
