"""Each option is checked against the type of what takes it, before anything is made of it."""

from __future__ import annotations

import sys
import types
import typing
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import fields, is_dataclass
from typing import Any, Literal, Union

from hydra.utils import get_object

from asr_scaling.core.typed_json import shown
from asr_scaling.errors import ConfigError

_WORDS: dict[Any, str] = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "text",
    type(None): "null",
}
_LISTS = (list, tuple, set, frozenset, Sequence)
_PUT_THERE = "cascade."
"""Begins the place of a module in its cascade's options; it is chosen as a group of its own."""
_QUOTED = "; quote it to have it as text, as in  '{place}=\"{value}\"'"


def check_types(node: Mapping[str, Any], where: str = "") -> None:
    """Check the options of ``node``, which are at ``where``, and of the objects below it.

    Raises ConfigError for the first option of another type than its class takes. Options of types
    that no YAML can write are left to the class.
    """
    hints = _hints(node["_target_"]) if "_target_" in node else {}
    for key, value in node.items():
        place = f"{where}.{key}" if where else str(key)
        if isinstance(value, Mapping) and (key not in hints or "_target_" in value):
            check_types(value, place.removeprefix(_PUT_THERE))
        elif key in hints and not _fits(value, hints[key]):
            text = str in _members(hints[key]) and isinstance(value, int | float)
            remedy = _QUOTED.format(place=place, value=value) if text else ""
            wanted = " or ".join(map(_words, _members(hints[key])))
            raise ConfigError(f"{place} must be {wanted}; got {shown(value)}{remedy}.")


def _hints(target: str) -> dict[str, Any]:
    """Option → type, of the dataclass that a node names."""
    made: Any = get_object(target)
    if not (isinstance(made, type) and is_dataclass(made)):
        return {}
    hints: dict[str, Any] = {}
    for base in reversed(made.__mro__):
        names = vars(sys.modules[base.__module__])
        hints |= _resolved(vars(base).get("__annotations__", {}), names)
    return {option.name: hints[option.name] for option in fields(made) if option.name in hints}


def _resolved(annotations: Mapping[str, Any], names: dict[str, Any]) -> dict[str, Any]:
    """The types, but for those whose names only a type checker imports."""
    hints: dict[str, Any] = {}
    for name, annotation in annotations.items():
        with suppress(NameError, TypeError):
            holder = types.SimpleNamespace(__annotations__={name: annotation})
            hints |= typing.get_type_hints(holder, names)
    return hints


def _members(hint: Any) -> tuple[Any, ...]:
    """The types of a union; a type alone is one."""
    union = typing.get_origin(hint) in (Union, types.UnionType)
    return typing.get_args(hint) if union else (hint,)


def _fits(value: Any, hint: Any) -> bool:
    return any(_is(value, member) for member in _members(hint))


def _is(value: Any, kind: Any) -> bool:
    origin, inner = typing.get_origin(kind) or kind, typing.get_args(kind)
    if origin is Literal:
        return value in inner
    if kind in (int, float):
        numbers = (int,) if kind is int else (int, float)
        return isinstance(value, numbers) and not isinstance(value, bool)
    if kind in _WORDS:
        return isinstance(value, kind)
    if origin in _LISTS:
        return isinstance(value, list | tuple) and all(
            _fits(entry, inner[0]) for entry in (value if inner else ())
        )
    if origin in (dict, Mapping):
        return isinstance(value, Mapping)
    return True


def _words(kind: Any) -> str:
    origin, inner = typing.get_origin(kind) or kind, typing.get_args(kind)
    if origin is Literal:
        return " or ".join(map(repr, inner))
    if origin in _LISTS:
        return f"a list of {_words(inner[0])}" if inner else "a list"
    return _WORDS.get(kind, "options" if origin in (dict, Mapping) else "something else")
