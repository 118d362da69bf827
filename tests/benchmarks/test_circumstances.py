"""What stands below a table: command, machine, time left, equal time."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from napari_stainxfer.benchmarks import equal_time
from napari_stainxfer.benchmarks.circumstances import PHANTOM, Clock, command, computed_on, surroundings
from napari_stainxfer.training import EpochEvent, Event


def test_the_command_is_the_one_to_type() -> None:
    options = {"preset": "quick", "epochs": None, "lpips": True}
    told = command("table1", PHANTOM.format(2048), ["nst", "macenko"], [0, 2], options)
    assert told == (
        "stainxfer bench table1 --size 2048 --methods nst,macenko --seeds 0,2 --preset quick --lpips -o DIR"
    )
    told = command("table2", "/somebody/labs", [], [0], {"preset": "paper", "epochs": 3})
    assert told == "stainxfer bench table2 --data labs --seeds 0 --preset paper --epochs 3 -o DIR"


def test_device_and_versions_are_those_in_use() -> None:
    assert computed_on("cpu").keys() == {"threads", "device", "processor"}
    assert computed_on("auto")["device"] != "auto"
    assert surroundings()["versions"]["numpy"] == np.__version__


def test_time_left_is_known_once_every_kind_was_timed() -> None:
    clock = Clock()
    clock.note("quick", 2)
    clock.note("quick", 4)
    assert clock.left(["quick", "quick"]) == 6
    assert clock.left(["quick", "nst"]) is None
    clock.note("nst", 60)
    assert clock.left(["quick", "nst"]) == 63


@pytest.mark.parametrize(("seconds", "epochs"), [(105.0, 10), (20.0, 2), (1.0, 1), (1005.0, 100)])
def test_epochs_that_fit_into_a_time(monkeypatch: pytest.MonkeyPatch, seconds: float, epochs: int) -> None:
    now = 0.0
    monkeypatch.setattr(equal_time.time, "perf_counter", lambda: now)
    seen = 0

    def train(listen: Callable[[Event], None]) -> None:
        nonlocal now, seen
        now += 5  # reading patches
        for epoch in range(20):
            now += 10
            seen = epoch + 1
            listen(EpochEvent(epoch + 1, 20, {}, np.zeros((1, 1, 3), np.uint8)))

    assert equal_time.epochs_in(seconds, train) == epochs
    assert seen == 3
