"""Pairs as GeoJSON that QuPath opens, shows and lets a person correct.

Of a feature's properties QuPath keeps name, colour, classification and ``metadata`` (strings), and
drops what it does not know, on the collection too. So everything of ours stands in the metadata of
each feature, and a file that went through QuPath still loads.
"""

from __future__ import annotations

import colorsys
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import geojson

from napari_stainxfer.errors import PairsError
from napari_stainxfer.files import replacing
from napari_stainxfer.pairing.pairs import Pair, PairedSlide, Pairs
from napari_stainxfer.patches import Patch
from napari_stainxfer.slides import Box, Slide

_PREFIX = "stainxfer."
_NAMESPACE = uuid.UUID("5b1c0f6e-6f5e-4d38-9c55-2c8f3f2f4e11")
_MPP_TOLERANCE = 0.01
_ROLES = ("source", "reference")


def save_pairs(path: str | Path, pairs: Pairs) -> None:
    """Write a FeatureCollection of rectangles in level-0 pixels, two for each pair.

    Both slides' rectangles stand in one file, named and coloured alike by pair; the class of each says
    on which side it lies, its metadata on which slide. Written whole or not at all.

    Raises
    ------
    PairsError
        If the file cannot be written.
    """
    features = []
    for number, pair in enumerate(pairs.pairs, start=1):
        colour = [
            round(255 * part) for part in colorsys.hsv_to_rgb((number - 1) / len(pairs.pairs), 0.85, 0.9)
        ]
        for role, patch, slides in (
            ("source", pair.source, pairs.sources),
            ("reference", pair.reference, pairs.references),
        ):
            slide = slides[patch.slide]
            facts = {
                "pair": number,
                "role": role,
                "score": pair.score,
                "patch_px": pairs.patch_px,
                "mpp": pairs.mpp,
                "slide": slide.name,
                "fingerprint": slide.fingerprint,
                "slide_mpp": slide.mpp,
            }
            features.append(_feature(patch.box, facts, colour))
    text = geojson.dumps(geojson.FeatureCollection(features), indent=1)
    target = Path(path)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with replacing(target) as temporary:
            temporary.write_text(text, encoding="utf-8")
    except OSError as error:
        raise PairsError(f"Cannot write {target}: {error.strerror}; choose another place.") from None


def load_pairs(path: str | Path, references: Sequence[Slide], sources: Sequence[Slide]) -> Pairs:
    """Read pairs back, also after a person moved, deleted or renamed rectangles in another program.

    Other annotations in the file are passed over, and so is a pair of which one half is gone. A shape
    that is no longer a rectangle counts as the rectangle around it.

    Parameters
    ----------
    path
        File written by `save_pairs`.
    references, sources
        The slides that the pairs lie on, in any order; they are known by their content.

    Raises
    ------
    PairsError
        If the file is damaged, holds no whole pair, or belongs to other slides or another um/px.
    """
    try:
        content = geojson.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise PairsError(f"Cannot read the pairs {path}: {error.strerror}; check the path.") from None
    except (ValueError, RecursionError):
        raise PairsError(f"{path} is not GeoJSON; write it again with 'stainxfer pair'.") from None
    slides = {"source": sources, "reference": references}
    boxes: dict[tuple[int, str], tuple[Patch, float]] = {}
    scales: set[tuple[int, float]] = set()
    try:
        # A bare list of features is QuPath's other way of writing them.
        for feature in content if isinstance(content, list) else content["features"]:
            facts = _facts(feature)
            if not facts:
                continue
            number, role, score = int(facts["pair"]), facts["role"], float(facts["score"])
            scale = int(facts["patch_px"]), float(facts["mpp"])
            if role not in _ROLES or min(scale) <= 0 or not 0 <= score <= 1:
                raise ValueError(facts)
            if (number, role) in boxes:
                raise PairsError(f"{path} has two {role} rectangles for pair {number}; delete one of them.")
            index = _which(facts, slides[role], path)
            boxes[number, role] = Patch(_box(feature["geometry"]), scale[0], 1.0, index), score
            scales.add(scale)
    except (KeyError, TypeError, ValueError, IndexError, AttributeError, OverflowError):
        raise PairsError(
            f"{path} does not hold pairs as this program writes them; write it again with 'stainxfer pair'."
        ) from None
    whole = [number for number, role in boxes if role == "source" and (number, "reference") in boxes]
    if not whole:
        raise PairsError(f"{path} holds no whole pair; each needs a source and a reference rectangle.")
    if len(scales) > 1:
        raise PairsError(f"{path} mixes patches of different sizes; write it again with 'stainxfer pair'.")
    patch_px, mpp = scales.pop()
    return Pairs(
        tuple(
            Pair(boxes[number, "source"][0], boxes[number, "reference"][0], boxes[number, "source"][1])
            for number in sorted(whole)
        ),
        tuple(PairedSlide.of(slide) for slide in references),
        tuple(PairedSlide.of(slide) for slide in sources),
        patch_px,
        mpp,
    )


def _feature(box: Box, facts: Mapping[str, object], colour: list[int]) -> geojson.Feature:
    y, x, height, width = box
    ring = [(x, y), (x + width, y), (x + width, y + height), (x, y + height), (x, y)]
    return geojson.Feature(
        # QuPath wants a UUID; made of the facts so that the same pairs give the same file.
        id=str(uuid.uuid5(_NAMESPACE, f"{facts} {box}")),
        geometry=geojson.Polygon([ring]),
        properties={
            "objectType": "annotation",
            "name": f"{facts['role']} {facts['pair']}",
            "color": colour,
            "classification": {"name": facts["role"], "color": colour},
            "metadata": {_PREFIX + key: str(value) for key, value in facts.items()},
        },
    )


def _facts(feature: Mapping[str, Any]) -> dict[str, str]:
    """What `save_pairs` said about a rectangle; empty for an annotation of the user's own."""
    metadata = (feature.get("properties") or {}).get("metadata") or {}
    return {key.removeprefix(_PREFIX): value for key, value in metadata.items() if key.startswith(_PREFIX)}


def _box(geometry: Mapping[str, Any]) -> Box:
    """The rectangle around a polygon, to whole pixels."""
    xs, ys = zip(*(point[:2] for point in geometry["coordinates"][0]), strict=True)
    y, x = round(min(ys)), round(min(xs))
    box = Box(y, x, round(max(ys)) - y, round(max(xs)) - x)
    if box.height < 1 or box.width < 1:
        raise ValueError(box)
    return box


def _check_mpp(slide: Slide, drawn_at: float, role: str, path: str | Path) -> None:
    """Refuse boxes of another size in um than the slide's pixels now make them."""
    if abs(slide.require_mpp() / drawn_at - 1) > _MPP_TOLERANCE:
        raise PairsError(
            f"{path} was made with {slide.name} at {drawn_at:g} um/px, not {slide.mpp:g}; give it as "
            f"--{role}-mpp {drawn_at:g}, or suggest pairs anew."
        )


def _which(facts: Mapping[str, str], slides: Sequence[Slide], path: str | Path) -> int:
    """Which of the slides a rectangle was drawn on: by content, whatever the file is called now."""
    for index, slide in enumerate(slides):
        if slide.fingerprint() == facts["fingerprint"]:
            _check_mpp(slide, float(facts["slide_mpp"]), facts["role"], path)
            return index
    raise PairsError(
        f"{path} holds pairs on {facts['slide']}, which is not among the {facts['role']} slides given; "
        "give that slide, or suggest pairs anew."
    )
