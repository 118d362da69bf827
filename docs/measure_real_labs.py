"""Measures real images of several labs that no pixel pairs are known of, raw and after each method.

    python docs/measure_real_labs.py camelyon17_centres real

The folder holds `centre_<number>_<name>.png`, at least three images of each centre; the first centre is the
reference. A method is fitted on all images of a centre but the last two, which are judged. Without a truth
two measures are left: how unlike each other the images of all centres are (NMI spread), and whether the
structures of an image were kept. Writes `real.json` and `real.png`.
"""

from __future__ import annotations

import argparse
import json
import re
import time
from pathlib import Path
from statistics import fmean

import numpy as np
from matplotlib.figure import Figure

from napari_stainxfer import Model, fit, open_slide
from napari_stainxfer.benchmarks.circumstances import computed_on, surroundings
from napari_stainxfer.evaluation import METRICS, Compared
from napari_stainxfer.slides import RGB, Box, Slide

MPP = 0.25
"""CAMELYON17's level 0 is 0.23 to 0.25 um/px; the files do not say."""
JUDGED = 2
METHODS = ("raw", "reinhard", "histogram", "macenko", "vahadane", "nst-ad-hrnet")
SEED = 0


def read(path: Path) -> RGB:
    """All pixels of an image."""
    with open_slide(path) as slide:
        return slide.read_region(Box(0, 0, *slide.shape))


def by_centre(folder: Path) -> dict[str, list[RGB]]:
    """The images of every centre, in the order of their names."""
    centres: dict[str, list[RGB]] = {}
    for path in sorted(folder.glob("*.png")):
        if found := re.match(r"(centre_\d+)_", path.name):
            centres.setdefault(found.group(1), []).append(read(path))
    return centres


def fitted(method: str, reference: list[RGB], source: list[RGB]) -> Model:
    """A method fitted on a centre's images."""
    sides = [[Slide.from_array(image, mpp=MPP) for image in side] for side in (reference, source)]
    return fit(*sides, method=method, seed=SEED)


def main() -> None:
    """Measure, and write what came of it."""
    reader = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    reader.add_argument("images", type=Path, help="Folder of the centres' images.")
    reader.add_argument("output", type=Path, help="Folder to write to.")
    given = reader.parse_args()
    centres = by_centre(given.images)
    (_, first), *others = centres.items()
    rows, shown = {}, {}
    for method in METHODS:
        judged, structure, seconds = list(first[-JUDGED:]), [], []
        for _, images in others:
            started = time.perf_counter()
            model = None if method == "raw" else fitted(method, first[:-JUDGED], images[:-JUDGED])
            seconds.append(time.perf_counter() - started)
            for image in images[-JUDGED:]:
                after = image if model is None else model.transform(image, mpp=MPP)
                structure.append(METRICS["structure"](Compared(after, source=image)))
                judged.append(after)
        rows[method] = {
            "nmi_spread": METRICS["nmi_spread"].measure(judged),
            "structure": fmean(structure),
            "fit_seconds": fmean(seconds),
        }
        shown[method] = judged
        print(method, rows[method], flush=True)  # noqa: T201 (how far it is)
    given.output.mkdir(parents=True, exist_ok=True)
    facts = {
        "data": given.images.name,
        "um/px": MPP,
        "fitted on": f"{len(first) - JUDGED} images of a centre",
        "judged": f"{JUDGED} others of each of {len(centres)} centres",
        "seed": SEED,
        **computed_on("auto"),
        **surroundings(),
    }
    content = json.dumps({"facts": facts, "table": rows}, indent=1)
    (given.output / "real.json").write_text(content, encoding="utf-8")
    draw(given.output / "real.png", shown, list(centres))


def draw(path: Path, shown: dict[str, list[RGB]], centres: list[str]) -> None:
    """A row for each method, a judged image of each centre beside each other, the reference's first."""
    figure = Figure(figsize=(1.8 * len(centres) + 0.3, 1.8 * len(shown)), layout="constrained")
    grid = figure.subplots(len(shown), len(centres), squeeze=False)
    for row, (method, images) in enumerate(shown.items()):
        line = grid[row]
        for number, (axes, centre) in enumerate(zip(line, centres, strict=True)):
            axes.imshow(np.asarray(images[number * JUDGED])[:256, :256])
            axes.set(xticks=[], yticks=[])
            if row == 0:
                axes.set_title(centre.replace("_", " ") + (" (reference)" if number == 0 else ""), fontsize=8)
        line[0].set_ylabel(method, fontsize=8)
    figure.savefig(path, format="png", dpi=130)


if __name__ == "__main__":
    main()
