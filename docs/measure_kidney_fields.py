"""Measures kidney fields that are stained differently, raw and after each method.

    python docs/measure_kidney_fields.py kidney_masks

The folder holds 256 px fields with masks beside them (`*_mask_*.png`, not read here). The first field is
the reference. Classical methods are fitted on each other field by itself, the network once on all of them,
and both are judged on what they were fitted on: of most stains there are too few fields to keep one aside.
Prints the table of eight-labs.md.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from statistics import fmean

import numpy as np
from PIL import Image

from napari_stainxfer import fit
from napari_stainxfer.evaluation import METRICS, Compared
from napari_stainxfer.slides import RGB, Slide

MPP = 1.0
"""The files do not say, and their magnifications differ: whole glomeruli are 90 to 130 px wide."""
CLASSICAL = ("histogram", "reinhard", "macenko", "vahadane")
NETWORK = "nst-ad-hrnet"
SEED = 0


def main() -> None:
    """Measure, and print."""
    reader = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    reader.add_argument("images", type=Path, help="Folder of the fields.")
    paths = sorted(path for path in reader.parse_args().images.rglob("*.png") if "_mask_" not in path.name)
    reference, *fields = (np.asarray(Image.open(path).convert("RGB")) for path in paths)
    row("raw", reference, fields, fields)
    for method in CLASSICAL:
        after = [
            fit(slide(reference), slide(field), method=method, seed=SEED).transform(field, mpp=MPP)
            for field in fields
        ]
        row(method, reference, fields, after)
    model = fit(slide(reference), [slide(field) for field in fields], method=NETWORK, seed=SEED)
    row(NETWORK, reference, fields, [model.transform(field, mpp=MPP) for field in fields])


def slide(field: RGB) -> Slide:
    """A field as a slide of its own."""
    return Slide.from_array(field, mpp=MPP)


def row(method: str, reference: RGB, before: list[RGB], after: list[RGB]) -> None:
    """Print how unlike each other all fields are, and how much of their structure was kept."""
    spread = METRICS["nmi_spread"].measure([reference, *after])
    kept = fmean(
        METRICS["structure"](Compared(became, source=was)) for was, became in zip(before, after, strict=True)
    )
    print(f"| {method} | {spread:.3f} | {kept:.3f} |", flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
