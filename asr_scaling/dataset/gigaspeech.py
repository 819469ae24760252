"""GigaSpeech: podcasts, YouTube and audiobooks, English (Chen et al., Interspeech 2021)."""

from __future__ import annotations

from dataclasses import dataclass

from asr_scaling.core.checks import must_work
from asr_scaling.dataset._parquet import ParquetDataset
from asr_scaling.dataset._tags import MODES, clean, garbage


@dataclass(frozen=True, kw_only=True)
class GigaSpeech(ParquetDataset):
    """GigaSpeech from the hub (gated), from a mirror, or from Parquet files in its layout.

    Utterances with ``<SIL> <MUSIC> <NOISE> <OTHER>`` are left out, and counted. See ParquetDataset
    for what a limit means for the sample.

    tags: what becomes of ``<COMMA> <PERIOD> <QUESTIONMARK> <EXCLAMATIONPOINT>``: "map" to
        punctuation, "drop", or "keep" as words.
    """

    name: str = "gigaspeech"
    repository: str = "speechcolab/gigaspeech"
    config: str | None = "test"
    split: str = "test"
    revision: str | None = "refs/pr/20"
    licence: str = "Apache-2.0, access for research and education only"
    id_column: str | None = "segment_id"
    speaker_column: str | None = "speaker"
    tags: str = "map"

    def __post_init__(self) -> None:
        super().__post_init__()
        remedy = f"choose one of {', '.join(MODES)}"
        must_work("dataset.tags", self.tags, self.tags in MODES, remedy)

    def words(self, text: str) -> tuple[str, str | None]:
        """The reference without tags, or the reason why there is none."""
        if (tag := garbage(text)) is not None:
            return "", f"tagged <{tag}>"
        reference = clean(text, self.tags)
        return reference, None if clean(text, "drop") else "no words"
