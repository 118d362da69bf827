"""How often slides are told as unlike those that a model learned from: the figures of `FAR` and the guide."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import numpy as np

from napari_stainxfer import open_slide
from napari_stainxfer.methods.familiarity import FAR, colour_distance, distance_to, tissue_colour
from napari_stainxfer.phantom import LABS, phantom_slide

LEARNED_FROM = 3
MPP = 0.5
"""Of CAMELYON17's fields, whose files do not say it."""


def test_fields_of_the_same_centre_and_of_others(real_data: Path) -> None:
    centres = {
        number: [
            tissue_colour(open_slide(path, mpp=MPP))
            for path in sorted((real_data / "camelyon17_centres").glob(f"centre_{number}_*.png"))
        ]
        for number in range(5)
    }
    same, other = [], []
    for number, colours in centres.items():
        others = [colour for one, theirs in centres.items() if one != number for colour in theirs]
        for learned in combinations(range(len(colours)), LEARNED_FROM):
            known = [colours[place] for place in learned]
            same += [distance_to(known, colours[one]) for one in range(len(colours)) if one not in learned]
            other += [distance_to(known, colour) for colour in others]
    told = [np.mean([distance > FAR for distance in side if distance is not None]) for side in (same, other)]
    print(f"\ntold as unlike: {told[0]:.0%} of the same centre, {told[1]:.0%} of another", flush=True)
    assert told[0] <= 0.05
    assert told[1] >= 0.25


def test_slides_of_the_same_synthetic_lab_and_of_others() -> None:
    labs = [
        [tissue_colour(phantom_slide(lab, seed=seed, size_px=(1024, 1024))) for seed in (1, 2)]
        for lab in LABS
    ]
    known = [[colour for colour in lab if colour is not None] for lab in labs]
    within = max(colour_distance(*lab) for lab in known)
    apart = [colour_distance(one[0], other[1]) for one, other in combinations(known, 2)]
    far = sum(distance > FAR for distance in apart)
    print(
        f"\nwithin a lab at most {within:.1f}; {far} of {len(apart)} pairs of labs over {FAR:.0f}", flush=True
    )
    assert within < FAR / 2
    assert far > len(apart) / 2
