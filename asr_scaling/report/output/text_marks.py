"""The two marks that a report's text may have, told from the rest: ``**bold**`` and ```code```."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal

Kind = Literal["plain", "bold", "code"]
_MARKED = re.compile(r"\*\*(?P<bold>[^*\n]+)\*\*|`(?P<code>[^`\n]+)`")


def pieces(text: str) -> Iterator[tuple[Kind, str]]:
    """The pieces of ``text`` in order, without their marks; none is empty."""
    end = 0
    for match in _MARKED.finditer(text):
        if match.start() > end:
            yield "plain", text[end : match.start()]
        kind: Kind = "bold" if match["bold"] is not None else "code"
        yield kind, match[kind]
        end = match.end()
    if end < len(text):
        yield "plain", text[end:]


def heading(text: str) -> str:
    """A column's heading with a capital, but for symbols: "a", "p50"."""
    first = text.partition(" ")[0]
    symbol = len(first) == 1 or any(letter.isdigit() for letter in first)
    return text if symbol else text[:1].upper() + text[1:]


def unmarked(text: str) -> str:
    """``text`` for where nothing can be marked, as a terminal."""
    return "".join(piece for _, piece in pieces(text))
