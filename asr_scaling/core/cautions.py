"""Cautions of a record: what a reader must know before trusting a figure."""

from __future__ import annotations

from dataclasses import dataclass

from asr_scaling.errors import ConfigError


@dataclass(frozen=True)
class Caution:
    """One caution of a record.

    kind: its type, a key of ``CAUTIONS``.
    message: what was seen.
    advice: what to do about it.
    """

    kind: str
    message: str
    advice: str


BUSY_MACHINE = "BusyMachine"
IDLE = "IdleOptimisation"
"""Kind of a record whose optimisation did nothing."""
NOT_TRACKED = "NotTracked"
"""Kind of a record that is on disk but not in its tracking store."""
CAUTIONS: dict[str, tuple[str, str]] = {
    "RandomWeights": (
        "Weights are random: {reason}",
        "Speed, memory, energy and FLOPs hold; no WER is computed. Set model.path or "
        "model.weights=pretrained.",
    ),
    "SyntheticSpeech": (
        "The dataset '{dataset}' is synthesised speech.",
        "Its WER compares systems with each other only; measure on dataset=folder or librispeech "
        "for people's speech.",
    ),
    "MadeCopies": (
        "The speech is {speech}.",
        "Intervals of WER take an utterance and its copies as one, as their words are the same; "
        "more sentences say more: measure on dataset=folder or librispeech.",
    ),
    "EstimatedEnergy": (
        "Power was not measured: joules are seconds × about {watts:.3g} W that were guessed "
        "({parts}). They hold nothing that the time does not; nothing is ranked by them.",
        "Use a machine whose RAPL or NVML counters can be read, or give its watts from a meter or "
        "a provider's page: profiler.energy.idle_w, busy_w and watts_from.",
    ),
    "GivenWatts": (
        "Joules follow from the machine's load between watts that were given: {parts}.",
        "Their intervals hold the spread of the windows, not the error of the watts: a machine "
        "with RAPL or NVML counters gives measured joules.",
    ),
    "WarmupIncomplete": (
        "The warm-up is not shown to be over: {seen}.",
        "Raise pipeline.warmup_seconds, and pipeline.max_seconds so that the timed calls can be "
        "tested.",
    ),
    "TimingDrift": (
        "Calls got slower in the course of the timed pass (Mann-Kendall test, 5 %).",
        "Look for heat or another process; sweep.processes=3 spreads drift over all points.",
    ),
    "NonDeterministic": (
        "{differing} of {repeated} repeated utterances got another text for the same input.",
        "WER is of the first text; set a seed or greedy decoding, and compare with care.",
    ),
    "StolenTime": (
        "The hypervisor took {share:.1%} of the cores' time from this machine during the timed "
        "pass.",
        "Repeat on a dedicated machine, or compare with sweep.processes=3.",
    ),
    BUSY_MACHINE: (
        "Other processes used {share:.1%} of the cores' time during the timed pass.",
        "Stop them and measure again; latency is too high by an unknown amount.",
    ),
    "SharedNode": (
        "{others} measured on this node at the same time{where}.",
        "Run one job at a time per node, and per GPU; latency, throughput and energy are off by "
        "an unknown amount.",
    ),
    "FrequencyChanged": (
        "The clock frequency moved between {low_ghz:.2f} and {high_ghz:.2f} GHz during the timed "
        "pass.",
        "Fix it (cpupower frequency-set -g performance; nvidia-smi -lgc) or warm the machine up "
        "for longer.",
    ),
    "Throttled": (
        "The hardware slowed itself down while it was measured: {events}.",
        "Improve cooling, raise the power limit or lower the load; the figures are of a hot "
        "machine.",
    ),
    "PeaksChanged": (
        "{work} {kept} when this machine's peak was kept, {now} now.",
        "Look for heat, another process or another power mode; shares of the peak of points "
        "measured before and after can't be compared.",
    ),
    "PeaksDisturbed": (
        "The machine's peaks were measured while others took {share:.1%} of the cores' time.",
        "Shares of the peaks are too high by an unknown amount: stop other processes and measure "
        "again.",
    ),
    "TimedPassCut": (
        "Timing stopped at {max_seconds:g} s after {done} of {batches} batches.",
        "Raise pipeline.max_seconds to time every batch; WER still covers every utterance.",
    ),
    "RoundsMissing": (
        "Only {done} of {rounds} measurements of this point were made.",
        "Let the sweep run to its end: with fewer processes, more of the machine's drift stays in "
        "the figures.",
    ),
    "ProcessesDiffer": (
        "The {processes} processes of this point differ by {sd:.1%} (standard deviation of the "
        "logarithm of their medians).",
        "Measure it in more processes (sweep.processes). On a CPU, device.steady=true, if it is "
        "not set, takes away what page faults add; the process then keeps the memory that its "
        "largest call needed.",
    ),
    "RoundsElsewhere": (
        "{rounds} of this point's measurements ran on another kind of machine ({kinds}) and are "
        "left out.",
        "Have the launcher choose nodes of one kind (a partition, a constraint): measurements of "
        "two kinds can't be merged.",
    ),
    IDLE: (
        "optimisation={name} changed nothing here: {why}.",
        "Leave it out, or don't take this point for what it brings: the figures are of the system "
        "without it.",
    ),
    "TruncatedAudio": (
        "{seconds:.1f} s of audio were given but not processed.",
        "Use an engine that transcribes long audio to its end, or shorter dataset.length_s.",
    ),
    "RepeatedUtterances": (
        "Batches of {size} from {utterances} utterances: the last batch repeats the first "
        "utterances to be full.",
        "Raise pipeline.utterances to a multiple of batch.size; WER counts each utterance once.",
    ),
    "LoopingText": (
        "{system} loops on {looping} of {utterances} utterances ({ids}): {error} and {time}.",
        "Their transcripts are marked, and throughput/rtfx_without_looping and "
        "quality/wer_without_looping are without them; decoding=fallback decodes them again.",
    ),
    "EnglishNormaliser": (
        "{normaliser} is made for English, and the references {seen}.",
        "It takes marks and words of other languages apart, so WER and CER are wrong: leave "
        "profiler.quality.normaliser=auto, or score the same texts again with python -m "
        "asr_scaling rescore.",
    ),
    "ScriptWithoutSpaces": (
        "{share:.0%} of the letters of the references are of scripts without spaces between words "
        "(the references {scripts}).",
        "WER counts each of their characters as a word and means little; CER is the figure to "
        "quote.",
    ),
    "EmptyReferences": (
        "The reference is empty in {silent} of the utterances ({names}): they count as silence, on "
        "which {words} words were invented.",
        "WER and CER are of the others; quality/invented_words_per_hour is of these. Write what is "
        "said where they are not silent.",
    ),
    "OverlappingSpeech": (
        "In {share:.1%} of the references' speech two people or more speak, and the system never "
        "gives two speakers at once: its diarisation error rate can't be below {floor:.1%}.",
        "Read turns/der beside turns/der_floor: only a system that finds overlaps gets below it.",
    ),
    "UtterancesLeftOut": (
        "Left out of the dataset: {reasons}.",
        "The figures are of the rest only.",
    ),
    "SilentAudio": (
        "There is no sound in {utterances}: nothing in the mono audio is above -60 dB of full "
        "scale.",
        "Listen to the files: an empty recording belongs out of the dataset, a silent reference in "
        "it.",
    ),
    "CancellingChannels": (
        "The channels of {utterances} cancel when they are mixed to mono, as one is the other "
        "upside down.",
        "Keep one channel or turn one over (sox in.wav out.wav remix 1): what is left here of the "
        "speech is not what was recorded.",
    ),
    "AudioGaps": (
        "The times in the files of {utterances} leave gaps that no audio fills.",
        "Some of the speech may never have been recorded; offsets into these files are off by the "
        "gaps. Save them again as WAV or FLAC and listen.",
    ),
    "UnscoredStretches": (
        "The STM of {utterances} leaves stretches out of scoring, and all of the audio is scored "
        "here.",
        "Words heard in these stretches count as wrong ones, and voices as false alarms. Cut the "
        "stretches out of the audio, or compare systems with each other only.",
    ),
    "LanguageMismatch": (
        "{count} of {all} utterances were transcribed in {language}, {source}, and {seen}.",
        "Set language to what is spoken, or to auto; an error rate across two languages says "
        "nothing of the model.",
    ),
    "LanguageUnknownToModel": (
        "'{model}' knows {knows}, and of {count} of {all} utterances {seen}.",
        "Choose a model that has the language under languages in its YAML; this error rate says "
        "nothing of the model.",
    ),
    "ClosedArrivals": (
        "{clients} clients sent a request each when they had their last answer (closed arrivals).",
        "While the service stands still nobody sends, so that the wait of users who would have "
        "come is missing: compare these latencies only with others of closed arrivals.",
    ),
    "LateGenerator": (
        "Requests were sent {late} late (99th percentile); {limit} are allowed.",
        "Let the generator ask for real-time scheduling (root, CAP_SYS_NICE or ulimit -r), leave a "
        "core free, or allow more by scenario.late_s.",
    ),
    "LateHandover": (
        "The process that measures took {late} to hand a request over (99th percentile).",
        "Latencies count it: give the service processes of its own (serving=replicas) or leave a "
        "core free.",
    ),
    "LoadCut": (
        "{unsent} requests of the schedule were not sent: {why}.",
        "Every figure of this load is of the requests before.",
    ),
    "RequestsFailed": (
        "{count} of {all} requests got no text: {reasons}.",
        "They count as answered never: no percentile leaves them out.",
    ),
    "Unanswered": (
        "{count} requests had no reply when the load ended, {seconds:g} s after they were due.",
        "The service may still be at work on them, or have lost them.",
    ),
    "RepliedTwice": (
        "{count} requests got more than one reply; the first one counts.",
        "The service is at fault: look at what it is made of.",
    ),
    "SystemNote": ("{note}", "Read the figures with it in mind."),
    NOT_TRACKED: ("{reason}", "The record is complete on disk."),
}
"""Kind → template of the message, and advice."""


def caution(kind: str, **facts: object) -> Caution:
    """The caution of a ``kind``, its message filled with ``facts``.

    Raises ConfigError when ``CAUTIONS`` does not have the kind.
    """
    if kind not in CAUTIONS:
        raise ConfigError(
            f"'{kind}' is not in the table of cautions; add it to asr_scaling/core/cautions.py."
        )
    message, advice = CAUTIONS[kind]
    return Caution(kind, message.format(**facts), advice)
