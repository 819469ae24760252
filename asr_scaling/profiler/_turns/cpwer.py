"""Word error rate of who said what: concatenated minimum-permutation WER (cpWER).

Source: Watanabe et al. 2020, CHiME-6 challenge, track 2: all that one speaker says is joined, in
the order in which the turns begin, and of all ways to match the speakers found with those of the
reference the one with the fewest errors counts. Where their numbers differ, what a speaker without
a partner says is all deleted, or all inserted: von Neumann et al. 2023, MeetEval.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from asr_scaling.core.metric import Metric
from asr_scaling.core.text.edits import word_edits
from asr_scaling.core.text.normalisers import Auto, Normaliser, normaliser
from asr_scaling.core.text.scripts import words_of
from asr_scaling.core.turns import text_of
from asr_scaling.core.word_loss import WORD_EDITS
from asr_scaling.profiler._figures import Figures
from asr_scaling.profiler._turns.recordings import Recording, by_speaker, ratio

_CPWER = "turns/cpwer"
_COUNTS = ("words", *WORD_EDITS)
METRICS = (_CPWER, *(f"turns/cp_{name}" for name in _COUNTS))
_LONGEST = 100
"""Characters of an error's message that are shown."""
Words = Sequence[str]


def measured(recordings: Sequence[Recording], rules: str) -> tuple[Figures, dict[str, str]]:
    """The ``METRICS`` of references with words and speakers, and tags that say how.

    rules: name of the normaliser.
    """
    worded = [each for each in recordings if each.names_speakers and text_of(each.reference)]
    if not worded:
        return dict.fromkeys(METRICS, "no reference tells which speaker says what"), {}
    if any(each.heard for each in worded) and not any(text_of(each.found) for each in worded):
        return dict.fromkeys(METRICS, "the system does not tell what is said in which turn"), {}
    counted = dict[str, Counter[str]]()
    used = _rules(worded, rules)
    for recording, own in zip(worded, used, strict=True):
        try:
            counted[recording.id] = _counts(recording, own)
        except Exception as error:  # whatever the rules raise, the point is kept
            text = " ".join(str(error).split())[:_LONGEST]
            said = ": ".join(filter(None, (type(error).__name__, text)))
            why = f"{own.label} can't take a text of '{recording.id}' ({said})"
            return dict.fromkeys(METRICS, why), {}
    parts = [
        (key, sum(counts[name] for name in WORD_EDITS), counts["words"])
        for key, counts in counted.items()
    ]
    total = sum(counted.values(), Counter[str]())
    figures: Figures = {_CPWER: ratio(_CPWER, parts, "the references have no words")}
    figures |= {f"turns/cp_{name}": Metric(f"turns/cp_{name}", total[name]) for name in _COUNTS}
    return figures, {"turns/normaliser": " and ".join(sorted({own.label for own in used}))}


def _rules(recordings: Sequence[Recording], name: str) -> Sequence[Normaliser]:
    """The normaliser of each recording, chosen as for WER."""
    chosen, _ = normaliser(name)
    if isinstance(chosen, Auto):
        references = [text_of(recording.reference) for recording in recordings]
        return chosen.choose(references, [recording.language for recording in recordings])
    return [chosen] * len(recordings)


def _counts(recording: Recording, rules: Normaliser) -> Counter[str]:
    """Edits and words of the reference. Raises what the rules raise."""
    ours, theirs = (
        [words_of(rules(text_of(own))) for own in by_speaker(turns)]
        for turns in (recording.reference, recording.found)
    )
    edits = minimum_permutation_edits(ours, theirs, rules.compounds)
    return Counter({**edits, "words": sum(map(len, ours))})


def minimum_permutation_edits(
    ours: Sequence[Words], theirs: Sequence[Words], compounds: bool = False
) -> dict[str, int]:
    """Name in ``WORD_EDITS`` → number of them, with the best match between speakers.

    ours: the words of each speaker of the reference.
    theirs: the words of each speaker found; there may be more or fewer of them.
    compounds: words that differ only in where a compound is split are equal (kaldialign). The match
    is found without that.
    """
    from scipy.optimize import linear_sum_assignment

    number = max(len(ours), len(theirs))
    own, found = ([*each, *([()] * (number - len(each)))] for each in (ours, theirs))
    if not number:
        return dict.fromkeys(WORD_EDITS, 0)
    costs = [[sum(word_edits(a, b).values()) for b in found] for a in own]
    edits = Counter[str]()
    for i, k in zip(*linear_sum_assignment(costs), strict=True):
        edits.update(word_edits(own[i], found[k], compounds))
    return {name: edits[name] for name in WORD_EDITS}
