"""The report: whole, self-contained, safe, the same every time; and in a real browser, usable by all."""

from __future__ import annotations

import base64
import csv
import dataclasses
import io
import json
import os
import re
import shutil
from collections import Counter
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from simulated_study import write_study
from small_study import write_definition

from analysis.answer import with_code
from analysis.errors import AnalysisError
from analysis.load import load
from analysis.report.write import report
from analysis.scores import Scores
from analysis.verdict import verdict
from study.definition import file as definition_file

OF_SCORES = ["scores", "spread", "held_out", "profiles", "pairs", "ranks", "variance", "worst"]
OF_A_STUDY = ["cost", "search", "curves", "false", "images"]
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync"),
]
DESKTOP, PHONE = {"width": 1280, "height": 900}, {"width": 360, "height": 740}


class Page(HTMLParser):
    """A page's elements, as (tag, attributes) in their order, and its text outside of style."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self.open.append(tag)

    def handle_data(self, data: str) -> None:
        if self.open[-1:] != ["style"]:
            self.text += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Scores:
    """Six cells of six trials each, of two classes; simulated."""
    folder = tmp_path_factory.mktemp("report")
    settings = ["simulate=true", "grid.splits=random_0,random_1,rot_0", "search.trials=4"]
    made = definition_file.load(str(write_definition(folder)), settings)
    return load(write_study(folder / "out", made))


@pytest.fixture(scope="module")
def page(small: Scores, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return report(small, tmp_path_factory.mktemp("page") / "report.html")


@pytest.fixture(scope="module")
def html(page: Path) -> Page:
    return Page(page.read_text())


@pytest.mark.slow
def test_every_section_is_there_in_order(html: Page) -> None:
    found = [attributes["id"] for attributes in html.all("section")]
    assert found == ["verdict", *OF_SCORES, *OF_A_STUDY, "worst_images", "provenance"]
    links = [a["href"] for a in html.all("a") if (a.get("href") or "").startswith("#")]
    assert set(links) <= {f"#{name}" for name in found}
    assert len(html.all("svg")) >= 2 * 9
    assert html.text.index("In short" if "In short" in html.text else "Verdict") < html.text.index("Contents")


@pytest.mark.slow
def test_it_needs_nothing_but_itself(page: Path, html: Page) -> None:
    for _, attributes in html.elements:
        for name in ("src", "href", "xlink:href", "action", "data"):
            value = attributes.get(name) or "#"
            assert value.startswith(("#", "data:")), value
    assert html.all("script") == []
    text = page.read_text()
    assert "@import" not in text
    assert not re.search(r"url\((?!#|\"#|'#)", text)
    assert page.stat().st_size < 2_000_000


@pytest.mark.slow
def test_ids_are_unique_and_every_picture_speaks(html: Page) -> None:
    ids = Counter(attributes["id"] for _, attributes in html.elements if "id" in attributes)
    assert [name for name, count in ids.items() if count > 1] == []
    assert all(attributes.get("alt") for attributes in html.all("img"))
    assert all(attributes.get("role") == "img" and attributes.get("aria-labelledby") for attributes in html.all("svg"))


@pytest.mark.slow
def test_every_table_downloads_as_csv(html: Page) -> None:
    downloads = [a for a in html.all("a") if "download" in a]
    assert len({a["download"] for a in downloads}) == len(downloads) >= 18
    for link in downloads:
        content = base64.b64decode((link["href"] or "").partition("base64,")[2]).decode()
        rows = list(csv.reader(io.StringIO(content)))
        assert len({len(row) for row in rows}) == 1, link["download"]
    scores = next(a for a in downloads if a["download"] == "scores.csv")
    assert base64.b64decode((scores["href"] or "").partition("base64,")[2]).count(b"\n") == 1 + 6 * 4 * 2


@pytest.mark.slow
def test_the_same_scores_give_the_same_bytes(small: Scores, page: Path, tmp_path: Path) -> None:
    again = report(small, tmp_path / "other.html")
    assert again.read_bytes() == page.read_bytes()
    assert again.with_suffix(".json").read_bytes() == page.with_suffix(".json").read_bytes()


@pytest.mark.slow
def test_the_json_beside_it_has_every_table(page: Path, small: Scores) -> None:
    plain = json.loads(page.with_suffix(".json").read_text())
    assert plain["findings"][0]["question"] == "In short"
    assert list(plain["sections"]) == [*OF_SCORES, *OF_A_STUDY, "worst_images", "provenance"]
    assert len(plain["sections"]["scores"]["scores"]) == sum(small.table["averaging"] != "pooled")
    assert plain["definition"]["name"] == "small"
    assert plain["sections"]["spread"]["spread"][0]["model"] == "icnet"


@pytest.mark.slow
def test_names_from_data_stay_text(tmp_path: Path) -> None:
    paper = load("paper")
    evil = "<script>alert(1)</script>"
    table = paper.table[paper.table["split"].isin(["random_0", "rot_0"])].replace(
        {"icnet": evil, "bx": '"><img src=x>'}
    )
    table = table[(table["loss"] == "ce") & (table["model"] == evil) & (table["averaging"] == "ew")]
    scores = dataclasses.replace(paper, table=table, source="</title><b>", missing=("<i>",), failed={"t": "<u>"})
    page = Page(report(scores, tmp_path / "evil.html").read_text())
    assert page.all("script") == page.all("img") == page.all("b") == page.all("i") == page.all("u") == []
    assert evil in page.text


@pytest.mark.slow
def test_a_report_of_scores_alone_leaves_out_what_it_cannot_fill(tmp_path: Path) -> None:
    paper = load("paper")
    table = paper.table[(paper.table["averaging"] == "ew") & (paper.table["model"] == "icnet")]
    page = Page(report(dataclasses.replace(paper, table=table), tmp_path / "paper.html").read_text())
    assert [attributes["id"] for attributes in page.all("section")] == ["verdict", *OF_SCORES]


def test_on_a_page_code_is_marked_up_and_sentences_begin_with_a_capital(tmp_path: Path) -> None:
    paper = load("paper")
    table = paper.table[(paper.table["averaging"] == "ew") & (paper.table["model"] == "icnet")]
    html = report(dataclasses.replace(paper, table=table), tmp_path / "paper.html").read_text()
    assert "`" not in Page(html).text
    assert "<code>analysis compare</code>" in html
    measured = next(each for each in verdict(paper) if each.question == "What was measured?").points[0]
    assert measured.startswith("4 configurations")
    one = dataclasses.replace(paper, table=table[table["loss"] == "ce"])
    assert any(point.startswith("One configuration on") for each in verdict(one) for point in each.points)
    assert with_code("<i> `a<b>`") == "&lt;i&gt; <code>a&lt;b&gt;</code>"


def test_it_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    paper = load("paper")
    with pytest.raises(AnalysisError, match=r"ends in \.html"):
        report(paper, tmp_path / "report.pdf")
    with pytest.raises(AnalysisError, match="cannot be written"):
        report(paper, tmp_path / "no" / "such" / "folder.html")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_a_page_that_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "page.html").mkdir()
    paper = load("paper")
    table = paper.table[(paper.table["averaging"] == "ew") & (paper.table["model"] == "icnet")]
    with pytest.raises(AnalysisError, match=r"page\.html cannot be written: Is a directory"):
        report(dataclasses.replace(paper, table=table), tmp_path / "page.html")
    assert list(tmp_path.iterdir()) == [tmp_path / "page.html"]


@pytest.mark.slow
def test_without_the_data_set_pictures_are_left_out_with_the_reason(small: Scores, tmp_path: Path) -> None:
    facts = small.facts
    assert facts is not None
    gone = facts.definition.model_copy(
        update={"data": facts.definition.data.model_copy(update={"path": str(tmp_path / "gone")})}
    )
    scores = dataclasses.replace(small, facts=dataclasses.replace(facts, definition=gone))
    page = Page(report(scores, tmp_path / "r.html").read_text())
    assert "no pictures: the data set is not at hand" in page.text
    assert page.all("img") == []


@pytest.mark.slow
def test_44_cells_stay_under_10_megabytes(tmp_path: Path) -> None:
    made = definition_file.load("paper", ["simulate=true", "search.trials=2"])
    page = report(load(write_study(tmp_path / "out", made)), tmp_path / "report.html")
    assert page.stat().st_size < 10_000_000
    assert len(Page(page.read_text()).all("img")) == 4 * 6 * 3


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """A real Chromium (Debian's package `chromium`)."""
    if CHROMIUM is None:
        assert "CI" not in os.environ, "CI looks at the report in a browser"
        pytest.skip("no Chromium on this machine: apt install chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture
def open_page(browser: Any, page: Path) -> Iterator[Any]:
    """Opens the report under given conditions; at the end, no error was logged and nothing was fetched."""
    contexts, trouble = [], []

    def opened(**conditions: Any) -> Any:
        context = browser.new_context(**conditions)
        contexts.append(context)
        tab = context.new_page()
        tab.on("console", lambda message: trouble.append(message.text))
        tab.on("pageerror", lambda error: trouble.append(str(error)))
        tab.on(
            "request",
            lambda request: None if request.url.startswith(("file:", "data:")) else trouble.append(request.url),
        )
        tab.goto(page.as_uri())
        return tab

    yield opened
    for context in contexts:
        context.close()
    assert trouble == []


@pytest.mark.slow
@pytest.mark.parametrize("viewport", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_in_a_browser_nothing_sticks_out(open_page: Any, viewport: dict[str, int]) -> None:
    tab = open_page(viewport=viewport)
    for summary in tab.query_selector_all("summary"):
        summary.click()
    assert tab.evaluate("document.documentElement.scrollWidth") <= viewport["width"]
    narrow = tab.evaluate(
        "[...document.querySelectorAll('figure svg')].filter(s => s.getBoundingClientRect().width < 250).length"
    )
    assert narrow == 0
    assert tab.evaluate("[...document.images].every(image => image.naturalWidth > 0)")


@pytest.mark.slow
def test_in_a_browser_it_follows_the_dark_scheme(open_page: Any) -> None:
    colours = {}
    for scheme in ("light", "dark"):
        tab = open_page(color_scheme=scheme)
        style = "getComputedStyle(document.body)"
        text = "getComputedStyle(document.querySelector('figure svg text')).fill"
        colours[scheme] = tuple(tab.evaluate(each) for each in (f"{style}.backgroundColor", f"{style}.color", text))
    assert colours["light"][0] == "rgb(255, 255, 255)"
    assert all(light != dark for light, dark in zip(colours["light"], colours["dark"], strict=True))


@pytest.mark.slow
def test_in_a_browser_the_keyboard_reaches_and_opens_tables(open_page: Any) -> None:
    tab = open_page()
    tab.keyboard.press("Tab")
    assert tab.evaluate("document.activeElement.className") == "skip"
    tab.keyboard.press("Enter")
    assert tab.url.endswith("#verdict")
    tab.focus("#spread summary")
    assert not tab.evaluate("document.querySelector('#spread details').open")
    tab.keyboard.press("Enter")
    assert tab.evaluate("document.querySelector('#spread details').open")
    tab.keyboard.press("Tab")
    assert tab.evaluate("document.activeElement.getAttribute('role')") == "region"


@pytest.mark.slow
def test_in_a_browser_a_table_downloads(open_page: Any, tmp_path: Path) -> None:
    tab = open_page(accept_downloads=True)
    tab.click("#spread summary")
    with tab.expect_download() as download:
        tab.click("#spread a[download]")
    assert download.value.suggested_filename == "spread.csv"
    download.value.save_as(tmp_path / "spread.csv")
    assert (tmp_path / "spread.csv").read_text().startswith("model,loss,averaging,class,num_splits")


@pytest.mark.slow
def test_in_a_browser_it_prints(open_page: Any) -> None:
    tab = open_page(color_scheme="dark")
    pdf = tab.pdf()
    assert pdf.startswith(b"%PDF")
    tab.emulate_media(media="print")
    assert tab.evaluate("getComputedStyle(document.body).color") == "rgb(0, 0, 0)", "dark ink is not for paper"
    assert tab.evaluate("getComputedStyle(document.querySelector('nav')).display") == "none"
