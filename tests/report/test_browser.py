"""The page in a headless Chromium, from disk and with the network off,
as wide as a desk and as a phone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.chromium import chromium, needs_chromium
from support.pages import EVIL, document, points, table

from asr_scaling.analysis.recommendation.scenarios import Budgets
from asr_scaling.report import build
from asr_scaling.report.document import Cell, Document, Row, Section, Table

WIDTHS = {"desktop": 1280, "phone": 390}
ROWS = 1050
pytestmark = [needs_chromium, pytest.mark.slow]


class Browser:
    """A page at a width; what a reader sees of it and does to it."""

    def __init__(self, driver: Any) -> None:
        self.driver = driver

    def open(
        self,
        path: Path,
        width: int = 1280,
        hash: str = "",  # noqa: A002 (as the address calls it)
    ) -> None:
        metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        self.driver.get("about:blank")
        self.driver.get(path.as_uri() + hash)

    def run(self, script: str, *arguments: object) -> Any:
        return self.driver.execute_script(script, *arguments)

    def media(self, **features: str) -> None:
        kind = features.pop("media", "screen")
        found = [
            {"name": name.replace("_", "-"), "value": value} for name, value in features.items()
        ]
        self.driver.execute_cdp_cmd(
            "Emulation.setEmulatedMedia", {"media": kind, "features": found}
        )

    def click(self, selector: str, number: int = 0) -> None:
        self.driver.find_elements("css selector", selector)[number].click()

    def press(self, selector: str, number: int, key: str) -> None:
        self.driver.find_elements("css selector", selector)[number].send_keys(key)

    def choose(self, key: str, value: str) -> None:
        self.click(f"[data-key={key}] summary")
        self.click(f"[data-key={key}] [data-value='{value}']")
        self.click(f"[data-key={key}] summary")

    def column(self, name: str, number: int) -> list[str]:
        script = (
            "return [...document.querySelectorAll(arguments[0])].map((cell) => cell.textContent)"
        )
        return list(self.run(script, f"table[data-name={name}] tbody td:nth-child({number + 1})"))

    def marks(self) -> list[str]:
        script = (
            "return [...document.querySelectorAll('.mark')].filter((m) => m.getBBox && "
            "getComputedStyle(m).display"
        )
        return list(self.run(f"{script} !== 'none').map((m) => m.id)"))

    @property
    def sorting(self) -> list[str]:
        return list(
            self.run(
                "return [...document.querySelectorAll('[data-points] th')].map((th) => th.ariaSort)"
            )
        )

    @property
    def count(self) -> str:
        return str(self.run("return document.querySelector('.count').textContent"))

    @property
    def said(self) -> list[str]:
        """What the console has to say."""
        return [entry["message"] for entry in self.driver.get_log("browser")]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as driver:
        off = {"offline": True, "latency": 0, "downloadThroughput": 0, "uploadThroughput": 0}
        driver.execute_cdp_cmd("Network.enable", {})
        driver.execute_cdp_cmd("Network.emulateNetworkConditions", off)
        yield Browser(driver)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pages: "small" has one of everything, "long" more rows than a page shows,
    "whole" is a study's report."""
    folder = tmp_path_factory.mktemp("pages")
    found = points()
    rows = tuple(
        Row(
            (
                Cell(f"model_{i % 7} {EVIL}"),
                Cell(str(i % 3), i % 3),
                Cell(f"{-i}", -i, f"note {i}"),
            ),
            {"model": f"model_{i % 7}" if i + 1 < ROWS else "alone", "batch": str(i % 3)},
        )
        for i in range(ROWS)
    )
    long = Table("points", "All of them", table(found).columns, rows)
    for name, whole in (
        ("small", document()),
        ("long", Document("Long", "many points", (Section("points", "All points", (long,)),))),
        ("whole", build.document(found, Budgets())),
    ):
        build.write(whole, found, folder / name)
    return folder


@pytest.fixture(params=WIDTHS, scope="module")
def width(request: pytest.FixtureRequest) -> int:
    return WIDTHS[request.param]


@pytest.mark.parametrize("name", ["small", "long", "whole"])
def test_it_opens_quietly_asks_for_nothing_and_fits(
    browser: Browser, folder: Path, name: str, width: int
) -> None:
    browser.open(folder / name / "report.html", width)
    assert browser.said == []
    assert (
        browser.run("return performance.getEntriesByType('resource').map((each) => each.name)")
        == []
    )
    assert browser.run("return innerWidth") == width
    assert (
        browser.run(
            "const page = document.documentElement; return page.scrollWidth - page.clientWidth"
        )
        == 0
    )
    blocks = "[...document.querySelectorAll('main, h2, p, li, figure, .box')]"
    assert (
        browser.run(
            f"return {blocks}.filter("
            "(e) => e.getBoundingClientRect().right > innerWidth + 1).length"
        )
        == 0
    )


def test_text_from_records_is_shown_as_text(browser: Browser, folder: Path) -> None:
    browser.open(folder / "small" / "report.html")
    assert browser.driver.find_element("tag name", "h1").text == f"Report {EVIL}"
    browser.open(folder / "long" / "report.html")
    assert browser.column("points", 0)[0] == f"model_0 {EVIL}"
    assert browser.said == []


