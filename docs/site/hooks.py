"""What the site shows of files outside this folder, and where links to them lead."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parents[2]
PAGES = {
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "security.md",
    "CHANGELOG.md": "changelog.md",
}
LINKS = {**PAGES, "README.md": "index.md"}
_LINK = re.compile(r"\[([^\]]*)\]\((?!https?:|#|mailto:)([^)#\s]+)(#[^)\s]*)?\)")


def on_files(files: Files, config: Any) -> Files:
    """Add the pages that lie above this folder."""
    for name, page in PAGES.items():
        text = (ROOT / name).read_text(encoding="utf-8")
        files.append(File.generated(config, page, content=text))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Let links lead to pages of the site; one to a source file becomes its text."""
    if "/" in page.file.src_uri:
        return markdown
    return _LINK.sub(lambda found: _link(found[1], found[2], found[3] or ""), markdown)


def _link(text: str, target: str, anchor: str) -> str:
    bare = target.removeprefix("../")
    if bare.endswith(".py"):
        return text
    return f"[{text}]({LINKS.get(bare, bare.removeprefix('docs/'))}{anchor})"
