"""Draw ``docs/architecture.svg``: the package's parts in their layers, from the folders themselves.

    python scripts/draw_architecture.py

A test draws it again and compares, so the picture is always that of the code.
"""

from __future__ import annotations

import ast
import textwrap
from html import escape
from pathlib import Path

from asr_scaling.util.layers import LAYERS, MEASURING

ROOT = Path(__file__).resolve().parents[1]
PICTURE = ROOT / "docs" / "architecture.svg"
WIDTH = 1040
GAP = 12
LEFT = 24
LINE = 15
BODY = "font-family='sans-serif' font-size='11.5' fill='#333'"
HEAD = "font-family='sans-serif' font-size='14' font-weight='bold' fill='#111'"


def purpose(part: str) -> str:
    """What the first sentence of a part says it holds;
    of its folder's docstring, or its module's."""
    folder = ROOT / "asr_scaling" / part
    path = folder / "__init__.py" if folder.is_dir() else folder.with_suffix(".py")
    text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return (
        text.partition("\n\n")[0]
        .replace("\n", " ")
        .replace("``", "")
        .partition(". ")[0]
        .rstrip(".")
    )


def box(part: str, lines: list[str], left: float, top: int, size: str) -> list[str]:
    """One part: a rectangle of ``size``, its name, and in ``lines`` what it holds."""
    color = "#dbeafe" if part in MEASURING else "#f3f4f6"
    return [
        f"<rect x='{left:g}' y='{top}' {size} rx='6' fill='{color}' stroke='#9ca3af'/>",
        f"<text x='{left + 8:g}' y='{top + 19}' {HEAD}>{escape(part)}</text>",
        *(
            f"<text x='{left + 8:g}' y='{top + 36 + number * LINE}' {BODY}>{escape(line)}</text>"
            for number, line in enumerate(lines)
        ),
    ]


def picture() -> str:
    """The whole picture as SVG: what starts a program at the top,
    what everything needs at the bottom."""
    drawn = [
        f"<text x='{LEFT}' y='26' {BODY}>A part imports from rows below its own, and from nothing "
        "else. Blue: its source shapes a measurement, so it is part of a point's "
        "fingerprint.</text>"
    ]
    top = 42
    for row in reversed(LAYERS[:-1]):
        width = (WIDTH - 2 * LEFT - GAP * (len(row) - 1)) / len(row)
        texts = [textwrap.wrap(purpose(part), int((width - 16) / 6)) for part in row]
        height = 30 + LINE * max(map(len, texts))
        for column, (part, lines) in enumerate(zip(row, texts, strict=True)):
            left, size = LEFT + column * (width + GAP), f"width='{width:g}' height='{height}'"
            drawn += box(part, lines, left, top, size)
        top += height + GAP
    size = f"width='{WIDTH}' height='{top + GAP}'"
    head = f"<svg xmlns='http://www.w3.org/2000/svg' {size} viewBox='0 0 {WIDTH} {top + GAP}'>"
    return "\n".join([head, f"<rect {size} fill='white'/>", *drawn, "</svg>", ""])


if __name__ == "__main__":
    PICTURE.write_text(picture(), encoding="utf-8")
