"""WER and CER over every distinct utterance of the workload, by summed edits."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from asr_scaling.core.language import language_of
from asr_scaling.core.metric import Metric
from asr_scaling.core.ports import Phase, Session
from asr_scaling.core.record import Findings
from asr_scaling.core.statistics import Interval, error_rate_interval
from asr_scaling.core.text.edits import edits_of_parts, word_edits
from asr_scaling.core.text.normalisers import (
    AUTO,
    NORMALISERS,
    Auto,
    Normaliser,
    check_normaliser,
    normaliser,
)
from asr_scaling.core.text.one_form import VERSION
from asr_scaling.core.text.scripts import spoken_words, words_of
from asr_scaling.core.word_loss import WORD_EDITS, by_original, row_counts
from asr_scaling.core.workload import Utterance
from asr_scaling.profiler import _looping
from asr_scaling.profiler._every_utterance import every_utterance
from asr_scaling.profiler._figures import nothing_of
from asr_scaling.profiler._text_cautions import headline, text_cautions

__all__ = ["NORMALISERS", "Quality", "check_normaliser", "normaliser", "score"]
_METRICS = ("quality/wer", "quality/cer")
_COUNTS = (*WORD_EDITS, "words", "character_edits", "characters")
UNTOLD = "what is said is not known"
_REMEDY = "python -m asr_scaling rescore with another --normaliser scores the same texts"
_LONGEST = 100
"""Characters of an error's message that are shown."""
Normalise = Callable[[str], str]
Row = dict[str, Any]
"""What a record keeps of an utterance: its raw texts, what was scored of them, and its counts."""


@dataclass(frozen=True)
class Quality:
    """``normaliser``: what is done to both texts first, a name in ``NORMALISERS``."""

    normaliser: str = AUTO
    name: str = field(default="quality", init=False)
    phase: Phase = field(default="final", init=False)

    def __post_init__(self) -> None:
        check_normaliser("profiler.quality.normaliser", self.normaliser)

    def measure(self, session: Session) -> Findings:
        """Transcribe what no pass transcribed yet, then score. Random weights are never scored."""
        if session.system.facts.random:
            return nothing_of(
                (*_METRICS, *_looping.METRICS), "the weights are random, so the texts mean nothing"
            )
        utterances = every_utterance(session)
        pairs = [(u.id, u.reference, session.hypotheses[u.id]) for u in utterances]
        said = {u.id: language_of(u, session.model.language) for u in utterances}
        facts = {u.id: _facts(u, said[u.id]) for u in utterances}
        normalise, label = normaliser(self.normaliser)
        scored = score(pairs, normalise, {"quality/normaliser": label}, facts)
        return _looping.with_looping(session, scored)


def _facts(utterance: Utterance, language: str | None) -> dict[str, Any]:
    """Seconds of audio, the language where it is stated, and that its words are not known."""
    facts = {"audio_s": utterance.duration_s} | ({"language": language} if language else {})
    return facts | ({"untold": True} if utterance.untold else {})


def score(
    pairs: Sequence[tuple[str, str, str]],
    normalise: Normalise,
    tags: Mapping[str, str],
    facts: Mapping[str, Mapping[str, Any]] | None = None,
) -> Findings:
    """Edits of (id, reference, hypothesis) over the words of the references (jiwer).

    facts: id → ``audio_s``, ``language`` where it is stated, and ``untold`` where somebody speaks
    and the reference does not say what; kept with the texts.

    Utterances whose reference is empty once normalised have no WER: they are left out of it and
    counted, and the words of their hypotheses are invented ones, counted over their audio.
    A text that the normaliser can't take makes WER and CER unavailable, and nothing else.
    """
    facts = facts or {}
    used: Sequence[Normalise] = [normalise] * len(pairs)
    tags = {**tags, "quality/text_form": VERSION}
    if isinstance(normalise, Auto):
        languages = [facts.get(key, {}).get("language") for key, _, _ in pairs]
        chosen = normalise.choose([reference for _, reference, _ in pairs], languages)
        tags["quality/normaliser"] = " and ".join(sorted({each.label for each in chosen}))
        used = chosen
    rows = [_row(pair, facts.get(pair[0], {}), own) for pair, own in zip(pairs, used, strict=True)]
    tags |= headline(rows)
    metrics, unavailable = _error_rates(rows, tags.get("quality/normaliser", "the normaliser"))
    cautions = text_cautions(rows, used, asked=not isinstance(normalise, Auto))
    return Findings((*metrics, *_invented(rows)), unavailable, cautions, tags, tuple(rows))


