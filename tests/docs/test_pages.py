"""Pages link to what is there, and their pictures are small."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

import napari_stainxfer

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
_MAX_BYTES = 300_000


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8"))
    missing = [link for link in targets if "://" not in link and not (page.parent / link).exists()]
    assert missing == []


def test_every_picture_of_the_window_is_shown_or_redrawn_by_its_script() -> None:
    script = (ROOT / "docs" / "draw_window.py").read_text(encoding="utf-8")
    drawn = set(re.findall(r'self\.shoot\("(\w+)"\)', script))
    there = {path.stem for path in (ROOT / "docs" / "images").glob("*.jpg")}
    assert there == drawn
    assert all(path.stat().st_size < _MAX_BYTES for path in (ROOT / "docs" / "images").glob("*.jpg"))


def test_the_reference_has_every_public_name() -> None:
    page = (ROOT / "docs" / "reference.md").read_text(encoding="utf-8")
    listed = set(re.findall(r"^::: napari_stainxfer\.(\w+)$", page, flags=re.MULTILINE))
    assert set(napari_stainxfer.__all__) - listed == {"StainTransferError"}  # with the other errors


def test_every_page_is_in_the_index_and_on_the_site() -> None:
    index = (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
    site = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    for page in PAGES[1:]:
        assert page.name in site
        assert page.name == "index.md" or f"({page.name})" in index


def test_the_citation_is_of_this_version() -> None:
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for field in ("version", "license"):
        assert re.search(rf"^{field}: {re.escape(project[field])}$", citation, flags=re.MULTILINE)
    assert project["authors"][0]["name"] in citation
