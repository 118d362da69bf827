"""Writes docs/results.md from the folders of the two tables.

    stainxfer bench table1 --seeds 0,1,2 -o table1
    stainxfer bench table2 --seeds 0,1,2 -o table2
    python docs/write_results.py table1 table2

Nothing on the page is typed by hand but the sentences around the tables; what a run did not measure is not
there.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from PIL import Image

DOCS = Path(__file__).parent
HEAD = """# Results

Made by `python docs/write_results.py`, from what two commands wrote. Both run offline, on synthetic kidney
slides; what was chosen for each method is told in [methods.md](methods.md), and how the labs are judged in
[eight-labs.md](eight-labs.md). Small slides and a laptop's settings: these are not the paper's sizes, and its
numbers cannot be compared with them one by one.
"""
SECTIONS = {
    "table1": """## Pairs of two scanners

Lab 2 to lab 1. Fitted on two slides of different tissue, judged on a third that both labs see. Mean and
standard deviation over fields and seeds; seconds and Mpx/s as the machine below gave them.
""",
    "table2": """## Eight labs

A segmenter of glomeruli that knows lab 1 alone. Mean and standard deviation over seeds, each a segmenter and
a training of its own.
""",
}


def section(folder: Path, name: str) -> str:
    """Text, table, command and picture of one run."""
    facts = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))["facts"]
    table, _, listed = (folder / f"{name}.md").read_text(encoding="utf-8").partition("\n\n")
    seeds = ",".join(str(seed) for seed in facts["seeds"])
    picture = DOCS / "images" / f"{name}.jpg"
    with Image.open(folder / f"{name}.png") as panel:
        panel.convert("RGB").save(picture, quality=85)
    command = f"`stainxfer bench {name} --seeds {seeds} -o {name}`"
    return f"{SECTIONS[name]}\n{table}\n\n{command}\n\n{listed.strip()}\n\n![{name}](images/{picture.name})\n"


def main() -> None:
    """Write the page from the folders that are given."""
    reader = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    reader.add_argument("folders", type=Path, nargs="+", help="Folders of the tables, in their order.")
    parts = [HEAD]
    for folder in reader.parse_args().folders:
        name = next(name for name in SECTIONS if (folder / f"{name}.json").exists())
        parts.append(section(folder, name))
    (DOCS / "results.md").write_text("\n".join(parts), encoding="utf-8")


if __name__ == "__main__":
    main()
