"""From plain JSON values, which anybody may have written, to dataclasses whose fields are what their types say."""

from __future__ import annotations

import functools
import json
import math
import sys
import types
from collections.abc import Callable, Mapping
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
_Test = Callable[[Any], bool]
MAX_BYTES = 64 << 20
"""A file of one value with more is none of this package's."""
LARGEST = 1e100
"""No time, size or count comes near; sums and squares of what is below hold in a float."""
DEEPEST = 50
"""Values nested deeper than this are an attack or an accident, and end Python's stack sooner or later."""


def parse(text: bytes) -> Any:
    """The JSON value in ``text``. ValueError for anything else, NaN, infinities and endless nesting included."""
    try:
        return json.loads(text.decode("utf-8"), parse_constant=_not_json)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def read(path: Path) -> Any:
    """The JSON value in the file ``path``. OSError, ValueError as ``parse``'s."""
    return parse(read_file(path, MAX_BYTES))


def build(kind: type[_Kind], row: Any, **made: Any) -> _Kind:
    """The ``kind`` whose fields are ``row``'s values, lists made tuples, and those in ``made`` as they are.

    TypeError that names the first value that is not of its field's type, a field that is unknown or one that is needed.
    """
    if not isinstance(row, Mapping):
        raise TypeError(f"{shown(row)} where a {kind.__name__.lower()} should be")
    known, values = _fields(cast(Any, kind)), dict(row)
    for name, value in row.items():
        if name not in known:
            raise TypeError(f"{shown(name)} is unknown")
        if name in made:
            continue
        test, freeze = known[name]
        if not test(value):
            raise TypeError(f"'{name}' is {shown(value)}")
        if freeze is not None:
            values[name] = freeze(value)
    return kind(**{**values, **made})


def build_all(kind: type[_Kind], rows: Any) -> tuple[_Kind, ...]:
    """A ``kind`` of each of ``rows``. TypeError."""
    if not isinstance(rows, list | tuple):
        raise TypeError(f"{shown(rows)} where a list should be")
    return tuple(build(kind, row) for row in rows)


def fits(value: Any, hint: Any) -> bool:
    """Whether ``value`` is of the type ``hint``: numbers of a sensible size, and nowhere nested too deeply."""
    return _test(hint)(value)


def number(value: Any) -> float | None:
    """``value`` where it is a number of a sensible size, None where it is anything else."""
    return value if _is_number(value) else None


def finite(value: Any) -> Any:
    """JSON has no infinity: an option that is infinite is stored as its name."""
    if isinstance(value, Mapping):
        return {key: finite(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [finite(entry) for entry in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def shown(value: Any) -> str:
    """``value`` for a sentence, cut where it is long."""
    plain = isinstance(value, str | float | bool | None) or (
        isinstance(value, int) and _is_number(value)
    )
    text = repr(value) if plain else f"a {type(value).__name__} that can't be it"
    return text if len(text) <= 60 else f"{text[:57]}…"


@functools.cache
def _fields(kind: Any) -> dict[str, tuple[_Test, Callable[[Any], Any] | None]]:
    """Field → whether a value is of its type, and what makes tuples of its lists."""
    return {name: (_test(hint), _freezer(hint)) for name, hint in get_type_hints(kind).items()}


def _freezer(hint: Any) -> Callable[[Any], Any] | None:
    if get_origin(hint) is tuple:
        return tuple
    if get_origin(hint) is Mapping and get_origin(get_args(hint)[1]) is tuple:
        return lambda value: {key: tuple(each) for key, each in value.items()}
    return None


@functools.cache
def _test(hint: Any) -> _Test:
    origin, inner = get_origin(hint), get_args(hint)
    if hint is Any or hint is float:
        return _is_tree if hint is Any else _is_number
    if origin in (Union, types.UnionType):
        tests = [_test(each) for each in inner]
        return lambda value: any(test(value) for test in tests)
    if origin is Literal:
        return lambda value: isinstance(value, str) and value in inner
    if origin is tuple:
        each = _test(inner[0])
        return lambda value: isinstance(value, list | tuple) and all(map(each, value))
    if origin is Mapping:
        each = _test(inner[1])
        return lambda value: _is_table(value) and all(map(each, value.values()))
    return lambda value: type(value) is hint and (hint is not int or _is_number(value))


def _is_number(value: Any) -> bool:
    """A number of a size that can be added up and squared."""
    return type(value) in (float, int) and -LARGEST <= value <= LARGEST


def _is_table(value: Any) -> bool:
    return isinstance(value, dict | Mapping) and all(isinstance(key, str) for key in value)


_SIMPLE = frozenset({str, bool, type(None)})
_NUMBERS = frozenset({float, int})


def _is_tree(value: Any, depth: int = 0) -> bool:
    kind = type(value)
    if kind in _SIMPLE:
        return True
    if kind in _NUMBERS:
        return bool(abs(value) <= sys.float_info.max)  # an option may be anything a float can hold
    if not isinstance(value, dict | list | tuple | Mapping) or depth >= DEEPEST:
        return False
    if isinstance(value, Mapping):
        if not _is_table(value):
            return False
        value = value.values()
    for each in value:  # noqa: SIM110 (a generator costs half as much again, in ten thousand records)
        if type(each) not in _SIMPLE and not _is_tree(each, depth + 1):
            return False
    return True


def _not_json(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
