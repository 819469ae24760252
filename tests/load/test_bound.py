"""What a bound says, and what it refuses."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr_scaling.errors import ConfigError
from asr_scaling.load.bound import Bound, Percentile, parsed, requests_needed

LIMITS = st.floats(1e-3, 1e4).map(lambda value: float(f"{value:.6g}"))
SHARES = st.integers(0, 10_000).map(lambda share: share / 10_000)
PERCENTILES = st.dictionaries(
    st.integers(500, 999).map(lambda tenths: tenths / 10), LIMITS, max_size=4
).map(lambda terms: tuple(Percentile(p, limit) for p, limit in sorted(terms.items())))


@given(PERCENTILES, st.none() | SHARES, st.none() | LIMITS)
def test_what_is_written_is_read(percentiles, errors, wer):
    if not percentiles and errors is None and wer is None:
        return
    bound = Bound(percentiles, errors, wer)
    assert parsed(str(bound)) == bound
    assert str(parsed(str(bound))) == str(bound)


@given(st.text(max_size=30))
def test_any_text_is_a_bound_or_is_refused(text):
    try:
        bound = parsed(text)
    except ConfigError:
        return
    assert parsed(str(bound)) == bound


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("p99<2s", "p99<2s"),
        ("p95<=500ms", "p95<0.5s"),
        ("p50<1", "p50<1s"),
        (" p99.9 < 2s , errors=0", "p99.9<2s,errors=0"),
        ("p99<2s,p50<100ms", "p50<0.1s,p99<2s"),
        ("errors<=1%", "errors<=1%"),
        ("errors<=0.01", "errors<=1%"),
        ("wer<=6", "wer<=6"),
        ("wer<6%", "wer<=6"),
    ],
)
def test_known_forms(text, canonical):
    assert str(parsed(text)) == canonical


@pytest.mark.parametrize(
    "text",
    [
        *("", "p99", "p99<", "p99>2s", "p49<1", "p100<1", "p99.95<1s", "p99<0", "p99<-1"),
        *("p99<2m", "p99<2s,", "p99<2s,p99<3s", "errors=0,errors=0", "errors<=101%"),
        *("wer", "latency<1", "p99<1e3"),
    ],
)
def test_what_is_refused_names_the_option(text):
    with pytest.raises(ConfigError, match=r"scenario\.bound"):
        parsed(text)


def test_the_hardest_percentile_says_how_many_requests():
    assert requests_needed(99) == 459
    assert 1 - 0.99**459 >= 0.99 > 1 - 0.99**458
    assert requests_needed(99.9) == 4603
    bound = parsed("p50<1s,p99<2s,errors=0")
    assert bound.hardest == Percentile(99.0, 2.0)
    assert bound.requests == 459
    assert parsed("errors=0").hardest is None
    assert parsed("p99<2s").percentiles[0].late_share == 0.01
