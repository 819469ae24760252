"""The rule of decoding: its options, what they refuse, and what fails by them."""

from __future__ import annotations

from typing import Any

import pytest
from hydra.utils import instantiate
from hypothesis import given
from hypothesis import strategies as st

from asr_scaling.core.decoding import GREEDY, Decoding, decoding_name, with_decoding
from asr_scaling.errors import ConfigError
from asr_scaling.util.config_dir import conf_dir, read_yaml

NAMES = ("greedy", "beam", "fallback", "beam_fallback")


@pytest.mark.parametrize("name", NAMES)
def test_a_yaml_is_called_as_what_it_makes(name: str):
    made = instantiate(read_yaml(conf_dir() / "decoding" / f"{name}.yaml"), _convert_="all")
    assert made.name == name
    assert made.beam == (5 if "beam" in name else 1)
    assert made.falls_back == ("fallback" in name)
    assert (made == GREEDY) == (name == "greedy")
    hash(made)


def test_the_fallback_has_the_numbers_of_whispers_authors():
    made = Decoding(**_options("fallback"))
    assert made.temperatures == (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
    assert (made.compression_ratio, made.log_probability, made.no_speech) == (2.4, -1.0, 0.6)
    assert made.best_of == 5


def _options(name: str) -> dict[str, Any]:
    options = read_yaml(conf_dir() / "decoding" / f"{name}.yaml")
    return {key: value for key, value in options.items() if key != "_target_"}


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("beam", 0),
        ("beam", 2.5),
        ("beam", True),
        ("beam", "5"),
        ("best_of", 0),
        ("temperatures", []),
        ("temperatures", [0.2, 0.4]),
        ("temperatures", [0.0, 0.4, 0.2]),
        ("temperatures", [0.0, 1.5]),
        ("temperatures", [0.0, float("nan")]),
        ("temperatures", 0.0),
        ("temperatures", "0.0"),
        ("temperatures", None),
        ("temperatures", [0.0, "a"]),
        ("compression_ratio", -1),
        ("compression_ratio", "2.4"),
        ("log_probability", 1.0),
        ("log_probability", float("nan")),
        ("no_speech", 1.5),
        ("no_speech", True),
    ],
)
def test_values_that_make_no_sense_are_one_sentence(option: str, value: Any):
    with pytest.raises(ConfigError, match=rf"decoding\.{option} must be .*; got"):
        Decoding(**{option: value})


def test_what_fails():
    rule = Decoding(temperatures=[0, 1])
    assert rule.repeats("wait, " * 40)
    assert not rule.repeats("Wake me up at seven, please.")
    assert rule.improbable(-1.01)
    assert not rule.improbable(-1.0)
    assert not rule.improbable(None)
    lenient = Decoding(temperatures=[0, 1], compression_ratio=None, log_probability=None)
    assert not lenient.repeats("wait, " * 40)
    assert not lenient.improbable(-100.0)


def test_the_record_has_what_does_something():
    assert Decoding(beam=5).to_json() == {"name": "beam", "beam": 5}
    told = Decoding(temperatures=[0, 1]).to_json()
    assert told["temperatures"] == [0.0, 1.0]
    assert told["name"] == "fallback"


@given(st.dictionaries(st.sampled_from(["decoding", "engine"]), st.text(min_size=1)))
def test_records_that_do_not_say_were_greedy(choices: dict[str, str]):
    assert decoding_name({}, choices) == choices.get("decoding", "greedy")
    told = {"decoding": {"name": "beam"}}
    assert decoding_name(told, choices) == choices.get("decoding", "beam")


def test_beams_of_older_records_are_a_decoding():
    """Records from before the group had ``engine.beam``."""
    greedy = {"engine": {"_target_": "x", "beam": 1}, "seed": 1}
    assert with_decoding(greedy) == {"engine": {"_target_": "x"}, "seed": 1}
    beams = with_decoding(
        {"engine": {"beam": 5}, "hydra": {"cwd": "/", "choices": {"engine": "x"}}}
    )
    assert beams["engine"] == {}
    assert beams["decoding"] == {"beam": 5, "temperatures": [0.0]}
    assert beams["hydra"] == {"cwd": "/", "choices": {"engine": "x", "decoding": "beam"}}
    assert with_decoding({"engine": {"dtype": "int8"}}) == {"engine": {"dtype": "int8"}}
