"""Marks and capital letters at the words that reference and hypothesis have in common.

Precision, recall and F1 of the four marks . , ? ! together (Tilk & Alumäe 2016 have them without
the last), and of capital letters at the beginning of words. Errors of recognition stay out: words
that were left out or invented have no partner.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from asr_scaling.core.text.edits import aligned_words
from asr_scaling.core.text.one_form import one_form
from asr_scaling.core.text.scripts import words_of
from asr_scaling.profiler._figures import Figures
from asr_scaling.profiler._turns.recordings import Recording, ratio

MARKS = ".,?!"
_SAME = str.maketrans({"。": ".", "।": ".", "۔": ".", "、": ",", "،": ",", "؟": "?"})
"""Marks of other scripts → the one that does the same; full-width ones are one form already."""
_KINDS = ("punctuation", "case")
METRICS = tuple(f"turns/{kind}_{name}" for kind in _KINDS for name in ("precision", "recall", "f1"))
_LACKING = {
    "punctuation": "no reference has marks",
    "case": "no reference has both capital and small letters",
}


@dataclass
class Word:
    """A word of a text.

    form: what is compared with other words: letters and digits, without case.
    capital: it begins with a capital letter.
    mark: the first of ``MARKS`` that stands between it and the next word; empty without one.
    """

    form: str
    capital: bool
    mark: str = ""


def marked_words(text: str) -> list[Word]:
    """The words of ``text`` with their marks. Marks before the first word are left out."""
    words: list[Word] = []
    for token in words_of(one_form(text).translate(_SAME)):
        letters = [c for c in token if c.isalnum()]
        if letters:
            words.append(Word(_form(token), letters[0].isupper()))
        behind = token[token.rindex(letters[-1]) + 1 :] if letters else token
        marks = [c for c in behind if c in MARKS]
        if words and marks and not words[-1].mark:
            words[-1].mark = marks[0]
    return words


def _form(token: str) -> str:
    return "".join(c for c in token.casefold() if c.isalnum() or unicodedata.combining(c))


def measured(recordings: Sequence[Recording]) -> Figures:
    """The ``METRICS``, each of those recordings whose references have what is measured.

    A word has the right mark where both texts have the same one. Another mark than the reference's
    is wrong twice: one too many, and one missing.
    """
    figures: Figures = {}
    counted: dict[str, dict[str, Counter[str]]] = {kind: {} for kind in _KINDS}
    for recording in recordings:
        ours, theirs = marked_words(recording.text), marked_words(recording.heard)
        forms = ([word.form for word in ours], [word.form for word in theirs])
        pairs = [(ours[i], theirs[k]) for i, k in aligned_words(*forms)]
        if any(word.mark for word in ours):
            marks = [(own.mark, other.mark) for own, other in pairs]
            counted["punctuation"][recording.id] = agreement(marks)
        if recording.text.upper() != recording.text != recording.text.lower():
            capitals = [(own.capital, other.capital) for own, other in pairs]
            counted["case"][recording.id] = agreement(capitals)
    for kind, counts in counted.items():
        figures |= _scores(kind, counts)
    return figures


def agreement(pairs: Sequence[tuple[str | bool, str | bool]]) -> Counter[str]:
    """How many marks, or capital letters, of the pairs are "right", "extra" and "missing".

    pairs: what is at a word of the reference, and at its partner; empty or False for nothing.
    """
    found = Counter({"right": 0, "extra": 0, "missing": 0})
    for own, other in pairs:
        found["right"] += bool(own and own == other)
        found["extra"] += bool(other and own != other)
        found["missing"] += bool(own and own != other)
    return found


def _scores(kind: str, counts: dict[str, Counter[str]]) -> Figures:
    """Precision, recall and F1 over all recordings together."""
    precision, recall, f1 = (name for name in METRICS if name.startswith(f"turns/{kind}_"))
    if not counts:
        return dict.fromkeys((precision, recall, f1), _LACKING[kind])
    of_found = [(key, n["right"], n["right"] + n["extra"]) for key, n in counts.items()]
    of_reference = [(key, n["right"], n["right"] + n["missing"]) for key, n in counts.items()]
    of_both = [
        (key, 2 * n["right"], 2 * n["right"] + n["extra"] + n["missing"])
        for key, n in counts.items()
    ]
    unwritten = "the system writes none at a word that both texts have"
    unmatched = "the references have none at a word that both texts have"
    return {
        precision: ratio(precision, of_found, unwritten, 1.0),
        recall: ratio(recall, of_reference, unmatched, 1.0),
        f1: ratio(f1, of_both, unmatched, 1.0),
    }
