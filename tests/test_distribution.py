"""The files that are published: built as a release builds them, then opened and checked."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def distributions(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The sdist, and the wheel built from it."""
    folder = tmp_path_factory.mktemp("dist")
    done = subprocess.run(
        [sys.executable, "-m", "build", "--outdir", str(folder), str(ROOT)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (sdist,), (wheel,) = folder.glob("*.tar.gz"), folder.glob("*.whl")
    return sdist, wheel


def test_the_wheel_holds_every_module_the_typed_marker_and_napari_s_manifest(
    distributions: tuple[Path, Path],
) -> None:
    with zipfile.ZipFile(distributions[1]) as wheel:
        held = set(wheel.namelist())
        manifest = wheel.read("napari_stainxfer/napari.yaml")
    source = ROOT / "src"
    modules = {path.relative_to(source).as_posix() for path in source.rglob("*.py")}
    assert {"napari_stainxfer/py.typed", "napari_stainxfer/napari.yaml"} <= held
    assert manifest == (source / "napari_stainxfer" / "napari.yaml").read_bytes()
    assert modules <= held
    assert not [name for name in held if name.startswith("tests")]


def test_the_wheel_carries_licence_and_command(distributions: tuple[Path, Path]) -> None:
    with zipfile.ZipFile(distributions[1]) as wheel:
        texts = {name.partition(".dist-info/")[2]: name for name in wheel.namelist() if ".dist-info/" in name}
        entry_points = wheel.read(texts["entry_points.txt"]).decode()
    assert "licenses/LICENSE" in texts
    assert "stainxfer = napari_stainxfer.cli:main" in entry_points
    assert "[napari.manifest]\nnapari-stainxfer = napari_stainxfer:napari.yaml" in entry_points


def test_the_sdist_can_be_built_from(distributions: tuple[Path, Path]) -> None:
    with tarfile.open(distributions[0]) as sdist:
        held = {name.partition("/")[2] for name in sdist.getnames()}
    assert {"pyproject.toml", "README.md", "LICENSE", "src/napari_stainxfer/__init__.py"} <= held


def test_twine_accepts_both(distributions: tuple[Path, Path]) -> None:
    command = [sys.executable, "-m", "twine", "check", "--strict", *map(str, distributions)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("PASSED") == 2
