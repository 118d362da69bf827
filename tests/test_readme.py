"""What the README tells people to type is what there is."""

from __future__ import annotations

import ast
import re
import shlex
from pathlib import Path

import pytest
import typer

import napari_stainxfer

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str, text: str = README) -> list[str]:
    """The fenced code of one language, in order."""
    return [block.partition("```")[0].strip() for block in text.split(f"```{language}\n")[1:]]


@pytest.fixture(scope="module")
def verbs() -> dict[str, typer.core.TyperCommand]:
    from napari_stainxfer.cli.app import app

    return typer.main.get_command(app).commands  # type: ignore[attr-defined]


def test_ci_runs_the_second_command_of_the_set_up() -> None:
    demo, tests = blocks("sh", README.partition("## Set up")[2].partition("\n## ")[0])
    assert demo.endswith("stainxfer demo -o demo")
    assert (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()[-1] == tests


def test_every_command_line_parses(verbs: dict[str, typer.core.TyperCommand]) -> None:
    shown = [line for block in blocks("sh") for line in re.split(r"\n|&& ", block)]
    lines = [shlex.split(line) for line in shown if re.match(r"(\.venv/bin/)?stainxfer ", line)]
    assert {verb for _, verb, *_ in lines} == {"train", "apply", "demo"}
    for _, verb, *arguments in lines:
        assert verbs[verb].make_context(verb, arguments).params["output"]


def test_every_verb_is_listed_with_its_own_options(verbs: dict[str, typer.core.TyperCommand]) -> None:
    rows = dict(re.findall(r"^\| `stainxfer (\w+) [^|]*\| (.*)", README, flags=re.MULTILINE))
    assert set(rows) == set(verbs)
    for verb, row in rows.items():
        options = {name for parameter in verbs[verb].params for name in parameter.opts}
        assert set(re.findall(r"--[\w-]+", row)) <= options


def test_every_option_exists(verbs: dict[str, typer.core.TyperCommand]) -> None:
    options = {name for verb in verbs.values() for parameter in verb.params for name in parameter.opts}
    section = README.partition("## Command line")[2].partition("\n## ")[0]
    named = set(re.findall(r"--[\w-]+", re.sub(r"^\|[-|]+$", "", section, flags=re.MULTILINE)))
    assert named
    assert named - {"--help"} <= options


def test_the_python_example_uses_public_names() -> None:
    (example,) = blocks("python")
    imports = [node for node in ast.walk(ast.parse(example)) if isinstance(node, ast.ImportFrom)]
    assert [node.module for node in imports] == ["napari_stainxfer"]
    assert {alias.name for alias in imports[0].names} <= set(napari_stainxfer.__all__)
