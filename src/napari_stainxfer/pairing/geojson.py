"""Pairs as GeoJSON that QuPath opens, shows and lets a person correct."""

from __future__ import annotations

import colorsys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import geojson

from napari_stainxfer.errors import PairsError
from napari_stainxfer.files import replacing
from napari_stainxfer.pairing.pairs import Pair, PairedSlide, Pairs
from napari_stainxfer.patches import Patch
from napari_stainxfer.slides import Box, Slide

_KEY = "stainxfer"


def save_pairs(path: str | Path, pairs: Pairs) -> None:
    """Write a FeatureCollection of rectangles in level-0 pixels, two for each pair.

    Both slides' rectangles stand in one file, named and coloured alike by pair; the class of each says
    on which slide it lies. Written whole or not at all.
    """
    features = []
    for number, pair in enumerate(pairs.pairs, start=1):
        for role, patch, slides in (
            ("source", pair.source, pairs.sources),
            ("reference", pair.reference, pairs.references),
        ):
            features.append(_feature(number, role, patch, slides[patch.slide], pair.score, len(pairs.pairs)))
    collection = geojson.FeatureCollection(features, **{_KEY: {"patch_px": pairs.patch_px, "mpp": pairs.mpp}})
    target = Path(path)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with replacing(target) as temporary:
            temporary.write_text(geojson.dumps(collection, indent=1), encoding="utf-8")
    except OSError as error:
        raise PairsError(f"Cannot write {target}: {error.strerror}; choose another place.") from None


def load_pairs(path: str | Path, references: Sequence[Slide], sources: Sequence[Slide]) -> Pairs:
    """Read pairs back, also after a person moved, deleted or renamed rectangles in another program.

    Raises
    ------
    PairsError
        When the file is damaged, holds no whole pair, or belongs to other slides.
    """
    try:
        collection = geojson.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise PairsError(f"Cannot read the pairs {path}: {error.strerror}.") from None
    except ValueError as error:
        raise PairsError(f"{path} is not GeoJSON ({error}); write it again with `stainxfer pair`.") from None
    try:
        about = collection[_KEY]
        patch_px, mpp = int(about["patch_px"]), float(about["mpp"])
        sides: dict[str, dict[int, tuple[Patch, float]]] = {"source": {}, "reference": {}}
        for feature in collection["features"]:
            ours = feature["properties"].get(_KEY)
            if ours is None:
                continue  # an annotation of the user's own
            slides = references if ours["role"] == "reference" else sources
            patch = Patch(_box(feature["geometry"]), patch_px, 1.0, _which(ours, slides, path))
            sides[ours["role"]][int(ours["pair"])] = (patch, float(ours["score"]))
    except (KeyError, TypeError, ValueError, IndexError, AttributeError):
        raise PairsError(
            f"{path} does not hold pairs of this program; write it again with `stainxfer pair`."
        ) from None
    whole = sorted(sides["source"].keys() & sides["reference"].keys())
    if not whole:
        raise PairsError(f"{path} holds no whole pair; each needs a source and a reference rectangle.")
    return Pairs(
        tuple(Pair(sides["source"][n][0], sides["reference"][n][0], sides["source"][n][1]) for n in whole),
        tuple(PairedSlide.of(slide) for slide in references),
        tuple(PairedSlide.of(slide) for slide in sources),
        patch_px,
        mpp,
    )


def _feature(
    number: int, role: str, patch: Patch, slide: PairedSlide, score: float, of: int
) -> geojson.Feature:
    y, x, height, width = patch.box
    ring = [(x, y), (x + width, y), (x + width, y + height), (x, y + height), (x, y)]
    colour = [round(255 * part) for part in colorsys.hsv_to_rgb((number - 1) / of, 0.85, 0.9)]
    return geojson.Feature(
        geometry=geojson.Polygon([ring]),
        properties={
            "objectType": "annotation",
            "name": f"{role} {number}",
            "color": colour,
            "classification": {"name": role, "color": colour},
            _KEY: {
                "role": role,
                "pair": number,
                "score": score,
                "slide": slide.name,
                "fingerprint": slide.fingerprint,
            },
        },
    )


def _box(geometry: dict[str, Any]) -> Box:
    """The rectangle around a polygon, to whole pixels."""
    xs, ys = zip(*geometry["coordinates"][0], strict=True)
    y, x = round(min(ys)), round(min(xs))
    box = Box(y, x, round(max(ys)) - y, round(max(xs)) - x)
    if box.height < 1 or box.width < 1:
        raise ValueError("an empty rectangle")
    return box


def _which(ours: dict[str, Any], slides: Sequence[Slide], path: str | Path) -> int:
    """Which of the slides a rectangle was drawn on: by content, whatever the file is called now."""
    for index, slide in enumerate(slides):
        if slide.fingerprint() == ours["fingerprint"]:
            return index
    raise PairsError(
        f"{path} holds pairs on {ours['slide']}, which is not among the {ours['role']} slides given."
    )
