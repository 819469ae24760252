"""The rows of the table of metrics that only cascades have: name → unit, direction and meaning."""

from __future__ import annotations

from asr_scaling.core.metric_spec import MetricSpec, higher, lower, neither

CASCADE_METRICS: dict[str, MetricSpec] = {
    "module/*/wall_s": lower("s", "mean time that the module of a cascade works in a call"),
    "module/*/cpu_s": lower(
        "s", "mean processor time of the module's own threads in a call, also while they only wait"
    ),
    "module/*/device_s": lower("s", "mean time for which it occupies an accelerator in a call"),
    "module/*/wait_s": lower("s", "mean time that its inputs wait in the queue before it"),
    "module/*/moved_bytes": lower(
        "B", "mean bytes of a call that it moves to or from an accelerator"
    ),
    "module/*/padding_share": lower("1", "share of the audio that it is given that is padding"),
    "module/*/calls": lower("1", "mean number of its own calls in a call of the cascade"),
    "module/*/items": neither("1", "segments, windows or texts that it is given in a call"),
    "module/*/wall_share": neither("1", "share of the calls' time in which it works"),
    "module/*/cpu_share": neither("1", "share of the process's processor time in the calls"),
    "module/*/cores": lower("1", "cores that it keeps busy: its processor time over the calls'"),
    "module/*/energy_j": lower("J", "its part of the energy of a call"),
    "module/*/memory_bytes": lower("B", "resident memory that loading it added"),
    "turns/vad_miss_share": lower("1", "speech that no turn found covers, over all speech"),
    "turns/vad_false_alarm_share": lower(
        "1", "time of turns found where nobody speaks, over all time in which nobody speaks"
    ),
    "turns/vad_miss_s": lower("s", "speech that no turn found covers"),
    "turns/vad_false_alarm_s": lower("s", "time of turns found where nobody speaks"),
    "turns/speech_s": neither("s", "time in which somebody speaks, by the references"),
    "turns/silence_s": neither("s", "time in which nobody speaks, by the references"),
    "turns/overlap_share": neither(
        "1", "share of the references' speech in which two people or more speak"
    ),
    "turns/der_floor": neither(
        "1", "lowest DER that a system can have which gives one speaker at a time"
    ),
    "turns/der": lower(
        "1",
        "diarisation error rate: time missed, found where nobody speaks or given to the wrong "
        "speaker, over the time of all speakers; no collar, overlap included",
    ),
    "turns/der_miss": lower("1", "of that rate: speakers that were missed"),
    "turns/der_false_alarm": lower("1", "of that rate: speakers found beyond those who speak"),
    "turns/der_confusion": lower("1", "of that rate: one speaker taken for another"),
    "turns/der_collar": lower(
        "1", "the same rate without 0.25 s on each side of the references' boundaries"
    ),
    "turns/speakers": neither("1", "mean number of speakers of a recording, by the references"),
    "turns/speakers_found": neither("1", "mean number of speakers found in a recording"),
    "turns/speaker_count_error": lower(
        "1", "mean difference, up or down, of the number of speakers found and that in a recording"
    ),
    "turns/cpwer": lower(
        "1",
        "word errors over reference words where each speaker's words are joined and speakers are "
        "matched so that errors are fewest (cpWER)",
    ),
    "turns/cp_*": neither("1", "count behind cpWER"),
    "turns/punctuation_precision": higher("1", "share of the marks . , ? ! written that are right"),
    "turns/punctuation_recall": higher("1", "share of the references' marks . , ? ! written"),
    "turns/punctuation_f1": higher(
        "1", "harmonic mean of precision and recall of marks, at words that both texts have"
    ),
    "turns/case_precision": higher("1", "share of the capital letters written that are right"),
    "turns/case_recall": higher("1", "share of the references' capital letters written"),
    "turns/case_f1": higher("1", "the same mean for capital letters at the beginning of words"),
}
"""Name, or pattern of names with "*" → what the number means."""
