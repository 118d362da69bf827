"""Pages link to what is there, and their pictures are small."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
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
