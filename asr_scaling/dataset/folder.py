"""Your own speech: a folder of audio files with a manifest."""

from __future__ import annotations

from dataclasses import dataclass

from asr_scaling.core.workload import DatasetInfo, Workload
from asr_scaling.dataset._manifest import read_manifest
from asr_scaling.dataset._workload import Dataset, check_limit, from_entries
from asr_scaling.errors import ConfigError
from asr_scaling.util.files import user_path


@dataclass(frozen=True, kw_only=True)
class Folder(Dataset):
    """Files listed in ``manifest.jsonl``, a CSV or TSV table, or LibriSpeech's ``*.trans.txt``.

    With a limit, a sample that depends only on ``seed`` and the ids, in the manifest's order.

    path: folder of the manifest.
    audio_root: folder that audio paths are relative to and can't leave, None for ``path``.
    name, licence: stored in the record.
    """

    path: str | None = None
    audio_root: str | None = None
    name: str = "folder"
    licence: str = "unknown"

    def __post_init__(self) -> None:
        if not self.path:
            raise ConfigError(
                "No folder was given; set dataset.path=<folder with audio and a manifest>."
            )
        super().__post_init__()

    def load(self, limit: int | None) -> Workload:
        """At most ``limit`` utterances or fragments, the same at every call."""
        check_limit(limit)
        root = user_path(str(self.path))
        origin = DatasetInfo(self.name, str(self.path), self.licence)
        audio_root = None if self.audio_root is None else user_path(str(self.audio_root))
        return from_entries(read_manifest(root, audio_root), origin, self, limit)
