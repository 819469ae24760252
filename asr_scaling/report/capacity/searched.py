"""What a search for the way to serve says of itself."""

from __future__ import annotations

from asr_scaling.search.serving.outcome import Left, Outcome

_MOST = 8
"""Ways that were not searched of which a line says why; the file has all."""


def how_searched(found: Outcome) -> list[str]:
    """How many ways were tried in which time, and why some were not searched; a line each."""
    lines = [
        f"{len(found.ceilings)} ways to serve were tried with clients that always wait, and of "
        f"{len(found.highest)} the highest rate was searched, in {found.spent_s / 60:.1f} of "
        f"{found.minutes:g} minutes."
    ]
    tried = {trial.way for trial in found.highest}
    lines += [_said(each, each.way in tried) for each in found.left[:_MOST]]
    more = len(found.left) - _MOST
    return [*lines, *([f"{more} more are in serving.json."] if more > 0 else [])]


def _said(left: Left, tried: bool) -> str:
    """tried: whether its highest rate was searched, and not found."""
    what = "No rate was found" if tried else "Not searched"
    return f"{what}: {left.way.label}; {left.why.rstrip('.')}."
