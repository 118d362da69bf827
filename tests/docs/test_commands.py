"""Every command and every Python block of the pages is run, or checked against what there is."""

from __future__ import annotations

import inspect
import re
import runpy
import shlex
import tomllib
from collections.abc import Callable
from configparser import ConfigParser
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import patch

import pytest

import napari_stainxfer
from napari_stainxfer import Box, Model, load, open_slide
from napari_stainxfer.methods import METHODS
from napari_stainxfer.methods.fitting import fit, fit_stream
from napari_stainxfer.methods.pixelwise import RECIPES

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
PAGES_WITH_CODE = [page for page in PAGES if "```" in page.read_text(encoding="utf-8")]
TAKES_LONG = re.compile(r"pip install|bash tests/run\.sh|pytest ")
"""Shell blocks that install or test this package itself: their parts are checked one by one."""


class Block(NamedTuple):
    language: str
    code: str


def blocks(page: Path) -> list[Block]:
    found = re.findall(r"^```(.*)\n((?s:.*?))^```$", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return [Block(*parts) for parts in found]


def commands(page: Path) -> list[list[str]]:
    """Those inside a sentence or a table, and those of the shell blocks that are not run."""
    text = page.read_text(encoding="utf-8")
    prose = re.sub(r"^```(?s:.*?)^```$", "", text, flags=re.MULTILINE)
    lines = re.findall(r"`((?:stainxfer|tox|pytest|python|pip|bash) [^`]+)`", prose)
    for language, code in blocks(page):
        if language == "sh" and TAKES_LONG.search(code):
            lines += re.split(r"&&|\|\||\n", code.replace("(", " ").replace(")", " "))
    return [shlex.split(line) for line in lines if line.strip()]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_block_says_what_it_is(page: Path) -> None:
    assert {block.language for block in blocks(page)} <= {"sh", "python", "text"}
    assert page.read_text(encoding="utf-8").count("```") == 2 * len(blocks(page))


@pytest.mark.parametrize("page", PAGES_WITH_CODE, ids=lambda page: page.name)
def test_the_blocks_run_in_their_order(
    page: Path, shell: Any, shared_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fitted(*sides: object, on_event: object = None, **options: Any) -> Model:
        inspect.signature(fit_stream).bind(*sides, **options)
        trained = METHODS[options.get("method", "nst-ad-hrnet")].fitted_on != "tissue"
        return load(shared_model) if trained else fit(*sides, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(napari_stainxfer, "fit", fitted, raising=False)
    monkeypatch.syspath_prepend(shell.folder)
    rgb = open_slide("source.svs").read_region(Box(300, 300, 200, 200))
    with patch.dict(METHODS), patch.dict(RECIPES):
        for language, code in blocks(page):
            if language == "sh" and not TAKES_LONG.search(code):
                done = shell.run(code, SLURM_ARRAY_TASK_ID="1")
                assert done.returncode == 0, f"{code}\n{done.stdout}\n{done.stderr}"
            elif language == "python" and (module := _module_of(code, page)):
                (shell.folder / module).write_text(code, encoding="utf-8")
            elif language == "python":
                (shell.folder / "block.py").write_text(code, encoding="utf-8")
                runpy.run_path("block.py", {"rgb": rgb})


def _module_of(code: str, page: Path) -> str | None:
    """The file that a block is, where it begins as one: the module named just before it."""
    if not code.startswith('"""'):
        return None
    before = page.read_text(encoding="utf-8").partition(code)[0]
    return str(re.findall(r"`\S*/(\w+\.py)`", before)[-1])


def test_the_engineers_commands_left_what_the_page_says(shell: Any) -> None:
    """The page's own claims about its files and its results."""
    every = [code for language, code in blocks(ROOT / "docs" / "engineer.md") if language == "sh"]
    apply = next(code for code in every if "apply model.safetensors archive/*.svs" in code)
    again = next(code for code in every if "for slide" in code)
    shell.run(apply)
    there = sorted(path.name for path in (shell.folder / "normalised").iterdir())
    assert there == ["another.ome.tif", "source.ome.tif"]
    shell.calls.clear()
    (shell.folder / "normalised" / "another.ome.tif").unlink()
    shell.run(again)
    assert [call[2] for call in shell.calls] == ["archive/another.svs"]
    (shell.folder / "model.safetensors.checkpoint").touch()
    shell.calls.clear()
    shell.run(next(code for code in every if "resume=;" in code))
    assert shell.calls[-1][-1] == "--resume"
    assert shell.run("stainxfer info nothing.svs").returncode == 2
    assert shell.run("stainxfer info reference.svs --mppp 1").returncode == 2
    assert shell.run("nothing-that-there-is").returncode == 127


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_other_command_is_one_that_there_is(
    page: Path, parse_command: Callable[[list[str]], tuple[str, Any]]
) -> None:
    for words in commands(page):
        program = Path(words[0]).name
        assert program in CHECKS, words
        CHECKS[program](words[1:])


def _check_stainxfer(words: list[str]) -> None:
    """Its verb is there, and so is every option of it; a sentence may leave arguments out."""
    import typer

    from napari_stainxfer.cli.app import app

    command = typer.main.get_command(app)
    rest = list(words)
    while hasattr(command, "commands"):
        command = command.commands[rest.pop(0)]
    known = {name for parameter in command.params for name in parameter.opts} | {"--help"}
    assert {word for word in rest if word.startswith("-")} <= known, words


def _check_tox(words: list[str]) -> None:
    ini = ConfigParser(interpolation=None)
    ini.read(ROOT / "tox.ini")
    there = {section.removeprefix("testenv:") for section in ini.sections()}
    there |= {name.strip() for name in ini["tox"]["env_list"].split(",")}
    assert words[:2] == ["run", "-e"]
    assert words[2] in there
    _check_files(words[3:])


def _check_pip(words: list[str]) -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for word in words:
        named = re.fullmatch(r"(?:\.|napari-stainxfer)\[(.+)\]", word)
        assert named is None or set(named[1].split(",")) <= set(extras["optional-dependencies"]), words
    _check_files(words)


def _check_files(words: list[str]) -> None:
    for word in words:
        if re.match(r"(tests|docs|src)/", word):
            assert (ROOT / word).exists(), word


CHECKS = {"stainxfer": _check_stainxfer, "tox": _check_tox, "pip": _check_pip}
CHECKS |= dict.fromkeys(("pytest", "python", "python3", "bash", "apt-get"), _check_files)
