"""Tables with their facts below, as Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence


def as_markdown(
    corner: str,
    heads: Sequence[str],
    rows: Mapping[str, Iterable[str]],
    facts: Mapping[str, object],
    *,
    not_possible: Sequence[str] = (),
) -> str:
    """A table whose rows are given by name, a list of facts, and why some cells are empty."""
    lines = [f"| {' | '.join([corner, *heads]).lstrip()} |", "|---" * (len(heads) + 1) + "|"]
    lines += [f"| {' | '.join([name, *cells])} |" for name, cells in rows.items()]
    lines += ["", *(f"- {name}: {value}" for name, value in facts.items()), ""]
    if not_possible:
        lines += ["Not possible:", "", *(f"- {sentence}" for sentence in not_possible), ""]
    return "\n".join(lines)
