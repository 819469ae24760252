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
    for found in _MARKED.finditer(text):
        if found.start() > end:
            yield "plain", text[end : found.start()]
        kind: Kind = "bold" if found["bold"] is not None else "code"
        yield kind, found[kind]
        end = found.end()
    if end < len(text):
        yield "plain", text[end:]


def unmarked(text: str) -> str:
    """``text`` for where nothing can be marked, as a terminal."""
    return "".join(piece for _, piece in pieces(text))
