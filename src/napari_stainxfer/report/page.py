"""One HTML page that stands alone: numbers, pictures, and how to look further."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from jinja2 import Environment, PackageLoader

from napari_stainxfer.files import replacing


class Figure(NamedTuple):
    """A picture beside the page, and what to see in it."""

    file: str
    caption: str


class Measure(NamedTuple):
    """One distance to the truth, before and after."""

    name: str
    before: float
    after: float


def write_report(
    path: Path,
    *,
    title: str,
    measures: Sequence[Measure],
    figures: Sequence[Figure],
    facts: Mapping[str, Any],
    next_steps: Sequence[str],
) -> None:
    """Write the page; pictures are referred to by name and must stand beside it."""
    environment = Environment(loader=PackageLoader("napari_stainxfer", "report"), autoescape=True)
    html = environment.get_template("report.html.j2").render(
        title=title, measures=measures, figures=figures, facts=facts, next_steps=next_steps
    )
    with replacing(path) as temporary:
        temporary.write_text(html, encoding="utf-8")
