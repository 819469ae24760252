"""One YAML per public module, with exactly the options that its class has;
public modules don't know each other."""

from __future__ import annotations

import ast
import dataclasses
import importlib
from pathlib import Path

import pytest
import yaml

from asr_scaling.errors import ConfigError

ROOT = Path(__file__).parents[2]
YAMLS = sorted((ROOT / "conf" / "dataset").glob("*.yaml"))
PACKAGE = ROOT / "asr_scaling" / "dataset"
PUBLIC = {path.stem for path in PACKAGE.glob("*.py") if not path.stem.startswith("_")} - {
    "fragments"
}


def test_one_yaml_per_module():
    assert {path.stem for path in YAMLS} == PUBLIC


@pytest.mark.parametrize("path", YAMLS, ids=lambda path: path.stem)
def test_the_keys_are_the_options_and_their_defaults(path):
    keys = yaml.safe_load(path.read_text())
    module, _, name = keys.pop("_target_").rpartition(".")
    assert module == f"asr_scaling.dataset.{path.stem}"
    dataset = getattr(importlib.import_module(module), name)
    defaults = {field.name: field.default for field in dataclasses.fields(dataset)}
    assert keys == defaults
    if path.stem == "folder":
        with pytest.raises(ConfigError):
            dataset(**keys)
        keys["path"] = "/nowhere"
    made = dataset(**keys)
    assert made.name == (None if path.stem == "folder" else path.stem)
    with pytest.raises(dataclasses.FrozenInstanceError):
        made.seed = 1


@pytest.mark.parametrize("name", sorted(PUBLIC))
def test_public_modules_don_t_import_each_other(name):
    tree = ast.parse((PACKAGE / f"{name}.py").read_text())
    imported = {
        part
        for n in ast.walk(tree)
        if isinstance(n, ast.ImportFrom)
        for part in (n.module or "").split(".")[-1:]
    }
    assert not imported & (PUBLIC - {name})


def test_yamls_say_what_each_key_is():
    for path in YAMLS:
        assert path.read_text().startswith("# ")
