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


def warmup_incomplete(seen: str) -> Caution:
    """The system may still have been getting faster while it was timed."""
    return Caution(
        "WarmupIncomplete",
        f"The warm-up is not shown to be over: {seen}.",
        "Raise pipeline.warmup_seconds, and pipeline.max_seconds so that the timed calls can be tested.",
    )


def timing_drift() -> Caution:
    """Calls got slower while they were timed."""
    return Caution(
        "TimingDrift",
        "Calls got slower in the course of the timed pass (Mann-Kendall test, 5 %).",
        "Look for heat or another process; sweep.interleave=true spreads drift over all points.",
    )


def non_deterministic(utterances: int, of: int) -> Caution:
    """The same input gave another text."""
    return Caution(
        "NonDeterministic",
        f"{utterances} of {of} repeated utterances got another text for the same input.",
        "WER is of the first text; set a seed or greedy decoding, and compare with care.",
    )


def stolen_time(share: float) -> Caution:
    """The hypervisor ran somebody else."""
    return Caution(
        "StolenTime",
        f"The hypervisor took {share:.1%} of the cores' time from this machine during the timed pass.",
        "Repeat on a dedicated machine, or compare with sweep.interleave=true.",
    )


def busy_machine(share: float) -> Caution:
    """Other processes computed too."""
    return Caution(
        "BusyMachine",
        f"Other processes used {share:.1%} of the cores' time during the timed pass.",
        "Stop them and measure again; latency is too high by an unknown amount.",
    )


def shared_node(others: int, same_gpu: int = 0, other_gpus: int = 0) -> Caution:
    """Other processes measured on this machine meanwhile; of them ``same_gpu`` on this very GPU and ``other_gpus`` on
    another, both 0 for a point on a CPU."""
    who = "Another process" if others == 1 else f"{others} other processes"
    seen = f"{who} measured on this node at the same time"
    if other_gpus == others:
        where = "on another GPU" if others == 1 else "each on another GPU"
        return Caution(
            "SharedNode",
            f"{seen}, {where}: processor, memory and bus were shared.",
            "What the GPU computes holds; for features, text, launches and the host's energy give every job cores of "
            "its own, or run one job per node.",
        )
    where = f", {same_gpu} of them on the same GPU" if same_gpu else ""
    if others == same_gpu == 1:
        where = ", on the same GPU"
    return Caution(
        "SharedNode",
        f"{seen}{where}.",
        "Run one job at a time per node, and per GPU; latency, throughput and energy are off by an unknown amount.",
    )


def frequency_changed(low_hz: float, high_hz: float) -> Caution:
    """The processor's clock moved."""
    return Caution(
        "FrequencyChanged",
        f"The clock frequency moved between {low_hz / 1e9:.2f} and {high_hz / 1e9:.2f} GHz during the timed pass.",
        "Fix it (cpupower frequency-set -g performance; nvidia-smi -lgc) or warm the machine up for longer.",
    )


def throttled(what: str) -> Caution:
    """Heat or power limits slowed the hardware down."""
    return Caution(
        "Throttled",
        f"The hardware slowed itself down while it was measured: {what}.",
        "Improve cooling, raise the power limit or lower the load; the figures are of a hot machine.",
    )


def peaks_changed(was: float, now: float) -> Caution:
    """The machine is not as fast as when its peaks were kept; in FLOP/s."""
    return Caution(
        "PeaksChanged",
        f"This machine's matrix products ran at {was / 1e9:.4g} GFLOP/s when its peak was kept, {now / 1e9:.4g} now.",
        "Look for heat, another process or another power mode; points measured before had the other peak.",
    )


def peaks_disturbed(share: float) -> Caution:
    """The machine's peaks were measured while it was busy."""
    return Caution(
        "PeaksDisturbed",
        f"The machine's peaks were measured while others took {share:.1%} of the cores' time.",
        "Shares of the peaks are too high by an unknown amount: stop other processes and measure again.",
    )


def timed_pass_cut(done: int, batches: int, max_seconds: float) -> Caution:
    """The time budget ended before every batch was timed."""
    return Caution(
        "TimedPassCut",
        f"Timing stopped at {max_seconds:g} s after {done} of {batches} batches.",
        "Raise pipeline.max_seconds to time every batch; WER still covers every utterance.",
    )


def rounds_missing(done: int, rounds: int) -> Caution:
    """The sweep ended before every round was measured."""
    return Caution(
        "RoundsMissing",
        f"Only {done} of {rounds} rounds of this point were measured.",
        "Let the sweep run to its end: fewer rounds even out less of the machine's drift.",
    )


def rounds_elsewhere(rounds: int, kinds: str) -> Caution:
    """Rounds of a point ran on another kind of machine than the others; ``kinds``: which."""
    return Caution(
        "RoundsElsewhere",
        f"{rounds} of this point's rounds ran on another kind of machine ({kinds}) and are left out.",
        "Have the launcher choose nodes of one kind (a partition, a constraint): rounds of two kinds can't be merged.",
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
    return Caution(
        "UtterancesLeftOut",
        f"Left out of the dataset: {what}.",
        "The figures are of the rest only.",
    )


def note(message: str) -> Caution:
    """A fact about the loaded system that qualifies its figures."""
    return Caution("SystemNote", message, "Read the figures with it in mind.")


def not_tracked(reason: str) -> Caution:
    """The record is on disk but the tracking store does not have it."""
    return Caution("NotTracked", reason, "The record is complete on disk.")
