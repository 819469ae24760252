"""Your own speech: a folder of audio files with a manifest, or with files of turns."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from asr_scaling.core.option_checks import must_work
from asr_scaling.core.workload import DatasetInfo, Workload, folder_name
from asr_scaling.dataset._manifest import (
    ManifestEntry,
    check_ids,
    manifest_files,
    read_manifest,
)
from asr_scaling.dataset._manifest_keys import Columns
from asr_scaling.dataset._whole import whole_recordings
from asr_scaling.dataset._workload import Dataset, check_limit, from_entries
from asr_scaling.errors import ConfigError
from asr_scaling.util.files import user_path

_MOST_KEYS = 50
"""Names of unused keys that a record lists at most."""


@dataclass(frozen=True, kw_only=True)
class Folder(Dataset):
    """Files listed in a manifest of JSON lines, a CSV or TSV table, or LibriSpeech's
    ``*.trans.txt``; without any of these, audio with an STM, RTTM or CTM of its name beside it,
    which say who speaks when.

    With a limit, a sample that depends only on ``seed`` and the ids, in the manifest's order.

    path: folder of the manifest.
    manifest: its name in the folder, None to look for it.
    audio_root: folder that audio paths are relative to and can't leave, None for ``path``.
    audio_column, text_column: keys of audio and text, None for the usual names.
    name: what records call the speech, None for the folder's name.
    licence: stored in the record.
    whole: whether lines that are stretches of one file become the turns of one recording.
    """

    path: str | None = None
    manifest: str | None = None
    audio_root: str | None = None
    audio_column: str | None = None
    text_column: str | None = None
    name: str | None = None
    licence: str = "unknown"
    whole: bool = False

    def __post_init__(self) -> None:
        if not self.path:
            raise ConfigError(
                "No folder was given; set dataset.path=<folder with audio and a manifest>."
            )
        inside = self.manifest is None or os.path.basename(str(self.manifest)) == self.manifest
        remedy = "give the name of a file in dataset.path"
        must_work("dataset.manifest", self.manifest, inside, remedy)
        logical = isinstance(self.whole, bool)
        must_work("dataset.whole", self.whole, logical, "give true or false")
        super().__post_init__()

    def load(self, limit: int | None) -> Workload:
        """At most ``limit`` utterances or fragments, the same at every call."""
        check_limit(limit)
        entries = self._entries()
        unused = sorted({key for entry in entries for key in entry.extra})[:_MOST_KEYS]
        name = self.name or folder_name(str(self.path), self.manifest)
        origin = DatasetInfo(name, str(self.path), self.licence, unused_keys=tuple(unused))
        # a moved folder has another name, and the same fragments
        return from_entries(entries, origin, self, limit, prefix=self.name or "folder")

    def files(self) -> list[Path]:
        """The manifest, files of turns and the audio. Raises DataError as ``load`` does."""
        listed = manifest_files(user_path(str(self.path)), self.manifest)
        entries = self._entries()
        of_turns = (path for entry in entries for path in entry.turned.files)
        return [*listed, *dict.fromkeys(of_turns), *dict.fromkeys(e.audio for e in entries)]

    def _entries(self) -> list[ManifestEntry]:
        root = user_path(str(self.path))
        audio_root = None if self.audio_root is None else user_path(str(self.audio_root))
        columns = Columns(self.audio_column, self.text_column)
        entries = read_manifest(root, audio_root, self.manifest, columns)
        if not self.whole:
            return entries
        check_ids(root, entries := whole_recordings(entries))
        return entries