def _row(pair: tuple[str, str, str], facts: Mapping[str, Any], normalise: Normalise) -> Row:
    """The texts of one utterance with their counts, or why it is left out."""
    key, reference, hypothesis = pair
    row: Row = {"id": key, "reference": reference, "hypothesis": hypothesis, **facts}
    which = "reference"
    try:
        clean_reference = normalise(reference)
        which = "hypothesis"
        clean_hypothesis = normalise(hypothesis)
        if not spoken_words(clean_reference):
            if facts.get("untold"):
                return row | {"left_out": UNTOLD}
            invented = len(spoken_words(clean_hypothesis))
            return row | {"left_out": "empty reference", "invented_words": invented}
        compounds = isinstance(normalise, Normaliser) and normalise.compounds
        counts = _counts(clean_reference, clean_hypothesis, compounds)
    except Exception as error:  # whatever the rules raise, the point is kept
        text = " ".join(str(error).split())[:_LONGEST]
        why = ": ".join(filter(None, (type(error).__name__, text)))
        return row | {"left_out": f"its {which} can't be normalised ({why})"}
    row |= {"normalised_reference": clean_reference, "normalised_hypothesis": clean_hypothesis}
    return row | counts


def _error_rates(rows: Sequence[Row], label: str) -> tuple[list[Metric], dict[str, str]]:
    """WER, CER and what they were counted of; or why they have no value."""
    failed = [
        row for row in rows if row.get("left_out", UNTOLD) != UNTOLD and "invented_words" not in row
    ]
    scored = [row for row in rows if "words" in row]
    if failed:
        first = failed[0]
        more = f" and {len(failed) - 1} more" if len(failed) > 1 else ""
        why = f"{label} can't score '{first['id']}'{more}: {first['left_out']}; {_REMEDY}"
        return [], dict.fromkeys(_METRICS, why)
    if not scored:
        return [], dict.fromkeys(_METRICS, "no utterance has a reference")
    totals = {name: sum(row[name] for row in scored) for name in _COUNTS}
    word_edits = sum(totals[name] for name in WORD_EDITS)
    wer = _interval([pair for row in scored for pair in row_counts(row).items()])
    cer = _interval(
        [(str(row["id"]), (row["character_edits"], row["characters"])) for row in scored]
    )
    n = len(scored)
    return [
        Metric("quality/wer", word_edits / totals["words"], n, wer),
        Metric("quality/cer", totals["character_edits"] / totals["characters"], n, cer),
        *(Metric(f"quality/{name}", value) for name, value in totals.items()),
        Metric("quality/left_out", len(rows) - n),
    ], {}


def _interval(counts: Sequence[tuple[str, tuple[int, int]]]) -> Interval | None:
    """Of summed errors over summed lengths; an utterance and its copies are one.

    counts: id of an utterance, or of a part of a long one, with its errors and its length.
    """
    wrong_of_each, length_of_each = zip(*by_original(counts).values(), strict=True)
    return error_rate_interval(wrong_of_each, length_of_each)


def _invented(rows: Sequence[Row]) -> list[Metric]:
    """Words in hypotheses of silence, and their rate; nothing where no reference is empty."""
    silent = [row for row in rows if "invented_words" in row]
    if not silent:
        return []
    words, n = sum(row["invented_words"] for row in silent), len(silent)
    hours = sum(row.get("audio_s", 0.0) for row in silent) / 3600
    counted = Metric("quality/invented_words", words, n)
    return [
        counted,
        *([Metric("quality/invented_words_per_hour", words / hours, n)] if hours else []),
    ]


def _counts(reference: str, hypothesis: str, compounds: bool) -> dict[str, Any]:
    """The ``_COUNTS`` of one utterance, and "parts" of a long one: errors and words of each.

    compounds: words that differ only in where a compound is split are equal (kaldialign).
    """
    import jiwer

    ours, theirs = words_of(reference), words_of(hypothesis)
    parts = [] if compounds else edits_of_parts(ours, theirs)
    chars = jiwer.process_characters(reference, hypothesis)
    return {
        **word_edits(ours, theirs, compounds),
        "words": len(ours),
        "character_edits": chars.substitutions + chars.deletions + chars.insertions,
        "characters": chars.hits + chars.substitutions + chars.deletions,
        **({"parts": parts} if parts else {}),
    }
