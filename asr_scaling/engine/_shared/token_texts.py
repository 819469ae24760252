"""Features of audio, and texts of token ids: what surrounds a network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from asr_scaling.core.model_spec import ModelSpec
from asr_scaling.model import transformers_objects
from asr_scaling.model.weights import Weights


@dataclass(frozen=True)
class Texts:
    """``features``, the extractor, and ``tokenizer``, both of transformers.

    Random weights come without a vocabulary: then ``tokenizer`` is None.
    """

    spec: ModelSpec
    features: Any
    tokenizer: Any

    @property
    def random(self) -> bool:
        """True when the weights are random."""
        return self.tokenizer is None

    def text(self, rows: Sequence[Sequence[int]], **options: Any) -> tuple[str, ...]:
        """The text of each row of token ids; the ids themselves for random weights.

        ``options``: for the tokenizer. Collapsed or transducer tokens need ``group_tokens=False``,
        since the tokenizers of wav2vec 2.0 and Parakeet otherwise group repeats once more and lose
        double letters.
        """
        if self.tokenizer is None:
            return tuple(" ".join(map(str, row)) for row in rows)
        texts = self.tokenizer.batch_decode(rows, skip_special_tokens=True, **options)
        return tuple(text.strip() for text in texts)


def load_texts(spec: ModelSpec, weights: Weights) -> Texts:
    """Feature extractor and tokenizer that come with ``weights``; random ones have no tokenizer."""
    if weights.folder is None:
        return Texts(spec, transformers_objects.feature_extractor(spec), None)
    import transformers

    features = transformers_objects.pretrained(
        transformers.AutoFeatureExtractor, weights.folder, spec
    )
    return Texts(
        spec,
        features,
        transformers_objects.pretrained(transformers.AutoTokenizer, weights.folder, spec),
    )
