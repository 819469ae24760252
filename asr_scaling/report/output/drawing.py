"""How figures look: one colour and marker a system, direct labels, axes in plain numbers.

Colours are those of Okabe & Ito (Color Universal Design, 2008), which people with any colour vision
tell apart; markers and line styles say the same again.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from asr_scaling.analysis.points import Point
from asr_scaling.report.document import Figure, Keys, Mark

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#5B5B5B", "#A89A00")
"""Okabe & Ito's, the yellow darkened to be seen on white."""
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "h")
LINES = ("-", "--", ":", "-.")
INK, PALE = "#222222", "#B8B8B8"
_LABEL_PT = 8.5
_WIDTH = 7.2
"""Of every figure, in inches."""
_ROW_LETTERS, _UNEVEN = 56, 12
"""Letters of a row's name in one line, and by how many the first of two may be the longer one."""


def row_name(name: str) -> str:
    """The name of a row, a long one in two lines, which leave room for what is drawn beside it."""
    width = max(_ROW_LETTERS, len(name) // 2 + _UNEVEN)
    return textwrap.fill(name, width, break_long_words=False, break_on_hyphens=False)


@dataclass(frozen=True)
class Style:
    """What systems and devices look like in every figure of a report."""

    systems: tuple[str, ...]
    """All of the report, smallest model first."""
    devices: tuple[str, ...] = ("cpu",)
    """In the order they were met; the first has solid lines."""

    @classmethod
    def of(cls, points: Iterable[Point]) -> Style:
        """The style of a report on ``points``."""
        points = list(points)
        sizes = {point.system: (point.parameters or 0, point.system) for point in points}
        devices = tuple(dict.fromkeys(point.device for point in points))
        return cls(tuple(sorted(sizes, key=lambda system: sizes[system])), devices or ("cpu",))

    def colour(self, system: str) -> str:
        """Of its lines and markers."""
        return PALETTE[self.systems.index(system) % len(PALETTE)]

    def marker(self, system: str) -> str:
        """After eight systems colours come again, with another marker."""
        number = self.systems.index(system)
        return MARKERS[(number + number // len(PALETTE)) % len(MARKERS)]

    def line(self, device: str) -> str:
        """Line style of a device."""
        return LINES[self.devices.index(device) % len(LINES)]


@dataclass
class FigureBuilder:
    """A figure being drawn: ``axes`` are matplotlib's, row by row.

    height: in inches.
    shares: of the height, by row.
    """

    name: str
    columns: int = 1
    rows: int = 1
    height: float = 4.3
    shares: tuple[float, ...] | None = None
    axes: list[Axes] = field(init=False)
    _drawing: Any = field(init=False)
    _marks: dict[str, Mark] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        from matplotlib.figure import Figure as Drawing

        self._drawing = Drawing(figsize=(_WIDTH, self.height), layout="constrained")
        grid = self._drawing.subplots(
            self.rows, self.columns, squeeze=False, height_ratios=self.shares
        )
        self.axes = list(grid.flat)
        for axes in self.axes:
            axes.spines[["top", "right"]].set_visible(False)
            axes.spines[["left", "bottom"]].set_color(PALE)
            axes.tick_params(colors=INK, labelsize=_LABEL_PT, width=0.6)
            axes.grid(color="#E6E6E6", linewidth=0.6)
            axes.set_axisbelow(True)

    def mark(self, artist: Any, keys: Keys, title: str = "") -> None:
        """Say what a drawn thing is about, part by part where it is several."""
        from matplotlib.container import ErrorbarContainer

        if isinstance(artist, ErrorbarContainer):
            line, caps, bars = artist.lines
            self.mark([line, *caps, *bars], keys, title)
        elif isinstance(artist, (list, tuple)):
            for part in artist:
                self.mark(part, keys, title)
        elif artist is not None:
            gid = f"{self.name}-{len(self._marks)}"
            artist.set_gid(gid)
            self._marks[gid] = Mark(keys, title)

    def titles(self, axes: Axes, x: str, y: str, title: str = "") -> None:
        """Names of both axes with their units, and what the panel shows."""
        axes.set_xlabel(x, fontsize=9, color=INK)
        axes.set_ylabel(y, fontsize=9, color=INK)
        if title:
            axes.set_title(title, fontsize=9.5, color=INK, loc="left", fontweight="bold")

    def octaves(self, axes: Axes, which: str, values: Sequence[float]) -> None:
        """A logarithmic axis with ticks at ``values``, written as plain numbers."""
        from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

        axis = axes.xaxis if which == "x" else axes.yaxis
        (axes.set_xscale if which == "x" else axes.set_yscale)("log", base=2)
        axis.set_major_locator(FixedLocator(sorted(set(values))))
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axis.set_minor_locator(NullLocator())

    def label_ends(self, axes: Axes, labels: Sequence[tuple[float, float, str, str]]) -> None:
        """Texts (x, y, text, colour) to the right of line ends, moved apart where they overlap.

        Call it last: it reads the axes' limits.
        """
        if not labels:
            return
        self._drawing.canvas.draw()  # the layout must be settled: places are found in pixels
        wanted = [axes.transData.transform((x, y))[1] for x, y, _, _ in labels]
        order = sorted(range(len(labels)), key=lambda i: wanted[i])
        room = 1.25 * _LABEL_PT * self._drawing.dpi / 72
        places = dict(zip(order, _apart([wanted[i] for i in order], room), strict=True))
        for i, (x, y, text, colour) in enumerate(labels):
            shift = (places[i] - wanted[i]) * 72 / self._drawing.dpi
            axes.annotate(
                text,
                (x, y),
                xytext=(7, shift),
                textcoords="offset points",
                fontsize=_LABEL_PT,
                color=colour,
                va="center",
                annotation_clip=False,
            )

    def figure(self, caption: str, alt: str) -> Figure:
        """The finished figure."""
        return Figure(self.name, caption, alt, self._drawing, dict(self._marks))


def _apart(places: Sequence[float], room: float) -> list[float]:
    """``places``, ascending, moved as little as needed so that neighbours are ``room`` apart.

    Groups that touch are merged and centred on the mean of what they want (pool adjacent
    violators).
    """
    groups: list[tuple[float, int]] = []  # (centre wanted, members)
    for place in places:
        centre, size = place, 1
        while groups and centre - groups[-1][0] < room * (size + groups[-1][1]) / 2:
            before, members = groups.pop()
            centre = (before * members + centre * size) / (members + size)
            size += members
        groups.append((centre, size))
    return [centre + room * (k - (size - 1) / 2) for centre, size in groups for k in range(size)]
