"""Opening rows of Parquet, on the Hugging Face hub or on disk, and saying in one sentence why it did not work."""

from __future__ import annotations

import glob
import inspect
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from asr_scaling.errors import DataError
from asr_scaling.util.files import open_file, user_path

MAX_FILES_SPLIT = 64
"""Up to so many Parquet files are shuffled by row group (often 100 rows), which reads every footer; more, by file."""
MAX_ROW_GROUP_BYTES = 4 << 30
_MAGIC = b"PAR1"


@dataclass(frozen=True)
class Rows:
    """Which rows: of ``files`` when there are any, else of the hub's ``repository``; ``audio`` and more ``columns``.

    ``shuffle``: (seed, buffer size): row groups or files in random order fill a buffer that rows are drawn from at
    random; None for the order in which they are stored.
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
        """Rows that have every column, the audio as ``{"bytes", "path"}``. DataError."""
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

        if (
            self.shuffle is not None
            and stream.num_shards <= MAX_FILES_SPLIT
            and hasattr(stream, "reshard")
        ):
            stream = stream.reshard()  # a shard per row group instead of per file
        wanted = [self.audio, *self.columns.values()]
        # decode=True would need torchcodec and FFmpeg
        stream = stream.select_columns(list(dict.fromkeys(wanted))).cast_column(
            self.audio, Audio(decode=False)
        )
        if self.shuffle is None:
            return stream
        seed, buffer = self.shuffle
        # Several shards at a time would cost threads and a pause of 5 s when the stream is closed.
        one = "max_buffer_input_shards" in inspect.signature(stream.shuffle).parameters
        return stream.shuffle(
            seed=seed, buffer_size=buffer, **({"max_buffer_input_shards": 1} if one else {})
        )

    def _check_columns(self, present: Sequence[str] | None) -> None:
        for key, column in {"audio_column": self.audio, **self.columns}.items():
            if present is not None and column not in present:
                raise DataError(
                    f"{self._what} has no column '{column}' but {', '.join(present)}; set dataset.{key} to one of them"
                    f"{'' if key in {'audio_column', 'text_column'} else ' or to null'}."
                )

    @property
    def _what(self) -> str:
        if self.files is not None:
            return f"'{self.files[0]}'" if len(self.files) == 1 else f"'{self.files[0].parent}'"
        return f"'{self.repository}'"

    def _explained(self, error: Exception) -> DataError:
        """The error as one sentence; the messages are those of datasets 5 (load.py, builder.py)."""
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
            f"Streaming {self._what} failed ({short}); try again, or set dataset.path to Parquet files."
        )


_EXPLAINED = {
    ("gated", "401 Client", "403 Client", "Unauthorized", "Forbidden"): (
        "'{repository}' is gated: accept its terms at https://huggingface.co/datasets/{repository}, then run"
        "  hf auth login  or set HF_TOKEN."
    ),
    ("BuilderConfig", "Config name is missing"): (
        "'{repository}' has no config '{config}' ({short}); set dataset.config."
    ),
    (
        "Bad split",
        "Unknown split",
    ): "'{repository}' has no split '{split}' ({short}); set dataset.split.",
    ("scripts are no longer supported",): (
        "Revision '{revision}' of '{repository}' holds a loading script and no Parquet; set dataset.revision to one "
        "with Parquet (often refs/convert/parquet) or dataset.repository to a mirror."
    ),
    ("doesn't exist",): (
        "There is no '{repository}' at revision '{revision}' that you may read; check dataset.repository and "
        "dataset.revision, or log in with  hf auth login  if it is private."
    ),
}
"""What the messages of others contain → what to tell the user; the first that fits."""


def parquet_files(path: str | Sequence[str]) -> list[Path]:
    """The files that ``path`` means: a file, several, or every ``*.parquet`` below a folder. DataError."""
    files: list[Path] = []
    for one in [path] if isinstance(path, str) else path:
        place = user_path(str(one))
        try:
            below = (
                place.rglob("*.parquet") if place.is_dir() else [place] if place.exists() else []
            )
            found = sorted(
                file.absolute() for file in below if not file.is_dir()
            )  # Spark calls folders so
        except OSError as error:
            raise DataError(
                f"'{one}' can't be read ({error.strerror or error}); check dataset.path."
            ) from error
        if not found:
            raise DataError(
                f"There is no Parquet file at '{one}'; set dataset.path to a file or a folder of them."
            )
        for file in found:
            _check_parquet(file)
        files += found
    return files


def _check_parquet(path: Path) -> None:
    """Its first and last bytes, since what looks like an archive would be unpacked. DataError."""
    try:
        with open_file(path) as file:
            whole = file.read(4) == _MAGIC and file.seek(-4, os.SEEK_END) and file.read() == _MAGIC
    except OSError as error:
        raise DataError(
            f"'{path}' can't be read as Parquet ({error.strerror or error}); set dataset.path to a Parquet file."
        ) from error
    if not whole:
        raise DataError(
            f"'{path}' can't be read as Parquet (it does not begin and end as such a file does, and archives are not "
            "unpacked); download or write it again."
        )
    if "::" in str(path):
        raise DataError(
            f"'{path}' has a double colon in its path, which means a chain of addresses; rename it."
        )


def _check_row_groups(path: Path) -> None:
    """A row group is read whole: one that unpacks to more than the memory is refused. DataError."""
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as file:
        metadata = file.metadata
        largest = max(
            (metadata.row_group(i).total_byte_size for i in range(metadata.num_row_groups)),
            default=0,
        )
    if largest > MAX_ROW_GROUP_BYTES:
        raise DataError(
            f"'{path}' has a row group of {largest / 1e9:.3g} GB, more than {MAX_ROW_GROUP_BYTES / 1e9:.3g} GB; write "
            "it again with fewer rows in a group."
        )


def _check_hub(repository: str) -> None:
    """Ask first: without a network, datasets retries for half a minute."""
    from asr_scaling.model.weights import hub_reachable

    if not hub_reachable():
        raise DataError(
            f"The Hugging Face hub can't be reached to stream '{repository}'; set dataset.path to Parquet files of it, "
            "or use dataset=demo."
        )
