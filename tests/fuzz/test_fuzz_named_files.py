"""Whatever option of whatever part names a file: a change of that file makes another point."""

from __future__ import annotations

import functools
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from hypothesis import strategies as st
from support.fuzzing import cases

from asr_scaling.measure.fingerprint import fingerprint
from asr_scaling.util.config_dir import conf_dir, read_yaml

_HOW_NOT_WHAT = ("hydra", "tracking", "experiment")
"""Groups that say where results go, or set options of the others."""


def options_of(node: Any, *way: str) -> Iterator[tuple[str, ...]]:
    """The way to every option of a YAML."""
    for key, value in node.items() if isinstance(node, dict) else ():
        if key != "_target_":
            yield (*way, str(key))
            yield from options_of(value, *way, str(key))


@functools.cache
def every_option() -> list[tuple[str, ...]]:
    """Group and key of every option of every YAML of the package, a new one as well."""
    found = {}
    for path in sorted(conf_dir().glob("*/*.yaml")):
        group = path.parent.name
        if group not in _HOW_NOT_WHAT:
            node = read_yaml(path)
            found |= dict.fromkeys(options_of(node, group))
            found[group, "an_option_of_tomorrow"] = None
    return list(found)


def test_the_options_are_those_of_the_package():
    assert {("dataset", "audio_root"), ("model", "hub_id")} <= set(every_option())


@functools.cache
def place() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="fuzz-")


WRITTEN: tuple[Callable[[Path], str], ...] = (
    str,
    os.path.relpath,
    lambda path: f"{path.parent}/../{path.parent.name}/{path.name}",
    lambda path: f"~/{path.relative_to(Path(place().name))}",
)
WITHIN: tuple[Callable[[str], Any], ...] = (
    lambda text: text,
    lambda text: [text],
    lambda text: {"deeper": {"still": text}},
    lambda text: [{"file": text}],
)
CHANGES: tuple[Callable[[Path], None], ...] = (
    lambda path: path.write_bytes(b"longer than before"),
    lambda path: os.utime(path, ns=(1, 1)),
    lambda path: path.unlink(),
    lambda path: path.with_name("another").write_bytes(b"x"),
)


def options(way: tuple[str, ...], value: Any) -> dict[str, Any]:
    for key in reversed(way):
        value = {key: value}
    return {"tracking": {"path": "records.jsonl"}, **value}


@cases(
    "named files",
    way=st.deferred(lambda: st.sampled_from(every_option())),
    folder=st.booleans(),
    written=st.sampled_from(WRITTEN),
    within=st.sampled_from(WITHIN),
    change=st.sampled_from(range(len(CHANGES))),
)
def test_a_changed_file_is_another_point(
    way: tuple[str, ...],
    folder: bool,
    written: Callable[[Path], str],
    within: Callable[[str], Any],
    change: int,
):
    with tempfile.TemporaryDirectory(dir=place().name) as top:
        home, os.environ["HOME"] = os.environ.get("HOME", ""), place().name
        try:
            file = Path(top) / "d" / "a.bin"
            file.parent.mkdir()
            file.write_bytes(b"x")
            chosen = options(way, within(written(file.parent if folder else file)))
            before = fingerprint(chosen, {})
            assert fingerprint(chosen, {}) == before
            if change == len(CHANGES) - 1 and not folder:
                change = 0  # a file beside the one that is named is none of its business
            CHANGES[change](file)
            assert fingerprint(chosen, {}) != before
        finally:
            os.environ["HOME"] = home
