"""Writes docs/results.md from what the commands on the page left in folders.

    stainxfer bench table1 --seeds 0,1,2 -o table1
    stainxfer bench table2 --methods reinhard,macenko,vahadane,nst-ad-hrnet --seeds 0,1,2 -o table2
    python docs/measure_real_labs.py camelyon17_centres real
    pytest -s tests/bench/test_phantom_tables.py -k pairing > pairing.txt
    python docs/write_results.py --table1 table1 --table2 table2 --real real --pairing pairing.txt

Nothing on the page is typed by hand but the sentences around the tables; what was not measured is not there.
"""

from __future__ import annotations

import argparse
import json
import re
from pathlib import Path
from statistics import fmean, pstdev
from typing import Any

import numpy as np
from PIL import Image

DOCS = Path(__file__).parent
IMAGES = DOCS / "pictures"
SETTINGS = ("raw", "nst", "nst-ad", "nst-hrnet", "nst-ad-hrnet", "reference")
ABLATED = {"perceptual_distance": 3, "delta_e": 2, "red_cell_hue": 1, "structure": 3, "fit_seconds": 0}
CLASSICAL = ("histogram", "reinhard", "ruifrok", "nmf", "macenko", "vahadane", "dcgmm")
CROP_PX, SHOWN_FIELDS, WIDEST_PX = 224, 2, 1800

HEAD = """# Results

Written by `python docs/write_results.py` from what the commands below left behind. They run offline, on
synthetic kidney slides, but for the last section; what was chosen for each method is told in
[methods.md](methods.md), and how the labs are judged in [eight-labs.md](eight-labs.md). No GPU was at
hand: these are a laptop's settings (`quick`) on small slides, not the paper's sizes, and its numbers
cannot be compared with them one by one.
"""
TABLE1 = """## Pairs of two scanners

Lab 2 to lab 1, at 1.0 um/px. Fitted on two slides of different tissue, judged on a third that both labs
see; settings were chosen on other tissue. Mean and standard deviation over fields and seeds; seconds and
Mpx/s with one thread, on a machine that had other work on its other core. The first method in the list
pays for drawing the slides.

`nst-hrnet` and `nst-ad-hrnet` are nearest to the truth by every measure that compares with it, and as near as
each other. Where they lose: every classical method is fitted in seconds and applied faster, and
{closer} keep the source's densities closer, for these sharpen as lab 1's
scanner does; and clear places change about as much as with macenko. StainGAN was given as many epochs as the
first few told to fit into the seconds of `nst-ad-hrnet`, and took {took} of them. It is far from
done in that time; its papers give it hours, and larger networks (`--preset paper`). Johnson's network
(`nst`, `nst-ad`) has no skip from its input and needs longer, too.
"""
ABLATION = """## The paper's four settings

The rows of the same table, with and without the HRNet and the discriminator.
"""
PAIRING = """## Pairing by content and by chance

The same twenty patches of each side, paired by content and shuffled (`pytest -s
tests/bench/test_phantom_tables.py -k pairing`; mean and standard deviation of three seeds, two threads).
The paper's losses compare every patch with its partner: content buys them 0.4 of delta E, and of the
distance less than seeds differ by. `quick` learns its colours from all pairs together, and takes half of
its style from all reference patches: content buys it 0.1 of delta E and nothing of the distance.
"""
TABLE2 = """## Eight labs

Dice of glomeruli found by a segmenter that knows lab 1 alone. Mean and standard deviation over seeds,
each a segmenter and a training of its own.
"""
REAL = """## Real labs

Lymph nodes from five centres (CAMELYON17, CC0), `python docs/measure_real_labs.py`. There is no truth.
What is left to measure is whether structures were kept, and how unlike each other the centres are (NMI
spread, of two judged images of each). That spread says little here: the images of one centre differ about
as much among each other, by their tissue, as the centres do, and no method lowers it by much. The picture
says more; on three images to learn from, `nst-ad-hrnet` looks much like the classical methods there.
"""


def told(folder: Path) -> str:
    """The text of the first table, with what has to be read off it."""
    table = json.loads((folder / "table1.json").read_text(encoding="utf-8"))["table"]
    kept = {name: fmean(row["structure"]) for name, row in table.items()}
    closer = [f"`{name}`" for name in CLASSICAL if kept.get(name, 0) > kept["nst-ad-hrnet"]]
    given = fmean(table["nst-ad-hrnet"]["fit_seconds"])
    took = [
        f"{fmean(table[name]['fit_seconds']) / given:.2f} (`{name}`)"
        for name in ("staingan", "staingan-identity")
        if name in table
    ]
    return TABLE1.format(closer=" and ".join([", ".join(closer[:-1]), closer[-1]]), took=" and ".join(took))


