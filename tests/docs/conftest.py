"""A shell whose `stainxfer` is this process's own command line, in a folder with small slides."""

from __future__ import annotations

import contextlib
import io
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from multiprocessing.connection import Client, Listener
from pathlib import Path
from typing import Any

import pytest
import typer

from napari_stainxfer.cli import main
from napari_stainxfer.cli.app import app
from napari_stainxfer.methods import METHODS
from napari_stainxfer.phantom import write_phantom

_RUN = {"info", "pair", "apply", "train"}
"""Verbs that are run; the others take long, have tests of their own, and are parsed."""

_TOOLS = ("sed", "basename")
"""Programs that a page may use besides `stainxfer` and `python3`; any other is not found, and fails."""

_CALL = """#!{python}
import os, sys
from multiprocessing.connection import Client
with Client(os.environ["LINE"], authkey=b"docs") as line:
    line.send((os.getcwd(), sys.argv[1:]))
    code, out, err = line.recv()
sys.stdout.write(out)
sys.stderr.write(err)
sys.exit(code)
"""


def parse(arguments: list[str]) -> tuple[str, dict[str, Any]]:
    """The verb and its parameters, as the real command line takes them; fails where it would."""
    command = typer.main.get_command(app)
    verb, rest = "", arguments
    while hasattr(command, "commands"):
        context = command.make_context("stainxfer", [], resilient_parsing=True)
        name, command, rest = command.resolve_command(context, rest)
        verb = f"{verb} {name}".strip()
    return verb, command.make_context(verb, list(rest)).params


class Shell:
    """Runs the shell text of a page, each `stainxfer` in this process, where torch is imported already.

    A training is that of the shared model: its command is parsed, and the file copied.
    """

    def __init__(self, folder: Path, model: Path | None) -> None:
        self.folder, self._model = folder, model
        self.calls: list[list[str]] = []
        self._bin = folder / ".bin"
        self._bin.mkdir()
        (self._bin / "stainxfer").write_text(_CALL.format(python=sys.executable))
        (self._bin / "stainxfer").chmod(0o755)
        for tool in _TOOLS:
            (self._bin / tool).symlink_to(str(shutil.which(tool)))
        (self._bin / "python3").symlink_to(sys.executable)

    def run(self, text: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run it as a script that ends at the first thing that fails."""
        done: list[subprocess.CompletedProcess[str]] = []

        def script(address: str) -> None:
            done.append(
                subprocess.run(
                    [str(shutil.which("bash")), "-euo", "pipefail", "-c", text],
                    cwd=self.folder,
                    env={"PATH": str(self._bin), "LINE": address, **environment},
                    capture_output=True,
                    text=True,
                    check=False,
                )
            )
            with Client(address, authkey=b"docs") as line:
                line.send(None)

        with Listener(family="AF_UNIX", authkey=b"docs") as listener:
            thread = threading.Thread(target=script, args=(str(listener.address),))
            thread.start()
            while True:
                with listener.accept() as line:
                    call = line.recv()
                    if call is None:
                        break
                    line.send(self._answer(*call))
            thread.join()
        return done[0]

    def _answer(self, folder: str, arguments: list[str]) -> tuple[int, str, str]:
        self.calls.append(arguments)
        out, err = io.StringIO(), io.StringIO()
        with (
            contextlib.chdir(folder),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
            pytest.MonkeyPatch.context() as patch,
        ):
            patch.setattr(sys, "argv", ["stainxfer", *arguments])
            try:
                self._do(arguments)
            except SystemExit as end:
                return int(end.code or 0), out.getvalue(), err.getvalue()
            except Exception as error:  # the shell has to end, whatever happens here
                return 1, out.getvalue(), f"{err.getvalue()}{error!r}"
        return 0, out.getvalue(), err.getvalue()

    def _do(self, arguments: list[str]) -> None:
        try:
            verb, given = parse(arguments)
        except Exception:  # whatever it is, the command line itself says it
            return main()
        trained = verb == "train" and METHODS[given["method"]].fitted_on != "tissue"
        if trained and self._model is not None:
            for name in ("reference", "source", "pairs", "init"):
                assert given[name] is None or Path(given[name]).exists(), f"there is no {given[name]}"
            shutil.copy(self._model, given["output"])
        elif verb in _RUN:
            main()
        return None


def _write_slides(folder: Path) -> None:
    """Under every name that the pages use, and a folder and a list of smaller ones."""
    for seed, (name, lab, side) in enumerate(
        [
            ("reference", "lab1", 768),
            ("source", "lab2", 768),
            ("reference2", "lab1", 320),
            ("source2", "lab2", 320),
        ]
    ):
        made = write_phantom(folder / f"{name}.tif", lab, seed=seed, size_px=(side, side))
        Path(made).rename(folder / f"{name}.svs")
    (folder / "archive").mkdir()
    shutil.copy(folder / "source2.svs", folder / "archive" / "source.svs")
    shutil.copy(folder / "source2.svs", folder / "archive" / "another.svs")
    (folder / "slides.txt").write_text("archive/another.svs\narchive/source.svs\n")
    for name, like in (("CMU-1-Small-Region", "reference"), ("TCGA-CR-7395-01A-01-TS1", "source2")):
        shutil.copy(folder / f"{like}.svs", folder / f"{name}.svs")


@pytest.fixture(scope="session")
def slides_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("page") / "slides"
    folder.mkdir()
    _write_slides(folder)
    return folder


@pytest.fixture(scope="session")
def shared_model(slides_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of the README's own command and one epoch."""
    folder = tmp_path_factory.mktemp("shared") / "page"
    shutil.copytree(slides_folder, folder)
    done = Shell(folder, None).run(
        "stainxfer train reference.svs source.svs -o model.safetensors --epochs 1 --device cpu"
    )
    assert done.returncode == 0, done.stderr
    return folder / "model.safetensors"


@pytest.fixture
def page_folder(slides_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A fresh copy of the slides, as the current directory."""
    folder = tmp_path / "page"
    shutil.copytree(slides_folder, folder)
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def shell(page_folder: Path, shared_model: Path) -> Shell:
    return Shell(page_folder, shared_model)


@pytest.fixture
def parse_command() -> Callable[[list[str]], tuple[str, dict[str, Any]]]:
    return parse
