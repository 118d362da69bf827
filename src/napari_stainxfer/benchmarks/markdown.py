"""Tables with their facts below, as Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence


def as_markdown(
    corner: str, heads: Sequence[str], rows: Mapping[str, Iterable[str]], facts: Mapping[str, object]
) -> str:
    """A table whose rows are given by name, and a list of facts."""
    lines = [f"| {' | '.join([corner, *heads]).lstrip()} |", "|---" * (len(heads) + 1) + "|"]
    lines += [f"| {' | '.join([name, *cells])} |" for name, cells in rows.items()]
    lines += ["", *(f"- {name}: {value}" for name, value in facts.items()), ""]
    return "\n".join(lines)
