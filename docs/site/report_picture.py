"""Draws docs/report.webp from a report, in Chromium: `python docs/site/report_picture.py demo.html`."""

from __future__ import annotations

import io
import shutil
import sys
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, sync_playwright

SHOWN = (("#verdict",), ("#scores", "#spread"), ("#false", "#images"))  # a column each
WIDTH, HEIGHT = 1000, 1500  # pixels, of a column


def column(page: Page, sections: tuple[str, ...]) -> Image.Image:
    """The first part of each section, one under the other."""
    image = Image.new("RGB", (WIDTH, HEIGHT), "white")
    for place, section in enumerate(sections):
        shot = Image.open(io.BytesIO(page.locator(section).screenshot())).convert("RGB")
        top = shot.crop((0, 0, shot.width, min(shot.height, HEIGHT // len(sections) - 20)))
        image.paste(top, (0, place * HEIGHT // len(sections)))
    return image


def main() -> None:
    """One picture of all columns, side by side."""
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = chromium.new_page(viewport={"width": WIDTH, "height": HEIGHT})
        page.goto(Path(sys.argv[1]).resolve().as_uri())
        columns = [column(page, sections) for sections in SHOWN]
        chromium.close()
    whole = Image.new("RGB", (len(columns) * (WIDTH + 40) - 40, HEIGHT), "white")
    for place, each in enumerate(columns):
        whole.paste(each, (place * (WIDTH + 40), 0))
    whole = whole.resize((whole.width * 2 // 3, whole.height * 2 // 3), Image.Resampling.LANCZOS)
    whole.save(Path(__file__).parent.parent / "report.webp", quality=80, method=6)


if __name__ == "__main__":
    main()