def section(folder: Path, name: str, text: str) -> str:
    """Text, table, facts and picture of a run of ``stainxfer bench``."""
    table, _, listed = (folder / f"{name}.md").read_text(encoding="utf-8").partition("\n\n")
    return f"{text}\n{table}\n\n{listed.strip()}\n\n{picture(folder / f'{name}.png', name)}\n"


def picture(path: Path, name: str) -> str:
    """Copy a panel, made smaller where it is wide."""
    with Image.open(path) as panel:
        panel.thumbnail((WIDEST_PX, WIDEST_PX))
        panel.convert("RGB").save(IMAGES / f"{name}.jpg", quality=80)
    return f"![{name}](pictures/{name}.jpg)"


def ablation(folder: Path) -> str:
    """The four settings' rows, and the same fields through each."""
    content = json.loads((folder / "table1.json").read_text(encoding="utf-8"))
    table, seed = content["table"], content["facts"]["seeds"][0]
    if not set(SETTINGS[1:-1]) <= table.keys():
        return ""
    lines = ["| | " + " | ".join(ABLATED).replace("_", " ") + " |", "|---" * (len(ABLATED) + 1) + "|"]
    for method in ("raw", *SETTINGS[1:-1]):
        cells = (cell(table[method].get(measure), digits) for measure, digits in ABLATED.items())
        lines.append(f"| {method} | " + " | ".join(cells) + " |")
    rows = []
    for field in range(SHOWN_FIELDS):
        crops = [crop(folder / f"seed{seed}" / f"{method}.{field}.png") for method in SETTINGS]
        rows.append(np.concatenate(crops, axis=1))
    Image.fromarray(np.concatenate(rows)).save(IMAGES / "four_settings.jpg", quality=88)
    shown = (
        f"![{' | '.join(SETTINGS)}](pictures/four_settings.jpg)\n\nFrom left to right: {', '.join(SETTINGS)}."
    )
    return ABLATION + "\n" + "\n".join(lines) + f"\n\n{shown}\n"


def cell(values: list[float] | None, digits: int) -> str:
    """Mean and standard deviation."""
    if not values:
        return "–"
    return f"{fmean(values):.{digits}f} ± {pstdev(values):.{digits}f}"


def crop(path: Path) -> np.ndarray[Any, Any]:
    """The middle of a picture, on a white margin."""
    with Image.open(path) as image:
        top, left = ((side - CROP_PX) // 2 for side in (image.height, image.width))
        cut = np.asarray(image.crop((left, top, left + CROP_PX, top + CROP_PX)))
    return np.pad(cut, ((2, 2), (2, 2), (0, 0)), constant_values=255)


def pairing(path: Path) -> str:
    """The rows that the benchmark printed."""
    rows = re.findall(
        r"^(quick|paper's losses), paired (.+?), \d+ seeds \| (.+)$", path.read_text(encoding="utf-8"), re.M
    )
    lines = [f"| {losses} | {how} | {values} |" for losses, how, values in rows]
    head = [
        "| losses | paired | perceptual distance | delta E 2000 | red-cell hue error |",
        "|---|---|---|---|---|",
    ]
    return PAIRING + "\n" + "\n".join(head + lines) + "\n"


def real(folder: Path) -> str:
    """Table, facts and picture of the real labs."""
    content = json.loads((folder / "real.json").read_text(encoding="utf-8"))
    lines = ["| | NMI spread ↓ | structure kept ↑ | fit, s |", "|---|---|---|---|"]
    lines += [
        f"| {name} | {row['nmi_spread']:.3f} | {row['structure']:.3f} | {row['fit_seconds']:.1f} |"
        for name, row in content["table"].items()
    ]
    facts = [f"- {name}: {value}" for name, value in content["facts"].items()]
    parts = [REAL, "\n".join(lines), "\n".join(facts), picture(folder / "real.png", "real_labs")]
    return "\n\n".join(part.strip() for part in parts) + "\n"


def main() -> None:
    """Write the page from what is given."""
    reader = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    for name in ("--table1", "--table2", "--real", "--pairing"):
        reader.add_argument(name, type=Path)
    given = reader.parse_args()
    parts = [HEAD]
    if given.table1:
        parts += [section(given.table1, "table1", told(given.table1)), ablation(given.table1)]
    if given.pairing:
        parts.append(pairing(given.pairing))
    if given.table2:
        parts.append(section(given.table2, "table2", TABLE2))
    if given.real:
        parts.append(real(given.real))
    (DOCS / "results.md").write_text("\n".join(part for part in parts if part), encoding="utf-8")


if __name__ == "__main__":
    main()
