"""The four settings on the phantom, lab 2 to lab 1, tissue kept aside: the table of docs/method.md."""

from __future__ import annotations

import time
from collections.abc import Callable

import torch

from napari_stainxfer.training import RECIPES, TrainingSettings

SEEDS = (0,)


def test_the_table(measure_phantom_transfer: Callable[..., dict[str, dict[str, float]]]) -> None:
    torch.set_num_threads(2)
    for method in RECIPES:
        for seed in SEEDS:
            started = time.perf_counter()
            measured = measure_phantom_transfer(method=method, seed=seed, device="cpu")
            for name, errors in measured.items():
                row = " | ".join(f"{value:.2f}" for value in errors.values())
                print(f"\n{method}, seed {seed}: {name} | {row}", end="")
            print(f"\n{method}, seed {seed}: {time.perf_counter() - started:.0f} s with pairing and judging")
            if method == TrainingSettings().method:
                for measure, value in measured["transferred"].items():
                    assert value < measured["raw"][measure], measure
