"""What a cascade finds beyond words: speech, speakers, who said what, marks and capital letters."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from asr_scaling.core.cascade_facts import modules_in
from asr_scaling.core.language import language_of
from asr_scaling.core.module_use import PUNCTUATION, SPEAKER, VAD
from asr_scaling.core.ports import Phase, Session
from asr_scaling.core.record import Findings
from asr_scaling.core.text.normalisers import AUTO, check_normaliser
from asr_scaling.core.turns import speakers_of, text_of
from asr_scaling.core.workload import Utterance
from asr_scaling.profiler._every_utterance import every_utterance
from asr_scaling.profiler._figures import Figures, findings_of
from asr_scaling.profiler._turns import cpwer, diarisation, overlap, punctuation, voice_activity
from asr_scaling.profiler._turns.files import write_files
from asr_scaling.profiler._turns.recordings import Recording

_DOES = {VAD: "voice activity", PUNCTUATION: "punctuation", SPEAKER: "speakers"}
"""A module's name in the facts of a system → what it is for."""
_RANDOM = "the weights are random, so the texts mean nothing"
_UNTOLD = "the system does not tell that it has a module for punctuation"
Measured = tuple[Figures, dict[str, str]]
"""Figures, and tags that say how they came about."""


@dataclass(frozen=True)
class Turns:
    """``normaliser``: what is done to texts before their words count in cpWER, as in WER.

    Each module of a cascade has figures of its own: voice activity its misses and false alarms,
    the speakers a diarisation error rate, they and recognition together a cpWER, punctuation an F1
    of marks and one of capital letters. A module that is not there, or has random weights, has
    none. Marks that recognition itself writes are not scored without a module for punctuation.

    A system that is no cascade shows nothing here, not even that something is unavailable.
    """

    normaliser: str = AUTO
    name: str = field(default="turns", init=False)
    phase: Phase = field(default="final", init=False)

    def __post_init__(self) -> None:
        check_normaliser("profiler.turns.normaliser", self.normaliser)

    def measure(self, session: Session) -> Findings:
        """Transcribe what no pass transcribed yet; then compare turns, words and marks."""
        modules = modules_in(session.system.facts.details)
        if modules is None and not session.turns:
            return Findings()
        recordings = [_recording(session, utterance) for utterance in every_utterance(session)]
        known = [recording for recording in recordings if recording.id in session.turns]
        scored = [recording for recording in known if recording.reference]
        nothing = _nothing_to_score(known, scored)
        nobody = nothing or _lacking(modules, SPEAKER) or _borrowed(modules) or _nameless(scored)
        silent = _RANDOM if session.system.facts.random else None
        unmarked = _UNTOLD if modules is None else _lacking(modules, PUNCTUATION)
        vad, marks = voice_activity, punctuation
        parts: tuple[tuple[Sequence[str], str | None, Callable[[], Measured]], ...] = (
            (vad.METRICS, nothing or _lacking(modules, VAD), lambda: (vad.measured(scored), {})),
            (overlap.METRICS, nothing, lambda: (overlap.measured(scored), {})),
            (diarisation.METRICS, nobody, lambda: diarisation.measured(scored)),
            (cpwer.METRICS, nobody or silent, lambda: cpwer.measured(scored, self.normaliser)),
            (marks.METRICS, unmarked or silent, lambda: (marks.measured(recordings), {})),
        )
        figures, tags = Figures(), dict[str, str]()
        for names, why, measure in parts:
            found, said = (dict.fromkeys(names, why), {}) if why else measure()
            figures, tags = figures | found, tags | said
        cautions = () if nobody else overlap.overlap_cautions(scored, figures)
        artifacts = write_files(session.folder, known) if known else ()
        return findings_of(figures, tags=tags, cautions=cautions, artifacts=artifacts)


def _recording(session: Session, utterance: Utterance) -> Recording:
    return Recording(
        utterance.id,
        utterance.duration_s,
        utterance.turns,
        session.turns.get(utterance.id, ()),
        utterance.reference or text_of(utterance.turns),
        session.hypotheses[utterance.id],
        language_of(utterance, session.model.language),
    )


def _nothing_to_score(known: Sequence[Recording], scored: Sequence[Recording]) -> str | None:
    """Why no turn can be compared; None where some can."""
    if not known:
        return "the system does not tell when it found what"
    return None if scored else "the dataset does not tell who speaks when"


def _lacking(modules: Mapping[str, Any] | None, name: str) -> str | None:
    """Why the module ``name`` has no figures; None where it has, or where nothing is known of it.

    modules: what the facts of the system tell of each; None where they tell nothing.
    """
    if modules is None:
        return None
    told = modules.get(name)
    weights = told.get("weights", "none") if isinstance(told, Mapping) else "none"
    if weights == "random":
        return f"the module for {_DOES[name]} has random weights, so its answers mean nothing"
    return f"the cascade has no module for {_DOES[name]}" if weights == "none" else None


def _borrowed(modules: Mapping[str, Any] | None) -> str | None:
    """Why turns are not what the system found: random voice activity decides nothing.

    Where its weights are random, a cascade cuts speech by the reference instead, and who speaks
    when would look better than it is.
    """
    vad = (modules or {}).get(VAD)
    random = isinstance(vad, Mapping) and vad.get("weights") == "random"
    why = "voice activity has random weights, so where speech begins and ends was not found by it"
    return why if random else None


def _nameless(recordings: Sequence[Recording]) -> str | None:
    """That turns were found, and no speaker of any is named; None where that is not so."""
    found = [turn for recording in recordings for turn in recording.found]
    return None if speakers_of(found) or not found else "the system names no speakers"