def test_a_heading_sorts_by_click_and_by_key(browser: Browser, folder: Path, width: int) -> None:
    from selenium.webdriver.common.keys import Keys

    browser.open(folder / "small" / "report.html", width)
    before, missing = browser.column("points", 2), ["–"] * 4
    numbers = [text for text in before if text != "–"]
    browser.click("[data-points] th button", 2)
    assert browser.column("points", 2) == [*numbers, *missing]
    assert browser.sorting == ["none", "none", "ascending"]
    browser.press("[data-points] th button", 2, Keys.ENTER)
    assert browser.column("points", 2) == [*numbers[::-1], *missing]
    assert browser.sorting == ["none", "none", "descending"]
    browser.press("[data-points] th button", 2, Keys.SPACE)
    assert browser.column("points", 2) == before
    browser.click("[data-points] th button", 0)
    assert browser.column("points", 0) == ["whisper_base"] * 4 + ["whisper_tiny_en"] * 4
    assert browser.sorting == ["ascending", "none", "none"]


def test_the_filter_acts_on_tables_and_figures(browser: Browser, folder: Path, width: int) -> None:
    browser.open(folder / "small" / "report.html", width)
    assert (browser.count, len(browser.marks())) == ("8 points", 20)
    browser.choose("model", "whisper_base")
    assert browser.column("points", 0) == ["whisper_base"] * 4
    assert browser.column("overview", 0) == ["whisper_base", "all"]
    assert len(browser.marks()) == 10
    browser.choose("batch", "4")
    assert (browser.count, browser.column("points", 1)) == ("2 of 8 points", ["4", "4"])
    assert len(browser.marks()) == 2 * (1 + 2)  # a line is about every batch
    assert browser.run("return location.hash") == "#model=whisper_base&batch=4"
    browser.choose("model", "whisper_tiny_en")
    assert browser.count == "4 of 8 points"
    browser.click(".reset")
    assert (browser.count, len(browser.marks())) == ("8 points", 20)
    assert browser.said == []


def test_the_filter_is_in_the_address(browser: Browser, folder: Path) -> None:
    browser.open(
        folder / "small" / "report.html", hash="#points&length=5+s&batch=1&batch=no%20such"
    )
    assert browser.count == "2 of 8 points"
    assert browser.run(
        "return document.querySelector('#points').getBoundingClientRect().top < innerHeight"
    )
    browser.click("nav a", 1)
    assert browser.run("return location.hash") == "#figures&length=5+s&batch=1"
    browser.driver.back()
    assert browser.run("return location.hash").startswith("#points&")
    assert browser.count == "2 of 8 points"


def test_a_filter_that_leaves_nothing_says_so(browser: Browser, folder: Path) -> None:
    browser.open(folder / "long" / "report.html", hash="#model=model_1&batch=0")
    assert browser.count == "50 of 1,050 points"
    browser.open(folder / "long" / "report.html", hash="#model=alone&batch=0")
    assert browser.count == "0 of 1,050 points"
    assert browser.column("points", 0) == ["No row is about what the filter shows."]


def test_a_long_table_is_shown_in_parts_and_sorted_as_a_whole(
    browser: Browser, folder: Path, width: int
) -> None:
    browser.open(folder / "long" / "report.html", width)
    assert browser.column("points", 2) == [str(-i) for i in range(200)]
    browser.click(".on")
    assert browser.column("points", 2) == [str(-i) for i in range(200, 400)]
    assert (
        browser.run("return document.querySelector('.pages span').textContent")
        == "rows 201 to 400 of 1,050"
    )
    browser.click("[data-points] th button", 2)
    assert browser.column("points", 2) == [str(i - ROWS + 1) for i in range(200)]
    browser.choose("model", "model_3")
    assert browser.count == "150 of 1,050 points"
    assert browser.column("points", 2) == [str(-i) for i in range(ROWS)[::-1] if i % 7 == 3]
    assert browser.run("return document.querySelector('.pages').hidden")
    note = "return document.querySelector('[data-points] td:nth-child(3)').title"
    assert browser.run(note) == f"note {max(i for i in range(ROWS) if i % 7 == 3)}"


def test_a_reason_can_be_had_without_a_mouse_over_it(browser: Browser, folder: Path) -> None:
    browser.open(folder / "small" / "report.html", WIDTHS["phone"])
    browser.click("td.noted")
    assert browser.run("return document.querySelector('#bubble').textContent") == "not | measured"
    browser.click("h1")
    assert browser.run("return document.querySelector('#bubble').hidden")


def test_dark_screens_and_paper(browser: Browser, folder: Path) -> None:
    browser.open(folder / "small" / "report.html")
    look = (
        "return getComputedStyle(document.querySelector(arguments[0]))"
        ".getPropertyValue(arguments[1])"
    )
    white, found = "rgb(255, 255, 255)", {}
    for scheme in ("light", "dark"):
        browser.media(prefers_color_scheme=scheme)
        found[scheme] = [
            browser.run(look, name, "background-color") for name in ("body", ".plot .box")
        ]
    assert found["light"] == [white, white]
    assert found["dark"][0] != white
    assert found["dark"][1] == white  # drawings are made for white
    browser.media(media="print", prefers_color_scheme="light")
    assert browser.run(look, "#filter", "display") == "none"
    browser.media()


def test_every_figure_of_a_report_is_drawn_and_has_a_place(browser: Browser, folder: Path) -> None:
    browser.open(folder / "whole" / "report.html")
    drawings = "[...document.querySelectorAll('.plot svg')]"
    sizes = browser.run(
        f"return {drawings}.map((drawing) => [drawing.clientWidth, drawing.clientHeight])"
    )
    assert len(sizes) >= 5
    assert all(wide > 400 and high > 150 for wide, high in sizes)
    assert browser.run("return document.querySelectorAll('main > section').length") == 7
