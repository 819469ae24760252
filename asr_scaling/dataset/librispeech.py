"""LibriSpeech: read audiobooks, English, upper-case transcripts without punctuation (Panayotov et al., ICASSP 2015)."""

from __future__ import annotations

from dataclasses import dataclass

from asr_scaling.dataset._parquet import ParquetDataset


@dataclass(frozen=True, kw_only=True)
class LibriSpeech(ParquetDataset):
    """LibriSpeech from https://huggingface.co/datasets/openslr/librispeech_asr or Parquet files in its layout.

    ``config`` is "clean" or "other". What streaming with a limit means for the sample: see ParquetDataset.
    """

    name: str = "librispeech"
    repository: str = "openslr/librispeech_asr"
    config: str | None = "clean"
    split: str = "test"
    licence: str = "CC BY 4.0"
    speaker_column: str | None = "speaker_id"
