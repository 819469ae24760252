"""Whatever options a point has, the command that measures it again has them too."""

from __future__ import annotations

import shlex
from dataclasses import replace
from typing import Any

from hypothesis import strategies as st
from support.every_option import chosen, composed, leaves, with_value
from support.fuzzing import cases
from support.studies import TINY, record

from asr_scaling.analysis.points import to_point
from asr_scaling.analysis.recommendation.reproduce import command

PIECES = ["a", "\\", "'", '"', "${", "}", " ", "=", ",", "[", "{", "é", "\n", "1", "e", "~", "null"]
VALUES = (
    st.none()
    | st.booleans()
    | st.integers(-(10**6), 10**6)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.lists(st.sampled_from(PIECES), max_size=8).map("".join)
    | st.lists(st.integers(0, 9) | st.sampled_from(["a", "b c"]), max_size=3)
)
EVERY = [each for each in chosen() if each[:2] != ("batch", "max")]


@cases(
    "carried",
    choice=st.sampled_from(EVERY),
    changes=st.lists(st.tuples(st.integers(0, 200), VALUES), min_size=1, max_size=6),
)
def test_options_of_any_value(choice: tuple[str, str, str], changes: list[tuple[int, Any]]):
    group, name, override = choice
    config = composed(override)
    places = [place for place in leaves(config[group]) if not place.endswith(("path", "root"))]
    if group == "batch":  # the size is what was timed
        places.remove("size")
    for number, value in changes if places else ():
        config = with_value(config, f"{group}.{places[number % len(places)]}", value)
    size = config["batch"]["size"]
    point = replace(
        to_point(record(TINY, None, size)),
        config={**config, "hydra": {"choices": {group: name}}},
        batch=size,
    )
    words = shlex.split(command(point))[3:]
    sized = [f"batch.size={word[6:]}" if word[6:].isdecimal() else word for word in words]
    assert composed(*sized) == config
