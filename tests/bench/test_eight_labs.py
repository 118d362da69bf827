"""How far apart the phantom's labs are for a segmenter of lab 1: the raw row of the second table."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from napari_stainxfer.benchmarks.lab_images import phantom_labs
from napari_stainxfer.benchmarks.lab_scores import Failure
from napari_stainxfer.benchmarks.lab_settings import Table2Run
from napari_stainxfer.benchmarks.table2 import Part, run_table2
from napari_stainxfer.segmentation import SegmenterEvent, SegmenterSettings, SegmenterStep
from napari_stainxfer.training import Event


class Quiet:
    """Prints a line now and then."""

    def part(self, part: Part, done: int, total: int, seconds_left: float | None) -> None:
        print(f"\n{part.lab}", end="", flush=True)

    def training(self, event: Event) -> None:
        raise AssertionError("nothing is transferred here")

    def segmenter(self, event: SegmenterEvent) -> None:
        if isinstance(event, SegmenterStep) and event.step % 50 == 0:
            print(f", loss {event.loss:.2f} with {event.seconds_left:.0f} s left", end="", flush=True)

    def failed(self, failure: Failure) -> None:
        raise AssertionError("nothing is transferred here")


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_raw_dice_spreads_as_in_the_paper(tmp_path: Path, seed: int) -> None:
    torch.set_num_threads(2)
    run = Table2Run(data="phantom", segmenter=SegmenterSettings())
    scores = run_table2(
        phantom_labs(), tmp_path, run, methods=[], seeds=[seed], device="cpu", listener=Quiet()
    )
    home, *away = (score.dice for score in scores)
    print(f"\nseed {seed}: " + ", ".join(f"{score.lab} {score.dice:.3f}" for score in scores))
    assert home > 0.9
    assert min(away) < 0.3
    assert max(away) > 0.8
