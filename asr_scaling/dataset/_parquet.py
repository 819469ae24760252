"""Shared by datasets stored as Parquet. All names in them are options, so mirrors work too."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from functools import partial
from pathlib import Path
from typing import Any

from asr_scaling.core.language import language_code
from asr_scaling.core.option_checks import must_work
from asr_scaling.core.workload import DatasetInfo, Utterance, Workload
from asr_scaling.dataset._audio import decode
from asr_scaling.dataset._hub import Rows, parquet_files
from asr_scaling.dataset._workload import Dataset, check_limit, contents_sha256, joined, natural
from asr_scaling.dataset.fragments import is_whole
from asr_scaling.errors import DataError


@dataclass(frozen=True, kw_only=True)
class ParquetDataset(Dataset):
    """Speech streamed from Parquet on the hub or on disk.

    With a limit, or for fragments, rows are shuffled, because such sets may be stored longest
    first: row groups (or files, where there are over 64) come in random order into a buffer, from
    which rows are drawn at random. **A bias remains**: rows of row groups that are never reached
    can't be drawn, and neighbours, often of one speaker or one length, come together. A buffer as
    large as the split removes it, and reads the whole split first. ``limit=null`` takes every row.

    Fragments are cached by these options; pin ``revision`` to a commit, which can't change.

    repository, config, split, revision: the dataset on the hub, where ``path`` is None.
    licence: stored in the record.
    audio_column, text_column, speaker_column: names of columns.
    language_column: name of the column with the language of each row; None where there is none.
    id_column: name of the column with ids; None to name utterances after a hash of their bytes,
        and to leave out repeated ones.
    path: Parquet files on disk, or a folder of them.
    shuffle_buffer: number of rows in the buffer.
    """

    name: str
    repository: str
    split: str
    licence: str
    config: str | None = None
    revision: str | None = "main"
    audio_column: str = "audio"
    text_column: str = "text"
    id_column: str | None = "id"
    speaker_column: str | None = None
    language_column: str | None = None
    path: str | Sequence[str] | None = None
    shuffle_buffer: int = 1000

    def __post_init__(self) -> None:
        for key in ("repository", "split", "audio_column", "text_column"):
            value = getattr(self, key)
            named = isinstance(value, str) and value != ""
            must_work(f"dataset.{key}", value, named, "give its name")
        buffer, remedy = self.shuffle_buffer, "give a number of rows from 1 upwards"
        must_work("dataset.shuffle_buffer", buffer, is_whole(buffer, least=1), remedy)
        super().__post_init__()

    def load(self, limit: int | None) -> Workload:
        """At most ``limit`` utterances or fragments, the same at every call."""
        check_limit(limit)
        files = None if self.path is None else parquet_files(self.path)
        whole = self.length_s is None and limit is None
        stream = partial(self._utterances, self._rows(files, shuffle=not whole))
        source = f"hub:{self.repository}" + (f"/{self.config}" if self.config else "")
        origin = DatasetInfo(
            self.name, source, self.licence, split=self.split, revision=self.revision
        )
        if files is not None:
            origin = replace(origin, source=", ".join(map(str, files)), revision=None)
        if self.length_s is None:
            return natural(stream, origin, self, limit)
        return joined(stream, origin, self, limit, self._identity(files))

    def _rows(self, files: Sequence[Path] | None, shuffle: bool) -> Rows:
        columns = {
            "text_column": self.text_column,
            "id_column": self.id_column,
            "speaker_column": self.speaker_column,
            "language_column": self.language_column,
        }
        return Rows(
            repository=self.repository,
            config=self.config,
            split=self.split,
            revision=self.revision,
            audio=self.audio_column,
            columns={key: column for key, column in columns.items() if column is not None},
            files=files,
            shuffle=(self.seed, self.shuffle_buffer) if shuffle else None,
        )

    def _identity(self, files: Sequence[Path] | None) -> dict[str, Any]:
        """Everything that determines the utterances and their order."""
        options = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "path"}
        digests = None if files is None else [contents_sha256(path) for path in files]
        return {"kind": type(self).__name__, "files": digests, **options}

    def words(self, text: str) -> tuple[str, str | None]:
        """The reference for ``text``, and why the utterance is left out, or None.

        An empty text is that of silence.
        """
        return " ".join(text.split()), None

    def _utterances(self, rows: Rows, left_out: Counter[str]) -> Iterator[Utterance]:
        seen: set[str] = set()
        for row in rows:
            text = self._text(row)
            reference, reason = ("", "no transcript") if text is None else self.words(text)
            if reason is None and (name := self._id(row)) in seen:
                if self.id_column is not None:
                    raise DataError(
                        f"Two rows of '{self.name}' have the id '{name}'; set dataset.id_column to "
                        "another column or to null."
                    )
                reason = "the same audio again"
            if reason is not None:
                left_out[reason] += 1
                continue
            seen.add(name)
            speaker = None if self.speaker_column is None else row[self.speaker_column]
            audio = decode(_bytes(row[self.audio_column], name), name, self.max_utterance_s)
            who = None if speaker is None else str(speaker)
            said = Utterance(name, audio.samples, reference, who, language=self._spoken(row))
            yield replace(said, doubts=audio.doubts)

    def _text(self, row: dict[str, Any]) -> str | None:
        text = row[self.text_column]
        if not isinstance(text, str | None):
            raise DataError(
                f"Column '{self.text_column}' of '{self.name}' holds {type(text).__name__} and no "
                "text; set dataset.text_column to another."
            )
        return text

    def _spoken(self, row: dict[str, Any]) -> str | None:
        """The language of a row, or that of the dataset. Raises DataError for what is none."""
        written = None if self.language_column is None else row[self.language_column]
        if written is None or written == "":
            return self.spoken
        if not isinstance(written, str) or (code := language_code(written)) is None:
            raise DataError(
                f"Column '{self.language_column}' of '{self.name}' holds '{written}', which is no "
                "language; set dataset.language_column to one with codes such as en or de, or to "
                "null."
            )
        return code

    def _id(self, row: dict[str, Any]) -> str:
        if self.id_column is None:
            return hashlib.sha256(_bytes(row[self.audio_column], "a row")).hexdigest()[:16]
        if row[self.id_column] is None:
            raise DataError(
                f"A row of '{self.name}' has no '{self.id_column}'; set dataset.id_column=null."
            )
        return str(row[self.id_column])


def _bytes(audio: Any, name: str) -> bytes:
    """The contents of the audio file in a row. Raises DataError when there are none."""
    data = audio.get("bytes") if isinstance(audio, dict) else None
    if not isinstance(data, bytes):
        raise DataError(
            f"'{name}' has no audio bytes in its row; use Parquet files with the audio inside them."
        )
    return data
