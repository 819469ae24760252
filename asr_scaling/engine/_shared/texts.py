"""From token ids to texts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def texts_of(tokenizer: Any, rows: Sequence[Sequence[int]], **options: Any) -> tuple[str, ...]:
    """The text of each row of token ids; the ids themselves for random weights.

    ``tokenizer``: of transformers; None for random weights, which come without a vocabulary.
    ``options``: for the tokenizer. Collapsed or transducer tokens need ``group_tokens=False``,
    since the tokenizers of wav2vec 2.0 and Parakeet otherwise group repeats once more and lose
    double letters.
    """
    if tokenizer is None:
        return tuple(" ".join(map(str, row)) for row in rows)
    texts = tokenizer.batch_decode(rows, skip_special_tokens=True, **options)
    return tuple(text.strip() for text in texts)
