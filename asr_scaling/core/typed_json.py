"""Reads JSON that anybody may have written into dataclasses, and checks every value's type."""

from __future__ import annotations

import functools
import json
import math
import sys
import types
from collections.abc import Callable, Mapping
from dataclasses import is_dataclass
from pathlib import Path
from typing import (
    Any,
    Literal,
    NoReturn,
    TypeVar,
    Union,
    cast,
    get_args,
    get_origin,
    get_type_hints,
)

from asr_scaling.util.files import read_file

_Kind = TypeVar("_Kind")
_Reader = Callable[[Any], Any]
"""Returns the value as its field's type, or raises TypeError."""
MAX_BYTES = 64 << 20
"""A larger file with one JSON value was not written by this package."""
LARGEST = 1e100
"""No time, size or count comes near it; sums and squares of them fit in a float."""
DEEPEST = 50
"""Deeper nesting is an attack or an accident, and would exhaust Python's stack."""
_Table = Mapping[str, Any]
_GROUPS = ("batch", "dataset", "device", "engine", "model", "serving", "scenario", "sweep")
_LOOKED_UP: Mapping[str, Mapping[str, Any]] = {
    "config": {
        **dict.fromkeys(_GROUPS, _Table),
        "optimisation": _Table | tuple[str, ...] | None,
        "optimiser": _Table | None,
    },
    "dataset": {"utterances": int | None},
    "environment": {"device": _Table | None},
    "system": {
        **dict.fromkeys(("facts", "model"), _Table),
        "optimisations": tuple[str, ...],
        "memory_by_batch": tuple[_Table, ...],
        "lanes": _Table | None,
    },
}
"""Types of what reports look up in those parts of a record that are no dataclasses."""


def parse(text: bytes) -> Any:
    """The JSON value in ``text``. Raises ValueError for anything else, NaN and infinity too."""
    try:
        return json.loads(text.decode("utf-8"), parse_constant=_not_json)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def read(path: Path) -> Any:
    """The JSON value in the file ``path``. Raises OSError, and ValueError as ``parse`` does."""
    return parse(read_file(path, MAX_BYTES))


def build(kind: type[_Kind], row: Any) -> _Kind:
    """The dataclass ``kind`` from the JSON object ``row``, nested dataclasses included.

    Lists become tuples where a field is a tuple. A value that is of its field's dataclass is kept.
    Raises TypeError that names the first field whose value does not fit, is unknown or is missing.
    """
    return cast(_Kind, _reader(cast(Any, kind))(row))


def check_parts(record: Mapping[str, Any]) -> None:
    """Raises TypeError when a value of a record's JSON has another type than reports expect."""
    for part, hints in _LOOKED_UP.items():
        for name, hint in hints.items():
            if name in record[part]:
                _read_field(f"{part}.{name}", _reader(hint), record[part][name])


def number(value: Any) -> float | None:
    """``value`` when it is a number up to ``LARGEST``, None for anything else."""
    return value if type(value) in _NUMBERS and -LARGEST <= value <= LARGEST else None


def finite(value: Any) -> Any:
    """``value`` with infinite and NaN options as text, since JSON has neither."""
    if isinstance(value, Mapping):
        return {key: finite(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [finite(entry) for entry in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def shown(value: Any) -> str:
    """``value`` for an error message, at most 60 characters."""
    plain = isinstance(value, str | float | bool | None) or number(value) is not None
    text = repr(value) if plain else f"a {type(value).__name__} that can't be it"
    return text if len(text) <= 60 else f"{text[:57]}…"


class _MisfitError(TypeError):
    """A value is not of the type; ``_read_field`` adds the field's name and the value."""


def _read_field(name: str, reader: _Reader, value: Any) -> Any:
    try:
        return reader(value)
    except _MisfitError:
        raise TypeError(f"'{name}' is {shown(value)}") from None


@functools.cache
def _reader(hint: Any) -> _Reader:
    origin, inner = get_origin(hint), get_args(hint)
    if is_dataclass(hint):
        return _dataclass_reader(hint)
    if origin in (Union, types.UnionType):
        return _union_reader([_reader(option) for option in inner])
    if origin is Literal:
        return _checked(lambda value: isinstance(value, str) and value in inner)
    if origin is tuple:
        item, a_list = _reader(inner[0]), _checked(lambda value: isinstance(value, list | tuple))
        return lambda value: tuple(map(item, a_list(value)))
    if origin in (Mapping, dict):
        item, table = _reader(inner[1]), _checked(_is_table)
        return lambda value: {key: item(entry) for key, entry in table(value).items()}
    return _SPECIAL.get(hint) or _checked(lambda value: type(value) is hint)


def _dataclass_reader(kind: Any) -> _Reader:
    readers = {name: _reader(hint) for name, hint in get_type_hints(kind).items()}

    def read_row(row: Any) -> Any:
        if isinstance(row, kind):
            return row
        if not isinstance(row, Mapping):
            raise TypeError(f"{shown(row)} where a {kind.__name__.lower()} should be")
        for name in row:
            if name not in readers:
                raise TypeError(f"{shown(name)} is unknown")
        return kind(**{name: _read_field(name, readers[name], row[name]) for name in row})

    return read_row


def _union_reader(options: list[_Reader]) -> _Reader:
    def read_first(value: Any) -> Any:
        for option in options[:-1]:
            try:
                return option(value)
            except TypeError:
                continue
        return options[-1](value)

    return read_first


def _checked(test: Callable[[Any], bool]) -> _Reader:
    def read_checked(value: Any) -> Any:
        if not test(value):
            raise _MisfitError
        return value

    return read_checked


def _number_reader(kinds: frozenset[type]) -> _Reader:
    def read_number(value: Any) -> Any:
        if type(value) in kinds and -LARGEST <= value <= LARGEST:
            return value
        raise _MisfitError

    return read_number


def _is_table(value: Any) -> bool:
    return isinstance(value, dict | Mapping) and all(isinstance(key, str) for key in value)


_SIMPLE = frozenset({str, bool, type(None)})
_NUMBERS: frozenset[type] = frozenset({float, int})


def _is_tree(value: Any, depth: int = 0) -> bool:
    """Whether it is JSON with numbers that fit in a float, nested ``DEEPEST`` deep at most."""
    kind = type(value)
    if kind in _SIMPLE:
        return True
    if kind in _NUMBERS:
        return bool(abs(value) <= sys.float_info.max)
    if not isinstance(value, dict | list | tuple | Mapping) or depth >= DEEPEST:
        return False
    if isinstance(value, Mapping):
        if not _is_table(value):
            return False
        value = value.values()
    for entry in value:  # any() is half as slow again, over 10,000 records
        if type(entry) not in _SIMPLE and not _is_tree(entry, depth + 1):
            return False
    return True


_SPECIAL: Mapping[Any, _Reader] = {
    Any: _checked(_is_tree),
    float: _number_reader(_NUMBERS),
    int: _number_reader(frozenset({int})),
}


def _not_json(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
