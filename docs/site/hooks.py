"""What MkDocs does beside its own: pages that lie outside of docs/ are part of the site, and links lead to them."""

from __future__ import annotations

import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parent.parent.parent
OUTSIDE = ("SECURITY.md", "CHANGELOG.md", "cluster.yaml", "benchmarks/README.md", "benchmarks/results/*.md")
_LINK = re.compile(r"(\]\()((?:\.\./)+)(benchmarks/|SECURITY\.md|CHANGELOG\.md|cluster\.yaml)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds the pages outside, at the places that they have in the repository."""
    for path in sorted(path for pattern in OUTSIDE for path in ROOT.glob(pattern)):
        files.append(File.generated(config, path.relative_to(ROOT).as_posix(), abs_src_path=str(path)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """In the repository docs/ is one folder further from the pages outside than in the site."""
    if page.file.abs_src_path and not Path(page.file.abs_src_path).is_relative_to(config.docs_dir):
        return markdown.replace("](docs/", "](").replace("](../docs/", "](../")
    return _LINK.sub(lambda found: f"{found[1]}{found[2].removeprefix('../')}{found[3]}", markdown)
