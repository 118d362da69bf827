"""Memory does not grow with the slide, measured as the peak of a process of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads the peak from /proc")

PEAK = """
import sys, numpy as np
from pathlib import Path
from napari_stainxfer.slides import Box, open_slide, write_pyramid

def peak():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))

path, height, width = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
"""

WRITE = (
    PEAK
    + """
noise = np.random.default_rng(0).integers(90, 255, (64, 64, 3), np.uint8)
tile = np.kron(noise, np.ones((8, 8, 1), np.uint8))
tiles = (tile for _ in range(height * width // 512**2))
write_pyramid(path, tiles, shape=(height, width), mpp=0.5)
print(peak())
"""
)

READ = (
    PEAK
    + """
with open_slide(path, mpp=0.25) as slide:
    assert slide.shape == (height, width)
    for y in range(0, height, 1024):
        for x in range(0, width, 1024):
            slide.read_region(Box(y, x, 1024, 1024))
    slide.overview()
print(peak())
"""
)

ONE_LEVEL = """
import sys, numpy as np, tifffile
rgb = np.full((int(sys.argv[2]), int(sys.argv[3]), 3), 200, np.uint8)
layouts = {
    "tiles": {"tile": (512, 512), "compression": "jpeg"},
    "strips": {"rowsperstrip": 512, "compression": "jpeg"},
    "raw": {"rowsperstrip": len(rgb)},
}
tifffile.imwrite(sys.argv[1], rgb, photometric="rgb", maxworkers=1, **layouts[sys.argv[4]])
"""


def run(script: str, *arguments: object) -> str:
    command = [sys.executable, "-c", script, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout


@pytest.mark.parametrize("name", ["slide.tif", "slide.ome.tif"])
def test_writing_and_reading_a_slide_sixteen_times_as_tall(tmp_path: Path, name: str) -> None:
    peaks = {}
    for height in (1024, 16384):
        path = tmp_path / f"{height}_{name}"
        written = float(run(WRITE, path, height, 2048))
        read = float(run(READ, path, height, 2048))
        peaks[height] = written, read
    # The pixels of the tall slide are 100 MB.
    assert peaks[16384][0] < peaks[1024][0] + 25
    # Reading fills a cache of 96 MB.
    assert peaks[16384][1] < peaks[1024][1] + 110


@pytest.mark.parametrize("layout", ["tiles", "strips", "raw"])
def test_overview_of_one_level(tmp_path: Path, layout: str) -> None:
    peaks = []
    for height in (2048, 32768):
        path = tmp_path / f"{height}.tif"
        run(ONE_LEVEL, path, height, 4096, layout)
        peaks.append(float(run(READ.replace("range(0, height, 1024)", "range(0)"), path, height, 4096)))
    # The pixels of the tall one alone are 400 MB; the two caches together hold 160 MB.
    assert peaks[1] < peaks[0] + 200
