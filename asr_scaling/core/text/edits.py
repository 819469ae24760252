"""Word edits between two texts, and the alignment that they follow from (jiwer, kaldialign)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

from asr_scaling.core.word_loss import WORD_EDITS

PART_WORDS = 50
"""Words of a part of a long text: more than most utterances have, about 20 s of speech."""
_RUN, _PIECE = 4, 500
"""Words: of the shortest run of equal ones in which a long text is cut, and of its pieces."""


def word_edits(
    ours: Sequence[str], theirs: Sequence[str], compounds: bool = False
) -> dict[str, int]:
    """Name in ``WORD_EDITS`` → how many of them turn ``ours`` into ``theirs``, the fewest in all.

    ours, theirs: the words of the reference and those of the hypothesis.
    compounds: words that differ only in where a compound is split are equal (kaldialign).
    """
    if not (ours and theirs):
        lost, added = len(ours), len(theirs)
        return {"substitutions": 0, "deletions": lost, "insertions": added}
    found = _aligned(ours, theirs)
    edits = {name: int(getattr(found, name)) for name in WORD_EDITS}
    if compounds and any(edits.values()):
        return _edits_but_compounds(ours, theirs, found.alignments[0])
    return edits


def aligned_words(ours: Sequence[str], theirs: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Places of the words that stand for each other: equal ones, and those that are substituted.

    ours, theirs: the words of the reference and those of the hypothesis.
    """
    chunks = _aligned(ours, theirs).alignments[0] if ours and theirs else ()
    for chunk in chunks:
        if chunk.type in ("equal", "substitute"):
            own = range(chunk.ref_start_idx, chunk.ref_end_idx)
            yield from zip(own, range(chunk.hyp_start_idx, chunk.hyp_end_idx), strict=True)


def edits_of_parts(ours: Sequence[str], theirs: Sequence[str]) -> list[tuple[int, int]]:
    """Word errors and words of each part of a long text, in order; empty for a short one.

    ours, theirs: the words of the reference and those of the hypothesis.

    Parts have ``PART_WORDS`` words of the reference, the last one up to twice as many. An inserted
    word belongs to the reference's word before it. The errors of all parts are those of the text.
    """
    count = len(ours) // PART_WORDS
    if count < 2:
        return []
    errors = [0] * count
    for chunk in _aligned(ours, theirs).alignments[0] if theirs else ():
        if chunk.type == "insert":
            place = max(0, chunk.ref_start_idx - 1)
            errors[_part(place, count)] += chunk.hyp_end_idx - chunk.hyp_start_idx
        elif chunk.type != "equal":
            for place in range(chunk.ref_start_idx, chunk.ref_end_idx):
                errors[_part(place, count)] += 1
    words = [PART_WORDS] * (count - 1) + [len(ours) - PART_WORDS * (count - 1)]
    return list(zip(errors if theirs else words, words, strict=True))


def _part(place: int, count: int) -> int:
    return min(place // PART_WORDS, count - 1)


def _aligned(ours: Sequence[str], theirs: Sequence[str]) -> Any:
    import jiwer

    return jiwer.process_words(" ".join(ours), " ".join(theirs))


def _edits_but_compounds(
    ours: Sequence[str], theirs: Sequence[str], alignment: Sequence[Any]
) -> dict[str, int]:
    """Word edits of two texts in which a compound may be split (kaldialign).

    alignment: jiwer's, in whose long runs of equal words the texts are cut, because memory and time
        grow with the product of their lengths.
    """
    import kaldialign

    cuts = [(0, 0)]
    for chunk in alignment:
        run = chunk.ref_end_idx - chunk.ref_start_idx
        if chunk.type == "equal" and run >= _RUN and chunk.ref_start_idx > cuts[-1][0] + _PIECE:
            cuts.append((chunk.ref_start_idx + run // 2, chunk.hyp_start_idx + run // 2))
    edits = Counter[str]()
    for (a, b), (c, d) in pairwise([*cuts, (len(ours), len(theirs))]):
        edits.update(kaldialign.edit_distance(ours[a:c], theirs[b:d], merge_compounds=True))
    return {name: int(edits[name[:3]]) for name in WORD_EDITS}
