"""Drawings as SVG: files of their own, and parts of a page whose marks say what they are about."""

from __future__ import annotations

import io
import re
from xml.etree import ElementTree as ET  # only what matplotlib wrote is parsed

from asr_scaling.report.document import Figure, Mark, attributes

_SVG, _HREF = "http://www.w3.org/2000/svg", "{http://www.w3.org/1999/xlink}href"
_NOT_IN_A_PAGE = (f"{{{_SVG}}}metadata", f"{{{_SVG}}}style")
"""What is about the file, and a style sheet that would apply to the whole page."""
_REFERENCE = re.compile(r"url\(#([^)]+)\)")
_FONTS = re.compile(r"\s*font-family:[^;]*;?")
_LONG = re.compile(r"(\.\d\d)\d+")
"""Decimals finer than can be seen."""


def drawn(figure: Figure) -> str:
    """The drawing as the text of an SVG file; the same drawing gives the same text. Letters stay
    letters.
    """
    import matplotlib as mpl

    out = io.StringIO()
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": figure.name}):
        figure.drawing.savefig(out, format="svg", metadata={"Date": None, "Creator": None})
    return out.getvalue()


def inlined(svg: str, figure: Figure) -> str:
    """``svg``, the text of ``drawn``, as an element of a page with other drawings and own fonts.

    What a mark is about becomes attributes of its group, ``data-model`` and so on, and its title a
    tooltip. Marks keep their ids; other ids in use begin with the figure's name.
    """
    ET.register_namespace("", _SVG)
    root = ET.fromstring(svg)
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag in _NOT_IN_A_PAGE:
                parent.remove(child)
    values = (value for element in root.iter() for value in element.attrib.values())
    used = {name for value in values for name in _named(value)}
    for element in list(root.iter()):
        _shorten(element)
        mark = figure.marks.get(element.get("id", ""))
        _rename(element, figure.name, used, is_mark=mark is not None)
        if mark is not None:
            _say(element, mark)
    for size in ("width", "height"):
        root.attrib.pop(size, None)  # the page decides; the view box keeps the proportions
    root.attrib |= {"role": "img", "aria-label": figure.alt}
    return ET.tostring(root, encoding="unicode")


def _named(value: str) -> list[str]:
    """The ids that an attribute refers to."""
    return [value[1:]] if value.startswith("#") else _REFERENCE.findall(value)


def _rename(element: ET.Element, name: str, used: set[str], *, is_mark: bool) -> None:
    own = element.get("id")
    if own is not None and not is_mark:
        del element.attrib["id"]
        if own in used:
            element.set("id", f"{name}--{own}")
    if _HREF in element.attrib:
        element.set("href", f"#{name}--{element.attrib.pop(_HREF)[1:]}")
    for key, value in element.attrib.items():
        if "url(#" in value:
            element.set(key, _REFERENCE.sub(rf"url(#{name}--\1)", value))


def _say(group: ET.Element, mark: Mark) -> None:
    group.set("class", "mark")
    group.attrib |= attributes(mark.keys)
    if mark.title:
        title = ET.Element(f"{{{_SVG}}}title")
        title.text = mark.title
        group.insert(0, title)


def _shorten(element: ET.Element) -> None:
    """Half the size of a page is drawings."""
    for key in ("d", "x", "y"):
        if key in element.attrib:
            element.set(key, _LONG.sub(r"\1", " ".join(element.attrib[key].split())))
    if "style" in element.attrib:
        element.set("style", _FONTS.sub("", element.attrib["style"]))
    element.text = element.text if (element.text or "").strip() else None
    element.tail = element.tail if (element.tail or "").strip() else None
