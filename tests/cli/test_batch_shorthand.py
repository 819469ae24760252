"""``batch=8`` means ``batch.size=8``; a batching strategy stays a strategy."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr_scaling.cli.sweep import batch_shorthand

sizes = st.lists(st.integers(min_value=1, max_value=10**6), min_size=1, max_size=6)


@given(sizes, st.sampled_from(["{}", "'{}'", '"{}"']))
def test_positive_integers_in_any_quotes_are_sizes(numbers: list[int], form: str) -> None:
    each = ",".join(form.format(n) for n in numbers)
    whole = form.format(",".join(map(str, numbers)))
    plain = "batch.size=" + ",".join(map(str, numbers))
    assert batch_shorthand(f"batch={each}") == plain
    assert batch_shorthand(f"batch={whole}") == plain


@pytest.mark.parametrize("value", ["range(1,17)", "choice(1,8,16)", "sort(8,1,16)"])
def test_sweep_functions_of_integers_are_sizes(value: str) -> None:
    assert batch_shorthand(f"batch={value}") == f"batch.size={value}"


@pytest.mark.parametrize("value", ["0", "-1", "1.5"])
def test_impossible_sizes_reach_the_check_that_names_them(value: str) -> None:
    assert batch_shorthand(f"batch={value}") == f"batch.size={value}"


@pytest.mark.parametrize(
    "argument",
    [
        "batch=fixed",
        "batch=fixed,bucketed",
        "batch.size=8",
        "model=whisper_tiny",
        "-m",
        "batch=",
        "batch",
    ],
)
def test_everything_else_is_left_alone(argument: str) -> None:
    assert batch_shorthand(argument) == argument
