"""WER and CER over every distinct utterance of the workload, by summed edits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any

from asr_scaling.core.option_checks import must_be
from asr_scaling.core.ports import Phase, Session
from asr_scaling.core.record import Findings, Metric
from asr_scaling.core.statistics import error_rate_interval
from asr_scaling.profiler import _looping
from asr_scaling.profiler._figures import nothing_of

_METRICS = ("quality/wer", "quality/cer")
_EDITS = ("substitutions", "deletions", "insertions")
_COUNTS = (*_EDITS, "words", "character_edits", "characters")
NORMALISERS = ("whisper_english", "none")


@dataclass(frozen=True)
class Quality:
    """``normaliser``: whisper_english, as the Open ASR Leaderboard does, or none."""

    normaliser: str = "whisper_english"
    name: str = field(default="quality", init=False)
    phase: Phase = field(default="final", init=False)

    def __post_init__(self) -> None:
        fits, bound = self.normaliser in NORMALISERS, f"one of {NORMALISERS}"
        must_be("profiler.quality.normaliser", f"'{self.normaliser}'", fits, bound)

    def measure(self, session: Session) -> Findings:
        """Transcribe what no pass transcribed yet, then score. Random weights are never scored."""
        if session.system.facts.random:
            return nothing_of(
                (*_METRICS, *_looping.METRICS), "the weights are random, so the texts mean nothing"
            )
        self._finish(session)
        pairs = [(u.id, u.reference, session.hypotheses[u.id]) for u in session.workload.utterances]
        normalise, label = normaliser(self.normaliser)
        scored = score(pairs, normalise, {"quality/normaliser": label})
        return _looping.with_looping(session, scored)

    def _finish(self, session: Session) -> None:
        for i, batch in enumerate(session.batches):
            if any(utterance.id not in session.hypotheses for utterance in batch.utterances):
                session.transcribe(batch)
            session.progress.advance((i + 1) / len(session.batches))


def score(
    pairs: Sequence[tuple[str, str, str]], normalise: Callable[[str], str], tags: dict[str, str]
) -> Findings:
    """Edits of (id, reference, hypothesis) over the words of the references (jiwer).

    Utterances whose reference is empty once normalised have no WER: they are left out and counted.
    """
    rows: list[dict[str, Any]] = []
    for key, reference, hypothesis in pairs:
        clean_reference, clean_hypothesis = normalise(reference), normalise(hypothesis)
        row = {"id": key, "reference": reference, "hypothesis": hypothesis}
        if not clean_reference.strip():
            rows.append(row | {"left_out": "empty reference"})
            continue
        row |= {"normalised_reference": clean_reference, "normalised_hypothesis": clean_hypothesis}
        rows.append(row | _counts(clean_reference, clean_hypothesis))
    scored = [row for row in rows if "words" in row]
    if not scored:
        why = dict.fromkeys(_METRICS, "no utterance has a reference")
        return Findings(unavailable=why, transcripts=tuple(rows))
    columns = {name: [row[name] for row in scored] for name in _COUNTS}
    totals = {name: sum(counts) for name, counts in columns.items()}
    word_edits = [sum(edits) for edits in zip(*(columns[name] for name in _EDITS), strict=True)]
    wer = error_rate_interval(word_edits, columns["words"])
    cer = error_rate_interval(columns["character_edits"], columns["characters"])
    n = len(scored)
    metrics = [
        Metric("quality/wer", sum(word_edits) / totals["words"], n, wer),
        Metric("quality/cer", totals["character_edits"] / totals["characters"], n, cer),
        *(Metric(f"quality/{name}", value) for name, value in totals.items()),
        Metric("quality/left_out", len(rows) - n),
    ]
    return Findings(tuple(metrics), transcripts=tuple(rows), tags=tags)


def _counts(reference: str, hypothesis: str) -> dict[str, int]:
    """The ``_COUNTS`` of one utterance."""
    import jiwer

    words = jiwer.process_words(reference, hypothesis)
    chars = jiwer.process_characters(reference, hypothesis)
    return {
        "substitutions": words.substitutions,
        "deletions": words.deletions,
        "insertions": words.insertions,
        "words": words.hits + words.substitutions + words.deletions,
        "character_edits": chars.substitutions + chars.deletions + chars.insertions,
        "characters": chars.hits + chars.substitutions + chars.deletions,
    }


def normaliser(name: str) -> tuple[Callable[[str], str], str]:
    """The function of a name in ``NORMALISERS``, and the label with its version."""
    if name == "none":
        return str.strip, "none"
    from whisper_normalizer.english import EnglishTextNormalizer

    return (
        EnglishTextNormalizer(),
        f"whisper_english (whisper-normalizer {version('whisper-normalizer')})",
    )
