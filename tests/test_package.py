"""The package as it is installed and imported: light, typed, and laid out as its rules say."""

from __future__ import annotations

import importlib
import importlib.metadata
import json
import statistics
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

import napari_stainxfer

ROOT = Path(__file__).parents[1]
MODULES = sorted((ROOT / "src" / "napari_stainxfer").rglob("*.py"))
HEAVY = {"torch", "dask", "zarr", "scipy", "skimage", "matplotlib", "napari", "qtpy", "magicgui", "superqt"}


@pytest.fixture(scope="module")
def pyproject() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def loaded_after(statement: str) -> set[str]:
    """Top-level modules that a new interpreter has loaded once it has run ``statement``."""
    report = "import json, sys; print(json.dumps([name.partition('.')[0] for name in sys.modules]))"
    command = [sys.executable, "-c", f"{statement}\n{report}"]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_importing_the_package_loads_nothing_heavy() -> None:
    loaded = loaded_after("import napari_stainxfer; dir(napari_stainxfer)")
    assert "napari_stainxfer" in loaded
    assert not loaded & HEAVY


def test_every_public_name_is_there_and_listed() -> None:
    names = napari_stainxfer.__all__
    assert len(set(names)) == len(names) > 0
    assert set(names) <= set(dir(napari_stainxfer))
    for name in names:
        assert getattr(napari_stainxfer, name) is not None


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no_such_name"):
        importlib.import_module("napari_stainxfer").no_such_name  # noqa: B018


def test_the_installed_version_is_the_declared_one(pyproject: dict[str, Any]) -> None:
    assert importlib.metadata.version("napari-stainxfer") == pyproject["project"]["version"]
    assert napari_stainxfer.__version__ == pyproject["project"]["version"]


def test_the_command_starts_the_function_that_is_declared(pyproject: dict[str, Any]) -> None:
    module, _, function = pyproject["project"]["scripts"]["stainxfer"].partition(":")
    assert callable(getattr(importlib.import_module(module), function))


def test_python_versions_agree(pyproject: dict[str, Any]) -> None:
    project = pyproject["project"]
    classified = [
        tuple(int(part) for part in line.rpartition(" ")[2].split("."))
        for line in project["classifiers"]
        if line.startswith("Programming Language :: Python :: 3.")
    ]
    lowest = ".".join(str(part) for part in min(classified))
    assert project["requires-python"] == f">={lowest}"
    environments = (ROOT / "tox.ini").read_text(encoding="utf-8")
    for major, minor in classified:
        assert f"py{major}{minor}" in environments


def test_the_package_does_not_cap_torch(pyproject: dict[str, Any]) -> None:
    wanted = [line for line in pyproject["project"]["dependencies"] if line.startswith("torch")]
    assert wanted == ["torch>=2.5"]


def test_modules_are_small() -> None:
    lengths = [len(module.read_text(encoding="utf-8").splitlines()) for module in MODULES]
    assert len(lengths) > 10
    longest = max(zip(lengths, MODULES, strict=True))
    assert longest[0] <= 400, f"{longest[1]} has {longest[0]} lines"
    assert sum(length < 300 for length in lengths) >= 0.9 * len(lengths)
    assert statistics.median(lengths) < 150


def test_no_module_is_a_drawer_for_odds_and_ends() -> None:
    assert not [module for module in MODULES if module.stem in {"utils", "helpers", "common", "misc"}]
