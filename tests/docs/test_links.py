"""Links between the pages lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.docs import ROOT

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def chapters(page: Path) -> set[str]:
    """The anchors that a page's titles get."""
    titles = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title).lower().replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_links_lead_to_files_and_chapters_that_are_there(page: Path) -> None:
    for link in re.findall(r"\]\((?!http)([^)]+)\)", page.read_text(encoding="utf-8")):
        file, _, chapter = link.partition("#")
        target = page.parent / file if file else page
        assert target.exists(), link
        assert not chapter or chapter in chapters(target), link


def test_every_page_can_be_found_from_the_readme() -> None:
    readme = PAGES[0].read_text(encoding="utf-8")
    assert len(PAGES) > 1 and all(f"docs/{page.name}" in readme for page in PAGES[1:])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_no_placeholder_is_left(page: Path) -> None:
    assert "<!--" not in page.read_text(encoding="utf-8")
