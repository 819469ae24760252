"""A point's options hold what its optimisations need, as if that had been chosen too."""

from __future__ import annotations

from typing import Any

import pytest
from support.every_option import composed

from asr_scaling.sweep.instantiate import build_system, with_needs

LOOP = "optimisation=[decode_loop,dynamic_window]"


def options(*overrides: str) -> dict[str, Any]:
    return composed("model=whisper_tiny_en", "engine=transformers", *overrides)


def test_listed_or_not_the_options_are_the_same() -> None:
    found = with_needs(options("optimisation=[dynamic_window]"))
    assert [*found["optimisation"]] == ["decode_loop", "dynamic_window"]
    assert found == with_needs(options(LOOP)) == options(LOOP)
    assert build_system(found).composed().applied == ("decode_loop", "dynamic_window")


def test_the_order_in_which_they_are_listed_leaves_no_trace() -> None:
    there = with_needs(options("optimisation=[int8,fused]"))
    back = with_needs(options("optimisation=[fused,int8]"))
    assert [*there["optimisation"]] == [*back["optimisation"]] == ["fused", "int8"]


def test_an_option_of_what_is_chosen_stays() -> None:
    found = with_needs(
        options("optimisation=[dynamic_window]", "optimisation.dynamic_window.margin_s=6")
    )
    assert found["optimisation"]["dynamic_window"]["margin_s"] == 6


@pytest.mark.parametrize(
    "overrides",
    [
        ("optimisation=[]",),
        ("optimisation=[dynamic_window]", "engine=openvino"),
        ("optimisation=[dynamic_window]", "engine.decode=loop"),
        ("optimisation=[dynamic_window]", "engine.dtype=float31"),
    ],
    ids=["none", "another engine", "set by the user", "can't be built"],
)
def test_where_nothing_is_needed_nothing_changes(overrides: tuple[str, ...]) -> None:
    plain = options(*overrides)
    assert with_needs(plain) == plain
