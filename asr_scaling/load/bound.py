"""What a load has to keep: percentiles of the latency, a share of errors, a word error rate."""

from __future__ import annotations

import re
from dataclasses import dataclass

from asr_scaling.core.option_checks import must_be
from asr_scaling.core.statistics import samples_needed

_OPTION = "scenario.bound"
_FORMS = "terms between commas like p99<2s, p95<=500ms, errors=0, errors<=1% or wer<=6"
_DECIMALS = 12
"""Of a share, which is written in percent."""
_NUMBER = r"(?:\d+(?:\.\d*)?|\.\d+)"
_TERM = re.compile(
    rf"p(?P<percentile>\d\d(?:\.\d+)?)\s*<=?\s*(?P<limit>{_NUMBER})\s*(?P<unit>ms|s)?"
    rf"|errors\s*(?P<sign><=|=)\s*(?P<errors>{_NUMBER})\s*(?P<percent>%)?"
    rf"|wer\s*<=?\s*(?P<wer>{_NUMBER})\s*%?"
)


@dataclass(frozen=True)
class Percentile:
    """One percentile of the time from when a request was due to its answer.

    percentile: 50 to 99.9.
    limit_s: what it has to be within, in seconds.
    """

    percentile: float
    limit_s: float

    @property
    def late_share(self) -> float:
        """Share of the requests that may be answered later than the limit, 0…1."""
        return round(1 - self.percentile / 100, 12)

    def __str__(self) -> str:
        return f"p{_plain(self.percentile)}<{_plain(self.limit_s)}s"


@dataclass(frozen=True)
class Bound:
    """All of these are kept, or the bound is broken.

    percentiles: of the latency, from the lowest to the highest, each once.
    errors: largest share of requests without a text (failed, refused, timed out), 0…1; None: any.
    wer: largest word error rate of the texts, in percent; None: any.
    """

    percentiles: tuple[Percentile, ...] = ()
    errors: float | None = None
    wer: float | None = None

    def __post_init__(self) -> None:
        """Raises ConfigError when a term can't be kept, or none is there."""
        terms = self.percentiles or self.errors is not None or self.wer is not None
        must_be(_OPTION, "''", bool(terms), _FORMS)
        for term in self.percentiles:
            fits = 50 <= term.percentile <= 99.9
            must_be(
                _OPTION, f"p{_plain(term.percentile)}", fits, "of percentiles from p50 to p99.9"
            )
            must_be(_OPTION, str(term), term.limit_s > 0, "of limits that are more than 0 s")
        if self.errors is not None:
            fits = 0 <= self.errors <= 1
            must_be(_OPTION, f"errors={self.errors}", fits, "of error shares from 0 to 100%")
        names = [term.percentile for term in self.percentiles]
        must_be(_OPTION, str(names), len({*names}) == len(names), "of terms that are there once")

    def __str__(self) -> str:
        terms = [str(term) for term in self.percentiles]
        if self.errors is not None:
            percent = _plain(round(100 * self.errors, _DECIMALS - 2))
            terms.append(f"errors<={percent}%" if self.errors else "errors=0")
        if self.wer is not None:
            terms.append(f"wer<={_plain(self.wer)}")
        return ",".join(terms)

    @property
    def hardest(self) -> Percentile | None:
        """The percentile that needs the most requests; None where no percentile is asked for."""
        return self.percentiles[-1] if self.percentiles else None

    @property
    def requests(self) -> int:
        """Fewest requests of a load that say whether all terms are kept.

        Errors and words have no least number of their own: as many as for p95.
        """
        return requests_needed(self.hardest.percentile if self.hardest else 95.0)


def requests_needed(percentile: float) -> int:
    """Fewest requests for which the ``percentile`` (50…99.9) is reported.

    p99: 459, the smallest n with 1 - 0.99^n >= 0.99, so that the largest latency exceeds the true
    percentile at 99 %: the early-stopping rule of MLPerf LoadGen (``samples_needed``).
    """
    return samples_needed(percentile)


def parsed(text: str) -> Bound:
    """The bound that ``text`` says, as in "p99<2s, errors=0". ``<`` and ``<=`` mean the same.

    A limit without a unit is in seconds. Raises ConfigError when it says none.
    """
    percentiles, others = list[Percentile](), dict[str, float]()
    for part in text.split(","):
        match = _TERM.fullmatch(part.strip())
        must_be(_OPTION, f"'{text}'", match is not None, _FORMS)
        assert match is not None
        if match["percentile"]:
            limit = float(match["limit"]) / (1000 if match["unit"] == "ms" else 1)
            percentiles.append(Percentile(float(match["percentile"]), limit))
            continue
        name = "errors" if match["errors"] else "wer"
        must_be(_OPTION, f"'{text}'", name not in others, "of terms that are there once")
        value = float(match[name]) / (100 if match["percent"] else 1)
        others[name] = round(value, _DECIMALS) if name == "errors" else value
    percentiles.sort(key=lambda term: term.percentile)
    return Bound(tuple(percentiles), others.get("errors"), others.get("wer"))


def _plain(value: float) -> str:
    """The shortest decimal that is ``value``, without an exponent: 2, 0.5, 99.9."""
    import numpy as np

    return np.format_float_positional(value, trim="-")
