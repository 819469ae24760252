"""LibriSpeech: read English audiobooks (Panayotov et al., ICASSP 2015).

Transcripts are in upper case and without punctuation.
"""

from __future__ import annotations

from dataclasses import dataclass

from asr_scaling.dataset._parquet import ParquetDataset


@dataclass(frozen=True, kw_only=True)
class LibriSpeech(ParquetDataset):
    """https://huggingface.co/datasets/openslr/librispeech_asr, or Parquet files in its layout.

    config: "clean" or "other".
    """

    name: str = "librispeech"
    repository: str = "openslr/librispeech_asr"
    config: str | None = "clean"
    split: str = "test"
    licence: str = "CC BY 4.0"
    speaker_column: str | None = "speaker_id"
    language: str | None = "en"
