"""Every keyword that a dock or the command line sends is one that the core function takes."""

from __future__ import annotations

import ast
import importlib
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import napari_stainxfer
from napari_stainxfer.applying import normalize_slide
from napari_stainxfer.methods import load
from napari_stainxfer.methods.fitting import fit, fit_stream
from napari_stainxfer.pairing import load_pairs, save_pairs, suggest_pairs
from napari_stainxfer.phantom import phantom_slide
from napari_stainxfer.slides import open_slide, write_pyramid
from napari_stainxfer.slides.sides import as_slides
from napari_stainxfer.training import TrainingSettings

ROOT = Path(napari_stainxfer.__file__).parent
CORE: dict[str, Callable[..., Any]] = {
    function.__name__: function
    for function in (
        as_slides, fit_stream, load, load_pairs, normalize_slide, open_slide, phantom_slide, save_pairs,
        suggest_pairs, write_pyramid,
    )
}  # fmt: skip


def keywords(path: Path) -> list[tuple[str, int, str]]:
    """Name of the function, line and keyword of every call in a file."""
    return [
        (call.func.id, call.lineno, keyword.arg)
        for call in ast.walk(ast.parse(path.read_text()))
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name)
        for keyword in call.keywords
        if keyword.arg is not None
    ]


@pytest.mark.parametrize("door", ["cli", "plugin"])
def test_keywords_are_in_the_signature(door: str) -> None:
    sent = [
        (path.name, *found)
        for path in sorted((ROOT / door).glob("*.py"))
        for found in keywords(path)
        if found[0] in (*CORE, "fit")
    ]
    assert {name for _, name, _, _ in sent} >= ({"normalize_slide", "suggest_pairs"})
    for file, name, line, keyword in sent:
        taken = inspect.signature({**CORE, "fit": fit}[name]).parameters
        assert keyword in taken, f"{file}:{line} sends {name}({keyword}=)"


def test_fit_takes_what_its_stream_takes_with_the_same_defaults() -> None:
    whole, stream = (dict(inspect.signature(function).parameters) for function in (fit, fit_stream))
    assert whole.pop("on_event").default is None
    assert {name: taken.default for name, taken in whole.items()} == {
        name: taken.default for name, taken in stream.items()
    }


def test_what_the_export_dock_gathers_is_taken() -> None:
    module = importlib.import_module("napari_stainxfer.plugin.export_run")
    tree = ast.parse((ROOT / "plugin" / "export_dock.py").read_text())
    gathered = [
        {key.value for key in node.value.keys}
        for node in ast.walk(tree)
        if isinstance(node, ast.AnnAssign) and getattr(node.target, "id", "") == "how"
    ]
    assert gathered == [{"compression", "quality", "device"}]
    for function in (module.run_exports, normalize_slide):
        assert gathered[0] <= set(inspect.signature(function).parameters)


def test_the_forms_fields_are_the_settings_fields() -> None:
    pytest.importorskip("napari", reason="napari is not installed")
    dock = importlib.import_module("napari_stainxfer.plugin.train_dock")
    assert {*dock._MAIN, *dock._MORE} == set(TrainingSettings.model_fields)
