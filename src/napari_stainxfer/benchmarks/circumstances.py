"""What a table was measured with: machine, code, command, and the time that is left."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from statistics import fmean
from typing import Any

import torch

from napari_stainxfer.training import resolve_device

PHANTOM = "phantom of {} px"
"""Name of the data that is made and not read, with the side of its slides."""


def computed_on(device: str) -> dict[str, Any]:
    """Threads, device and processor of a part, as they are and not as they were asked for."""
    place = resolve_device(device)
    name = torch.cuda.get_device_name(place) if place.type == "cuda" else place.type
    return {"threads": torch.get_num_threads(), "device": name, "processor": _processor()}


def surroundings() -> dict[str, Any]:
    """Cores, versions and day of a table."""
    others = {name: version(name) for name in ("torch", "numpy")}
    return {
        "cores": os.cpu_count(),
        "versions": {"napari-stainxfer": _own_version(), **others},
        "date": datetime.now(UTC).date().isoformat(),
    }


def command(
    table: str, data: str, methods: Sequence[str], seeds: Sequence[int], options: Mapping[str, object]
) -> str:
    """What to type for the same table; of data of one's own, the folder's name alone.

    ``options`` that are None or False are left out.
    """
    words = ["stainxfer bench", table]
    size = data.removeprefix(PHANTOM.partition("{}")[0]).removesuffix(PHANTOM.rpartition("{}")[2])
    given: dict[str, object] = {"size": size} if size != data else {"data": Path(data).name}
    given |= {"methods": ",".join(methods), "seeds": ",".join(map(str, seeds))}
    for name, value in {**given, **options}.items():
        if value is not None and value is not False and value != "":
            words.append(f"--{name}" if value is True else f"--{name} {value}")
    return " ".join([*words, "-o DIR"])


class Clock:
    """Guesses the time left from what parts of the same kind took."""

    def __init__(self) -> None:
        self._seconds: dict[str, list[float]] = {}

    def note(self, kind: str, seconds: float) -> None:
        """Remember what a part took."""
        self._seconds.setdefault(kind, []).append(seconds)

    def left(self, kinds: Sequence[str]) -> float | None:
        """Seconds that parts of these kinds will take; unknown until each kind has been timed once."""
        if not all(kind in self._seconds for kind in kinds):
            return None
        return sum(fmean(self._seconds[kind]) for kind in kinds)


def _processor() -> str:
    """Its model, where the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.processor() or platform.machine()


def _own_version() -> str:
    """The package's version, and the commit where it runs from a checkout."""
    told = version("napari-stainxfer")
    here = Path(__file__)
    try:
        _git(
            here.parent, "ls-files", "--error-unmatch", here.name
        )  # not any repository that it is installed in
        return f"{told}, commit {_git(here.parent, 'describe', '--always', '--dirty', '--exclude=*')}"
    except (OSError, subprocess.SubprocessError):
        return told


def _git(folder: Path, *arguments: str) -> str:
    words = ["git", "-C", str(folder), *arguments]
    return subprocess.run(words, capture_output=True, text=True, check=True, timeout=10).stdout.strip()
