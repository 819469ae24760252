"""Opens rows of Parquet on the Hugging Face hub or on disk; errors become one sentence."""

from __future__ import annotations

import glob
import inspect
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from asr_scaling.core.option_checks import readable
from asr_scaling.errors import DataError
from asr_scaling.util.files import open_file, user_path

MAX_FILES_SPLIT = 64
"""Most Parquet files that are shuffled by row group (often 100 rows), for which every file's footer
is read; more are shuffled by file."""
MAX_ROW_GROUP_BYTES = 4 << 30
_MAGIC = b"PAR1"


@dataclass(frozen=True)
class Rows:
    """Rows of Parquet, to iterate over.

    repository, config, split, revision: the dataset on the hub, where ``files`` is None.
    audio: name of the column with the audio.
    columns: the other columns, by the option that names each.
    files: Parquet files on disk.
    shuffle: (seed, buffer size). Row groups or files come in random order into a buffer of rows,
        from which rows are drawn at random. None: the order in which rows are stored.
    """

    repository: str
    config: str | None
    split: str
    revision: str | None
    audio: str
    columns: Mapping[str, str]
    files: Sequence[Path] | None = None
    shuffle: tuple[int, int] | None = None

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """Rows with all columns; audio is ``{"bytes", "path"}``. Raises DataError."""
        if self.files is None:
            _check_hub(self.repository)
        try:
            stream = self._open()
            self._check_columns(stream.column_names)
            yield from self._prepared(stream)
        except DataError:
            raise
        except Exception as error:  # whatever datasets, pyarrow, fsspec or httpx raise
            raise self._explained(error) from error

    def _open(self) -> Any:
        from datasets import load_dataset

        if self.files is not None:
            for file in self.files:
                _check_row_groups(file)
            names = [glob.escape(str(path)) for path in self.files]
            return load_dataset(
                "parquet", data_files={"train": names}, split="train", streaming=True
            )
        return load_dataset(
            self.repository, self.config, split=self.split, revision=self.revision, streaming=True
        )

    def _prepared(self, stream: Any) -> Any:
        from datasets import Audio

        few = stream.num_shards <= MAX_FILES_SPLIT
        if self.shuffle is not None and few and hasattr(stream, "reshard"):
            stream = stream.reshard()  # a shard per row group instead of per file
        names = list(dict.fromkeys([self.audio, *self.columns.values()]))
        # decode=True would need torchcodec and FFmpeg
        stream = stream.select_columns(names).cast_column(self.audio, Audio(decode=False))
        if self.shuffle is None:
            return stream
        seed, buffer = self.shuffle
        # several shards at a time would cost threads, and 5 s when the stream is closed
        limited = "max_buffer_input_shards" in inspect.signature(stream.shuffle).parameters
        options = {"max_buffer_input_shards": 1} if limited else {}
        return stream.shuffle(seed=seed, buffer_size=buffer, **options)

    def _check_columns(self, present: Sequence[str] | None) -> None:
        for key, column in {"audio_column": self.audio, **self.columns}.items():
            if present is not None and column not in present:
                null = "" if key in {"audio_column", "text_column"} else " or to null"
                raise DataError(
                    f"{self._what} has no column '{column}' but {', '.join(present)}; set "
                    f"dataset.{key} to one of them{null}."
                )

    @property
    def _what(self) -> str:
        if self.files is not None:
            return f"'{self.files[0]}'" if len(self.files) == 1 else f"'{self.files[0].parent}'"
        return f"'{self.repository}'"

    def _explained(self, error: Exception) -> DataError:
        """The error as one sentence, by messages of datasets 5 (load.py, builder.py)."""
        text = " ".join(str(error).split()) or type(error).__name__
        short = text[:200].rstrip(".")
        if self.files is not None:
            return DataError(
                f"{self._what} can't be read as Parquet ({short}); download or write it again."
            )
        for signs, sentence in _EXPLAINED.items():
            if any(sign in text for sign in signs):
                return DataError(sentence.format(**vars(self), short=short))
        return DataError(
            f"Streaming {self._what} failed ({short}); try again, or set dataset.path to Parquet "
            "files."
        )


_EXPLAINED = {
    ("gated", "401 Client", "403 Client", "Unauthorized", "Forbidden"): (
        "'{repository}' is gated: accept its terms at "
        "https://huggingface.co/datasets/{repository}, then run  hf auth login  or set HF_TOKEN."
    ),
    ("BuilderConfig", "Config name is missing"): (
        "'{repository}' has no config '{config}' ({short}); set dataset.config."
    ),
    ("Bad split", "Unknown split"): (
        "'{repository}' has no split '{split}' ({short}); set dataset.split."
    ),
    ("scripts are no longer supported",): (
        "Revision '{revision}' of '{repository}' holds a loading script and no Parquet; set "
        "dataset.revision to one with Parquet (often refs/convert/parquet) or dataset.repository "
        "to a mirror."
    ),
    ("doesn't exist",): (
        "There is no '{repository}' at revision '{revision}' that you may read; check "
        "dataset.repository and dataset.revision, or log in with  hf auth login  if it is private."
    ),
}
"""What an error's message contains, and what to tell the user; the first that fits is used."""


def parquet_files(path: str | Sequence[str]) -> list[Path]:
    """The Parquet files of ``path``: one or several files, or folders with ``*.parquet`` below.

    Raises DataError when there are none, or when one is damaged.
    """
    files: list[Path] = []
    for name in [path] if isinstance(path, str) else path:
        place = user_path(str(name))
        with readable(f"'{name}' can't be read", "check dataset.path"):
            below = place.is_dir()
            paths = place.rglob("*.parquet") if below else filter(Path.exists, [place])
            # a folder may have such a name: Spark writes them
            own = sorted(file.absolute() for file in paths if not file.is_dir())
        if not own:
            raise DataError(
                f"There is no Parquet file at '{name}'; set dataset.path to a file or a folder of "
                "them."
            )
        for file in own:
            _check_parquet(file)
        files += own
    return files


def _check_parquet(path: Path) -> None:
    """Check the first and last bytes: datasets would unpack what looks like an archive.

    Raises DataError for anything but Parquet.
    """
    remedy = "set dataset.path to a Parquet file"
    with readable(f"'{path}' can't be read as Parquet", remedy), open_file(path) as file:
        whole = file.read(4) == _MAGIC and file.seek(-4, os.SEEK_END) and file.read() == _MAGIC
    if not whole:
        raise DataError(
            f"'{path}' can't be read as Parquet (it does not begin and end as such a file does, "
            "and archives are not unpacked); download or write it again."
        )
    if "::" in str(path):
        raise DataError(
            f"'{path}' has a double colon in its path, which means a chain of addresses; rename it."
        )


def _check_row_groups(path: Path) -> None:
    """Raises DataError for a row group that unpacks to too much: it is read into memory whole."""
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as file:
        groups = (file.metadata.row_group(i) for i in range(file.metadata.num_row_groups))
        largest = max((group.total_byte_size for group in groups), default=0)
    if largest > MAX_ROW_GROUP_BYTES:
        raise DataError(
            f"'{path}' has a row group of {largest / 1e9:.3g} GB, more than "
            f"{MAX_ROW_GROUP_BYTES / 1e9:.3g} GB; write it again with fewer rows in a group."
        )


def _check_hub(repository: str) -> None:
    """Raises DataError at once without a network, where datasets would try for half a minute."""
    from asr_scaling.model.weights import hub_reachable

    if not hub_reachable():
        raise DataError(
            f"The Hugging Face hub can't be reached to stream '{repository}'; set dataset.path to "
            "Parquet files of it, or use dataset=demo."
        )
