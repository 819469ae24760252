"""An option of another type than its class takes is one sentence, whatever the group."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pytest
from hydra import compose, initialize_config_dir

from asr_scaling.errors import ConfigError
from asr_scaling.sweep.instantiate import build_job, options
from asr_scaling.sweep.option_types import check_types
from asr_scaling.util.config_dir import conf_dir

GROUPS = ("batch", "dataset", "decoding", "device", "engine", "model", "tracking")
LISTS = ("optimisation", "profiler")


@dataclass
class Taker:
    whole: int = 1
    share: float = 1.0
    switch: bool = False
    word: str = ""
    maybe: float | None = None
    words: Sequence[str] = ()
    table: Mapping[str, Any] | None = None
    choice: Literal["a", "b"] = "a"
    place: Path | None = None


TARGET = f"{__name__}.Taker"


@pytest.fixture(autouse=True)
def _named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("asr_scaling.sweep.option_types.get_object", lambda name: Taker)


@pytest.mark.parametrize(
    ("key", "value", "wanted"),
    [
        ("whole", 1.5, "a whole number; got 1.5"),
        ("whole", True, "a whole number; got True"),
        ("whole", None, "a whole number; got None"),
        ("share", "abc", "a number; got 'abc'"),
        ("switch", "yes", "true or false; got 'yes'"),
        ("switch", 1, "true or false; got 1"),
        ("word", None, "text; got None"),
        ("word", 7, "text; got 7; quote it to have it as text, as in  'part.word=\"7\"'"),
        ("maybe", [1], "a number or null; got a list that can't be it"),
        ("words", "int8", "a list of text; got 'int8'"),
        ("words", [1], "a list of text; got a list that can't be it"),
        ("table", 3, "options or null; got 3"),
        ("choice", "c", "'a' or 'b'; got 'c'"),
    ],
)
def test_another_type(key: str, value: Any, wanted: str):
    with pytest.raises(ConfigError) as caught:
        check_types({"part": {"_target_": TARGET, key: value}})
    assert str(caught.value) == f"part.{key} must be {wanted}."


@pytest.mark.parametrize(
    "values",
    [
        {"whole": 3, "share": 2, "switch": True, "word": "x", "maybe": None},
        {"maybe": 0.5, "words": ["a"], "table": {"a": [1]}, "choice": "b", "place": "here"},
        {"unknown": object()},  # the class itself refuses it, or takes it
    ],
)
def test_what_fits(values: dict[str, Any]):
    node = {"_target_": TARGET, **values}
    assert check_types({"part": node, "list": {"inner": node}}) is None


@pytest.fixture
def composed(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.undo()
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        yield lambda *overrides: options(compose("config", list(overrides)))


def test_every_yaml_fits_what_it_names(composed: Any):
    """Whoever adds an option to a class learns here that its YAML writes another type."""
    fitting = 0
    for group in sorted(conf_dir().iterdir()):
        if group.name not in (*GROUPS, *LISTS, "experiment"):
            continue
        for file in sorted(group.glob("*.yaml")):
            choice = f"[{file.stem}]" if group.name in LISTS else file.stem
            plain = composed(f"{group.name}={choice}")
            check_types({key: value for key, value in plain.items() if isinstance(value, dict)})
            fitting += 1
    assert fitting > 60


def leaves(node: Mapping[str, Any], place: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for key, value in node.items():
        if isinstance(value, Mapping):
            yield from leaves(value, (*place, key))
        elif not key.startswith("_"):
            yield (*place, key)


def refusal(plain: dict[str, Any]) -> str:
    """Why these options make no job; empty where they do. Any other error is one of the test."""
    try:
        build_job(plain)
    except ConfigError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("value", [{"a": 1}, [[]], "no such word", -1.5, True, None, 7])
def test_any_value_of_any_option_is_taken_or_refused_in_one_sentence(composed: Any, value: Any):
    """Every leaf of a point's options, one after another."""
    plain = composed("tracking=jsonl", "optimisation=[int8,keep_heap]", "profiler=all")
    tried = 0
    for place in leaves({key: plain[key] for key in plain if key != "sweep"}):
        changed = copy.deepcopy(plain)
        node = changed
        for key in place[:-1]:
            node = node[key]
        node[place[-1]] = value
        told = refusal(changed)
        assert "not supported between" not in told, place
        assert "\n" not in told, place
        tried += 1
    assert tried > 60
