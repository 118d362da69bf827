"""How fast a slide is normalised beside copying it, and whether memory grows with it."""

from __future__ import annotations

import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest
import torch

from napari_stainxfer.applying import normalize_slide
from napari_stainxfer.methods import Model, ModelCard, load
from napari_stainxfer.methods.neural import NeuralStyle
from napari_stainxfer.methods.windows import tile_boxes
from napari_stainxfer.models import HRNetGenerator
from napari_stainxfer.slides import open_slide, write_pyramid


@pytest.fixture
def model_file(tmp_path: Path) -> Path:
    generator = HRNetGenerator()
    torch.nn.init.normal_(generator.residual.weight, std=0.05)
    card = ModelCard(method="nst-ad-hrnet", package_version="0", mpp=1.0, patch_px=256, pairs=0)
    Model(NeuralStyle(generator.eval(), name="hrnet", width=None), card).save(tmp_path / "m.safetensors")
    return tmp_path / "m.safetensors"


def test_apply_beside_decode_and_encode(real_data: Path, model_file: Path, tmp_path: Path) -> None:
    speeds = {}
    with open_slide(real_data / "wsi" / "CMU-1-Small-Region.svs") as slide:
        megapixels = slide.shape[0] * slide.shape[1] / 1e6
        for threads in (1, 2):
            torch.set_num_threads(threads)
            started = time.perf_counter()
            write_pyramid(
                tmp_path / "copy.tif",
                (slide.read_region(box) for box in tile_boxes(slide.shape, 512)),
                shape=slide.shape,
                mpp=slide.mpp,
                workers=threads,
            )
            copied = time.perf_counter()
            normalize_slide(load(model_file), slide, tmp_path / "out.tif", device="cpu")
            done = time.perf_counter()
            copy, speeds[threads] = megapixels / (copied - started), megapixels / (done - copied)
            print(
                f"\n{threads} threads: copy {copy:.1f} Mpx/s, apply {speeds[threads]:.2f} Mpx/s, "
                f"ratio {copy / speeds[threads]:.1f}"
            )
    assert speeds[2] > speeds[1]


_PEAK = textwrap.dedent(
    """
    import sys, torch
    from pathlib import Path
    torch.set_num_threads(2)
    from napari_stainxfer import load, normalize_slide, phantom_slide
    slide = phantom_slide("lab2", seed=0, size_px=(int(sys.argv[1]),) * 2)
    normalize_slide(load(sys.argv[2]), slide, sys.argv[3], device="cpu")
    lines = Path("/proc/self/status").read_text().splitlines()
    # not ru_maxrss, which a child inherits from whoever started it
    print(next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM")))
    """
)


def test_peak_memory_does_not_grow_with_the_slide(model_file: Path, tmp_path: Path) -> None:
    peaks = {}
    for size in (4096, 16384):
        command = [sys.executable, "-c", _PEAK, str(size), str(model_file), str(tmp_path / f"{size}.tif")]
        peaks[size] = float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    ratio = peaks[16384] / peaks[4096]
    print(f"\npeak memory in MiB by side in px: {peaks}, ratio {ratio:.2f}")
    assert ratio < 1.2
