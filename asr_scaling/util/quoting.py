"""Texts as Hydra's command line takes them."""

from __future__ import annotations

import re


def quoted(text: str) -> str:
    """``text`` in quotes, which Hydra's parser reads as it is.

    Its grammar: backslashes before a quote are doubled, and the quote has one of its own.
    """
    return "'" + re.sub(r"(\\*)('|\Z)", lambda m: 2 * m[1] + ("\\'" if m[2] else ""), text) + "'"
