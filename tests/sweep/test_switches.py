"""Options that are on or off: every way to write that is understood or refused, nowhere taken for
true because it is a text."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hydra import compose, initialize_config_dir

from asr_scaling.errors import ConfigError
from asr_scaling.sweep import config_guard
from asr_scaling.sweep.instantiate import build
from asr_scaling.util.config_dir import conf_dir, read_yaml

SWITCHES = [
    key
    for key, usual in read_yaml(conf_dir() / "config.yaml")["sweep"].items()
    if isinstance(usual, bool)
]
ON = ("yes", "on", "1", "True", "TRUE", "y", "'yes'", "'true'")
OFF = ("no", "off", "0", "False", "n", "'no'", "'false'")


@pytest.fixture(autouse=True)
def guarded() -> None:
    config_guard.guard()


def sweep(*overrides: str) -> Any:
    with initialize_config_dir(str(conf_dir().resolve()), version_base="1.3"):
        return compose("config", list(overrides)).sweep


@pytest.mark.parametrize(
    ("word", "value"), [*((word, True) for word in ON), *((word, False) for word in OFF)]
)
def test_every_way_to_write_it_on_a_command_line(word: str, value: bool):
    found = sweep(*(f"sweep.{key}={word}" for key in SWITCHES))
    assert SWITCHES
    assert all(found[key] is value for key in SWITCHES)


@pytest.mark.parametrize("written", ["yes", "'on'", "1", "'${oc.env:ASKED}'"])
def test_in_a_yaml(tmp_path: Path, written: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("ASKED", "yes")
    (tmp_path / "experiment").mkdir()
    (tmp_path / "experiment" / "mine.yaml").write_text(
        f"# @package _global_\nsweep: {{resume: {written}, selftest: 'no'}}\n"
    )
    found = sweep(f"hydra.searchpath=['file://{tmp_path}']", "experiment=mine")
    assert (found.resume, found.selftest) == (True, False)


@pytest.mark.parametrize("word", ["maybe", "2", "null", "[]", "''"])
def test_what_is_neither_is_refused(word: str):
    with pytest.raises(ConfigError, match=r"^sweep\.resume must be true or false; got .*\.$"):
        sweep(f"sweep.resume={word}")


@pytest.mark.parametrize("value", ["no", "false", 0, None])
def test_a_part_s_switch_is_no_text(value: object):
    node = {"_target_": "asr_scaling.engine.transformers.Transformers", "long_form": value}
    with pytest.raises(ConfigError, match=r"engine\.long_form must be true or false; got .*"):
        build({"engine": node})


@pytest.mark.parametrize("name", ["interleave", "rounds"])
def test_an_option_of_earlier_versions_names_the_one_there_is(tmp_path: Path, name: str):
    (tmp_path / "experiment").mkdir()
    mine = tmp_path / "experiment" / "mine.yaml"
    mine.write_text(f"# @package _global_\nsweep: {{{name}: 3}}\n")
    wanted = rf"^There is no option sweep\.{name} any more: sweep\.processes=3 measures each point"
    with pytest.raises(ConfigError, match=wanted):
        sweep(f"hydra.searchpath=['file://{tmp_path}']", "experiment=mine")
