"""The documentation site: its pages follow the code, and it is built without a network and without a warning."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest
import yaml
from pages import DOCS
from small_study import ROOT, environment

from study.results.columns import ABOUT, COLUMNS
from study.results.schemas import SCHEMAS

sys.path.insert(0, str(DOCS / "site"))
import pages_from_code

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
NO_NETWORK = dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), "http://127.0.0.1:9")


@pytest.mark.parametrize("name", sorted(pages_from_code.pages()))
def test_reference_is_what_the_code_says(name: str) -> None:
    """To bring it up to date: python docs/site/pages_from_code.py"""
    assert (DOCS / "reference" / name).read_text(encoding="utf-8") == pages_from_code.pages()[name]


def test_every_column_has_its_sentence() -> None:
    assert {table: set(schema.names) for table, schema in SCHEMAS.items()} == {
        table: set(columns) for table, columns in COLUMNS.items()
    }
    assert ABOUT.keys() == SCHEMAS.keys() == set(pages_from_code.TABLES_IN_ORDER)
    sentences = [text for columns in COLUMNS.values() for text in columns.values()]
    assert all(re.fullmatch(r".{5,}\.", sentence) for sentence in sentences)


def test_everything_in_the_python_reference_is_explained() -> None:
    page = pages_from_code.python_page()
    assert not re.search(r"\|\s*\|$", page, re.MULTILINE), "an attribute without a word"
    assert not re.search(r"```\n\n(?=\n|#|\*\*|$)", page), "a function without a docstring"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built as CI does, where possible in a namespace that has no network."""
    folder = tmp_path_factory.mktemp("site")
    alone = ["unshare", "--map-root-user", "--net"]
    can = shutil.which("unshare") and subprocess.run([*alone, "true"], capture_output=True).returncode == 0
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    variables = environment(NO_MKDOCS_2_WARNING="1", **NO_NETWORK)
    done = subprocess.run([*alone * bool(can), *command], cwd=ROOT, env=variables, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "WARNING" not in done.stdout + done.stderr
    return folder


class _Fetched(HTMLParser):
    """What a browser fetches of a page by itself: not the links that a reader may follow."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        names = () if tag == "a" or given.get("rel") == "canonical" else ("src", "href", "srcset", "data", "poster")
        self.found += [value for name in names if (value := given.get(name))]


def fetched(html: str) -> list[str]:
    parser = _Fetched()
    parser.feed(html)
    return parser.found


@pytest.mark.slow
def test_pages_fetch_nothing_from_elsewhere(site: Path) -> None:
    pages = list(site.rglob("*.html"))
    assert len(pages) > 40
    for page in pages:
        for address in fetched(page.read_text(encoding="utf-8")):
            assert not re.match(r"([a-z]+:)?//", address), f"{page}: {address}"
    for sheet in site.rglob("*.css"):
        assert not re.search(r"(url\(|@import)\s*[\"']?(https?:)?//", sheet.read_text(encoding="utf-8")), sheet


def test_what_is_fetched_is_seen() -> None:
    html = '<a href="https://a.org">x</a><link href="//b.org/c.css"><script src="https://d.org/e.js"></script>'
    assert fetched(html) == ["//b.org/c.css", "https://d.org/e.js"]


@pytest.mark.slow
def test_every_page_is_in_the_navigation_and_can_be_searched_for(site: Path) -> None:
    index = json.loads((site / "search/search_index.json").read_text(encoding="utf-8"))
    found = {each["location"].partition("#")[0] for each in index["docs"]}
    for page in _in_navigation(yaml.load(_configuration(), yaml.BaseLoader)["nav"]):
        place = re.sub(r"README\.md$", "index.html", page).replace(".md", ".html")
        assert place in found, page
    assert any("pilot" in each["text"] for each in index["docs"] if each["location"].startswith("glossary"))


def _configuration() -> str:
    return re.sub(r"!!python\S+", "", (ROOT / "mkdocs.yml").read_text(encoding="utf-8"))


def _in_navigation(nav: object) -> Iterator[str]:
    if isinstance(nav, str):
        yield nav
    for each in nav.values() if isinstance(nav, dict) else nav if isinstance(nav, list) else ():
        yield from _in_navigation(each)


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine: apt install chromium")
def test_search_works_in_a_folder_opened_from_a_disk(site: Path) -> None:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = chromium.new_page(viewport={"width": 390, "height": 800})
        elsewhere: list[str] = []
        page.on("request", lambda request: elsewhere.append(request.url) if request.url.startswith("http") else None)
        page.goto((site / "glossary.html").as_uri())
        assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
        page.set_viewport_size({"width": 1280, "height": 800})
        page.locator("input[name=query]").click()
        page.keyboard.type("halving")
        page.locator(".md-search-result__link", has_text="halving").first.wait_for(timeout=30_000)
        assert elsewhere == []
        chromium.close()
