"""Finds the audio files that a manifest names: files inside its folder, or one sentence why not."""

from __future__ import annotations

import os
import stat
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import NoReturn

from asr_scaling.errors import DataError
from asr_scaling.util.files import user_path

_CLIPS = "clips"
"""Folder of the audio in Common Voice, whose tables name files in it without the folder."""


@dataclass(frozen=True)
class FoundAudio:
    """An audio file inside the folder.

    path: where it is.
    name: the path in its folder, without suffix; the same wherever the folder is.
    """

    path: Path
    name: str


@dataclass(frozen=True)
class AudioFolder:
    """The folder that audio paths begin at and can't leave, by links either.

    root: that folder.
    manifest: the folder of the manifest; paths that are not in ``root`` may begin there too.
    """

    root: Path
    manifest: Path
    _names: dict[tuple[Path, str], dict[str, list[str]]] = field(default_factory=dict, repr=False)
    """Folder and form → names in that form → names in the folder, of folders looked at."""

    def find(self, text: str, where: str) -> FoundAudio:
        """The file that ``text`` names, with ``where`` as its place in the manifest.

        Paths may be relative or absolute, and may have ``..``, ``~`` or links in them, as long as
        the file lies in ``root``. A name whose accents are written in the other form of Unicode is
        found too; where both are there, the exact one is taken.

        Raises DataError when there is no such file, it is no regular file, or it is outside.
        """
        what = f"{where}: '{text}'"
        wanted = self._wanted(text)
        path = self._path(wanted)
        if path is None:
            self._refuse(self.root / wanted, wanted, what)
        if not stat.S_ISREG(path.stat().st_mode):
            raise DataError(
                f"{what} is a folder, a pipe or a device; name an audio file or remove the line."
            )
        name = os.path.normpath(wanted)
        if wanted.is_absolute() or name.startswith(".."):
            name = os.path.relpath(os.path.realpath(path), self._real_root)
        return FoundAudio(path, PurePosixPath(name).with_suffix("").as_posix())

    def has(self, text: str) -> bool:
        """Whether ``text`` is the path of a file here."""
        try:
            path = self._path(self._wanted(text)) if text else None
            return path is not None and path.is_file()
        except ValueError:  # a null character
            return False

    @cached_property
    def _real_root(self) -> str:
        return os.path.realpath(self.root)

    @cached_property
    def _bases(self) -> list[Path]:
        """Where relative paths may begin, the first choice first."""
        own = dict.fromkeys((self.root, self.manifest))
        return [folder for base in own for folder in (base, base / _CLIPS)]

    def _wanted(self, text: str) -> Path:
        return self._without_root(user_path(text.replace("\\", "/")))

    def _path(self, wanted: Path) -> Path | None:
        """What is at ``wanted``, exactly or in the other form of Unicode; None for nothing."""
        exact = (path for base in self._bases if self._is_here(path := base / wanted))
        alike = (p for base in self._bases if (p := self._alike(base, wanted, _nfc)) is not None)
        return next(exact, None) or next(alike, None)

    def _without_root(self, path: Path) -> Path:
        """An absolute path that begins with ``root`` as the rest of it, whatever its accents."""
        for folder in (self.root.absolute(), Path(self._real_root)):
            count = len(folder.parts)
            if list(map(_nfc, path.parts[:count])) == list(map(_nfc, folder.parts)):
                return Path(*path.parts[count:])
        return path

    def _is_here(self, path: Path) -> bool:
        """Whether there is something at ``path``, inside the folder once links are followed."""
        try:
            path.stat()
            return Path(os.path.realpath(path)).is_relative_to(self._real_root)
        except (OSError, ValueError):
            return False

    def _alike(self, base: Path, wanted: Path, form: Callable[[str], str]) -> Path | None:
        """The one path below ``base`` whose parts are those of ``wanted`` in the same form."""
        if wanted.is_absolute():
            return None
        path = base
        for part in wanted.parts:
            below = path / part
            if not self._is_here(below):
                names = self._in_folder(path, form).get(form(part), [])
                if len(names) != 1:
                    return None
                below = path / names[0]
            path = below
        return path if self._is_here(path) else None

    def _in_folder(self, folder: Path, form: Callable[[str], str]) -> dict[str, list[str]]:
        key = (folder, form.__name__)
        if key not in self._names:
            names: dict[str, list[str]] = {}
            self._names[key] = names
            listed: Sequence[str] = ()
            if self._is_here(folder) and folder.is_dir():
                listed = sorted(os.listdir(folder))
            for name in listed:
                names.setdefault(form(name), []).append(name)
        return self._names[key]

    def _refuse(self, path: Path, wanted: Path, what: str) -> NoReturn:
        """Say why there is no file at ``path``."""
        try:
            real = Path(os.path.realpath(path))
        except ValueError:  # a null character, which no file has
            real = path
        drive = wanted.parts[:1] and wanted.parts[0].endswith(":")
        if drive or not real.is_relative_to(self._real_root):
            self._refuse_outside(path, real, what, bool(drive))
        try:
            path.stat()
        except FileNotFoundError:
            near = next(filter(None, (self._alike(b, wanted, _folded) for b in self._bases)), None)
            hint = f" (but '{near.name}': names differ in upper and lower case)" if near else ""
            raise DataError(
                f"{what}: there is no such file in '{self.root}'{hint}; add the file or correct "
                "the line."
            ) from None
        except OSError as error:
            raise DataError(
                f"{what} can't be opened ({error.strerror}); rename it or check its permissions."
            ) from error
        raise DataError(f"{what} can't be opened; rename it.")

    def _refuse_outside(self, path: Path, real: Path, what: str, drive: bool) -> NoReturn:
        inside = f"copy the audio into '{self.root}' and give paths in it"
        if drive:
            raise DataError(f"{what} leaves the folder, for it names a drive; {inside}.")
        common = Path(os.path.commonpath((real, self._real_root)))
        holder = real.parent if common == common.parent else common
        lexical = Path(os.path.normpath(path.absolute()))
        link = lexical.is_relative_to(self.root.absolute())
        raise DataError(
            f"{what} {'is a link that leaves' if link else 'leaves'} the folder '{self.root}'; "
            f"{inside}, or set dataset.audio_root to the folder of all the audio, as {holder}."
        )


def _nfc(name: str) -> str:
    return unicodedata.normalize("NFC", name)


def _folded(name: str) -> str:
    return _nfc(name).casefold()
