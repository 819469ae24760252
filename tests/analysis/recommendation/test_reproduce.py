"""The command that measures a point again carries every option that shaped the point."""

from __future__ import annotations

import os
import re
import shlex
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.every_option import chosen, composed, groups, leaves, other, with_value
from support.studies import TINY, record

from asr_scaling.analysis.points import Point, to_point
from asr_scaling.analysis.recommendation.reproduce import PATHS, command
from asr_scaling.cli.sweep import batch_shorthand
from asr_scaling.util.config_dir import conf_dir

EVERY = list(chosen())
PIECES = ["a", "\\", "'", '"', "${", "}", "$", " ", "=", ",", "[", "]", "{", "é", "\n", "1", "e"]
PIECES += ["~", "#", ":", "/", "null", "\\'", "--", "*", "(", ")", "日本", "\u0301"]
TEXTS = st.lists(st.sampled_from(PIECES), max_size=9).map("".join) | st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12
)


def pointed(config: dict[str, Any], **choices: str) -> Point:
    """A point that was measured with these options."""
    batch = config["batch"].get("size", 8)
    kept = {**config, "hydra": {"choices": choices, "cwd": "/work of mine"}}
    return replace(to_point(record(TINY, None, batch)), config=kept, batch=batch)


def again(point: Point) -> dict[str, Any]:
    """The options that the point's command composes to, through the shell's rules and Hydra's."""
    words = shlex.split(command(point))[3:]
    return composed(*map(batch_shorthand, words))


class TestEveryOption:
    @pytest.mark.parametrize(
        ("group", "name", "override"), EVERY, ids=[override for _, _, override in EVERY]
    )
    def test_of_every_choice_is_carried(self, group: str, name: str, override: str) -> None:
        usual = composed(override)
        config = {**usual, group: other(usual[group])}
        if group == "batch" and name == "max":
            config["batch"].pop("size", None)
        found = again(pointed(config, **{group: name}))
        assert _without_paths(found) == _without_paths(config)

    def test_outside_groups_is_carried(self) -> None:
        usual = composed()
        own = [key for key in usual if key not in groups()]
        assert {"seed", "pipeline"} <= set(own)
        config = {**usual, **{key: other(usual[key]) for key in own}}
        for key in leaves({key: usual[key] for key in own if not isinstance(usual[key], dict)}):
            config = _following(config, key)
        assert again(pointed(config)) == config

    def test_that_an_own_yaml_added_is_carried(self) -> None:
        config = with_value(composed(), "dataset.accent", "scots")
        assert "+dataset.accent=scots" in command(pointed(config, dataset="demo"))
        assert again(pointed(config, dataset="demo")) == config

    def test_a_list_of_profilers_is_carried(self) -> None:
        config = composed("profiler=[latency,quality]")
        assert "profiler=[latency,quality]" in shlex.split(command(pointed(config)))
        assert again(pointed(config)) == config


class TestPaths:
    @settings(max_examples=25, deadline=None)
    @given(texts=st.lists(TEXTS, min_size=8, max_size=8))
    def test_any_text_survives_the_shell_and_hydra(self, texts: list[str]) -> None:
        config = composed("dataset=librispeech")
        places = [place for place in leaves(config["dataset"]) if place != "path"]
        for place, text in zip(places, texts, strict=False):
            # OmegaConf's word for a value that is missing, and the home folder
            if text != "???" and not text.startswith("~"):
                config = with_value(config, f"dataset.{place}", text)
        assert again(pointed(config, dataset="librispeech")) == config

    @pytest.mark.parametrize(
        ("path", "whole"),
        [
            ("ckpt", "/work of mine/ckpt"),
            ("/data/a=b", "/data/a=b"),
            ("~/weights", "~/weights"),
            (None, None),
        ],
    )
    def test_a_relative_path_begins_where_it_was_measured(
        self, path: str | None, whole: str | None
    ) -> None:
        config = with_value(composed(), "model.path", path)
        found = again(pointed(config))["model"]["path"]
        assert found == whole or found == os.path.expanduser(str(whole))

    def test_each_of_a_list_of_paths_does(self) -> None:
        config = with_value(composed("dataset=librispeech"), "dataset.path", ["a.parquet", "/b"])
        found = again(pointed(config, dataset="librispeech"))
        assert found["dataset"]["path"] == ["/work of mine/a.parquet", "/b"]

    def test_every_option_that_holds_a_path_is_known(self) -> None:
        """Its comment in the YAML says so."""
        says = re.compile(r"^ *(\w+): null +# (?:the |a )?(?:\w+ )?(?:folder|file)\b", re.MULTILINE)
        texts = [path.read_text(encoding="utf-8") for path in conf_dir().rglob("*.yaml")]
        named = {name for text in texts for name in says.findall(text)}
        assert named == set(PATHS)


def _following(config: dict[str, Any], key: str) -> dict[str, Any]:
    """Options of groups that stand for the option ``key``, as ``engine.seed`` for ``seed``."""
    changed = composed(f"{key}=123456")
    for place in leaves(changed):
        at: Any = changed
        for part in place.split("."):
            at = at[part]
        if at == 123456 and place != key:
            config = with_value(config, place, config[key])
    return config


def _without_paths(config: Any) -> Any:
    """Without the folder that relative paths begin at."""
    if isinstance(config, dict):
        return {key: _without_paths(value) for key, value in config.items()}
    return config.removeprefix("/work of mine/") if isinstance(config, str) else config
