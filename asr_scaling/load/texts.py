"""What was transcribed under a load, against the references and against the same calls alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from asr_scaling.core.language import language_of
from asr_scaling.core.metric import Metric
from asr_scaling.core.statistics import error_rate_interval
from asr_scaling.core.text.edits import word_edits
from asr_scaling.core.text.normalisers import Auto, Normaliser, normaliser
from asr_scaling.core.text.scripts import spoken_words, words_of
from asr_scaling.core.word_loss import by_original
from asr_scaling.core.workload import Utterance
from asr_scaling.load.drive import Request
from asr_scaling.load.looks import Figures

_WER = ("load/wer", "load/wer_unloaded")
_CHANGED = "load/changed_share"
Counts = tuple[int, int]
"""Errors, and what they are counted over."""


@dataclass
class Texts:
    """What the texts of a load are compared with.

    utterances: of the workload.
    alone: utterance id → its text when it was called without a load.
    normaliser: what is done to texts before words are compared, as in ``profiler.quality``.
    asked: the language that the model was asked for.
    no_wer: why no WER can be computed; empty where it can.
    """

    utterances: Sequence[Utterance]
    alone: Mapping[str, str]
    normaliser: str
    asked: str | bool | None = None
    no_wer: str = ""
    _normalise: dict[str, Normaliser] = field(default_factory=dict)
    _known: dict[tuple[str, str], Counts | None] = field(default_factory=dict)

    def figures(self, answered: Sequence[Request]) -> Figures:
        """WER under the load, that of the same utterances alone, and the share of changed texts.

        Each answer counts, so that both WERs weigh the utterances alike. Their intervals are of
        different utterances: answers to one of them are not taken as independent.
        """
        return self._wers(answered) | {_CHANGED: self._changed(answered)}

    def _wers(self, answered: Sequence[Request]) -> Figures:
        if self.no_wer:
            return dict.fromkeys(_WER, self.no_wer)
        under, alone = list[tuple[str, Counts]](), list[tuple[str, Counts]]()
        try:
            for request in answered:
                key, text = request.utterance.id, request.reply.text if request.reply else ""
                counts = self._errors(request.utterance, text)
                before = self.alone.get(key)
                if counts is None:
                    continue
                under.append((key, counts))
                if before is not None and (own := self._errors(request.utterance, before)):
                    alone.append((key, own))
        except Exception as error:  # whatever a normaliser raises, the load is kept
            reason = f"a text can't be normalised ({type(error).__name__}: {error})"
            return dict.fromkeys(_WER, reason)
        return {
            "load/wer": _rate("load/wer", under) or "no text answered has a reference",
            "load/wer_unloaded": _rate("load/wer_unloaded", alone)
            or "none of these utterances was called without a load",
        }

    def _changed(self, answered: Sequence[Request]) -> Metric | str:
        told = [
            (r.utterance.id, (int(r.reply.text != self.alone[r.utterance.id]), 1))
            for r in answered
            if r.reply and r.utterance.id in self.alone
        ]
        return _rate(_CHANGED, told) or "nothing answered was called without a load before"

    def _errors(self, utterance: Utterance, text: str) -> Counts | None:
        """Word errors and words of the reference; None where nothing is said, or it isn't known."""
        known = utterance.id, text
        if known not in self._known:
            normalise = self._normaliser_of(utterance)
            reference = normalise(utterance.reference)
            counts = None
            if spoken_words(reference):
                ours, theirs = words_of(reference), words_of(normalise(text))
                edits = word_edits(ours, theirs, normalise.compounds)
                counts = sum(edits.values()), len(ours)
            self._known[known] = counts
        return self._known[known]

    def _normaliser_of(self, utterance: Utterance) -> Normaliser:
        if not self._normalise:
            chosen, _ = normaliser(self.normaliser)
            every = list(self.utterances)
            own: Sequence[Normaliser]
            if isinstance(chosen, Auto):
                languages = [language_of(each, self.asked) for each in every]
                own = chosen.choose([each.reference for each in every], languages)
            else:
                own = [chosen] * len(every)
            self._normalise = {e.id: rules for e, rules in zip(every, own, strict=True)}
        return self._normalise[utterance.id]


def _rate(name: str, counts: Iterable[tuple[str, Counts]]) -> Metric | None:
    """Summed errors over what they are counted over, with an interval over utterances.

    None where there is nothing to count them over.
    """
    every = list(counts)
    sums = by_original(every).values()
    wrong, lengths = [errors for errors, _ in sums], [length for _, length in sums]
    if not sum(lengths):
        return None
    interval = error_rate_interval(wrong, lengths)
    return Metric(name, sum(wrong) / sum(lengths), len(every), interval)
