"""Pairs as GeoJSON: exact round trips, hand edits welcome, damage refused in a sentence."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from napari_stainxfer.errors import PairsError
from napari_stainxfer.pairing import Pair, PairedSlide, Pairs, load_pairs, save_pairs
from napari_stainxfer.patches import Patch
from napari_stainxfer.slides import Box, Slide


def _slide(seed: int) -> Slide:
    pixels = np.random.default_rng(seed).integers(0, 256, (64, 64, 3), np.uint8)
    return Slide.from_array(pixels, mpp=0.5, name=f"slide {seed}")


REFERENCES, SOURCES = [_slide(1), _slide(2)], [_slide(3)]

boxes = st.builds(Box, *[st.integers(0, 100_000)] * 2, *[st.integers(1, 4096)] * 2)


def _patches(slides: list[Slide]) -> st.SearchStrategy[Patch]:
    return st.builds(Patch, boxes, st.just(256), st.just(1.0), st.integers(0, len(slides) - 1))


pairs_of = st.lists(
    st.builds(Pair, _patches(SOURCES), _patches(REFERENCES), st.floats(0, 1)), min_size=1, max_size=6
)


def _pairs(pairs: list[Pair]) -> Pairs:
    described = [tuple(PairedSlide.of(slide) for slide in side) for side in (REFERENCES, SOURCES)]
    return Pairs(tuple(pairs), *described, patch_px=256, mpp=1.0)


ONE = _pairs([Pair(Patch(Box(10, 20, 30, 30), 256, 1.0, 0), Patch(Box(1, 2, 30, 30), 256, 1.0, 1), 0.75)])


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40, deadline=None)
@given(pairs=pairs_of)
def test_round_trip(pairs: list[Pair], tmp_path: Path) -> None:
    save_pairs(tmp_path / "p.geojson", _pairs(pairs))
    assert load_pairs(tmp_path / "p.geojson", REFERENCES, SOURCES) == _pairs(pairs)


@pytest.mark.parametrize("side", ["source", "reference"])
def test_another_resolution_of_the_slide_is_refused(side: str, tmp_path: Path) -> None:
    """The boxes would be of another size in um than the patches that are to be cut."""
    save_pairs(tmp_path / "p.geojson", ONE)
    finer = {"source": SOURCES, "reference": REFERENCES}
    finer[side] = [slide.with_mpp(0.25) for slide in finer[side]]
    with pytest.raises(PairsError, match=rf"at 0\.5 um/px, not 0\.25; give it as --{side}-mpp 0\.5"):
        load_pairs(tmp_path / "p.geojson", finer["reference"], finer["source"])


def test_what_qupath_reads_is_there(tmp_path: Path) -> None:
    save_pairs(tmp_path / "p.geojson", ONE)
    collection = json.loads((tmp_path / "p.geojson").read_text())
    assert collection["type"] == "FeatureCollection"
    for feature in collection["features"]:
        ring = feature["geometry"]["coordinates"][0]
        assert feature["geometry"]["type"] == "Polygon"
        assert ring[0] == ring[-1]
        assert feature["properties"]["objectType"] == "annotation"
        assert len(feature["properties"]["classification"]["color"]) == 3


def test_what_qupath_does_not_know_is_not_needed(tmp_path: Path) -> None:
    """QuPath keeps id, name, colour, classification and metadata, and may write a bare list."""
    path = tmp_path / "p.geojson"
    save_pairs(path, ONE)
    kept = ("objectType", "name", "color", "classification", "metadata")
    features = []
    for feature in json.loads(path.read_text())["features"]:
        assert str(uuid.UUID(feature["id"])) == feature["id"]
        assert all(isinstance(value, str) for value in feature["properties"]["metadata"].values())
        properties = {key: feature["properties"][key] for key in kept}
        features.append({**feature, "properties": properties | {"isLocked": True}})
    for content in ({"type": "FeatureCollection", "features": features}, features):
        path.write_text(json.dumps(content))
        assert load_pairs(path, REFERENCES, SOURCES) == ONE


def test_slides_are_known_by_content_in_any_order(tmp_path: Path) -> None:
    path = tmp_path / "p.geojson"
    save_pairs(path, ONE)
    assert load_pairs(path, REFERENCES[::-1], SOURCES).pairs[0].reference.slide == 0


def test_the_same_pairs_give_the_same_file(tmp_path: Path) -> None:
    for name in ("a", "b"):
        save_pairs(tmp_path / name, ONE)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_failed_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "p.geojson"
    save_pairs(path, ONE)
    before = path.read_bytes()

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(PairsError, match="No space left"):
        save_pairs(path, ONE)
    assert path.read_bytes() == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["p.geojson"]


def _facts(feature: dict) -> dict:
    return feature["properties"]["metadata"]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda features: features.append(features[0]), "two source rectangles for pair 1"),
        (lambda features: _facts(features[0]).pop("stainxfer.score"), "does not hold pairs"),
        (lambda features: _facts(features[0]).update({"stainxfer.role": "both"}), "does not hold pairs"),
        (lambda features: _facts(features[0]).update({"stainxfer.score": "nan"}), "does not hold pairs"),
        (lambda features: _facts(features[0]).update({"stainxfer.patch_px": "99"}), "mixes patches"),
        (lambda features: features[0]["geometry"].update(coordinates=[[[1, 1], [1, 1]]]), "does not hold"),
        (lambda features: features[0]["geometry"].update(coordinates=[[[1e999, 1]]]), "not GeoJSON"),
        (lambda features: features[0].update(geometry=None), "does not hold pairs"),
    ],
)
def test_broken_edits_are_refused_in_a_sentence(
    change: Callable[[list[dict]], object], sentence: str, tmp_path: Path
) -> None:
    path = tmp_path / "p.geojson"
    save_pairs(path, ONE)
    collection = json.loads(path.read_text())
    change(collection["features"])
    path.write_text(json.dumps(collection))
    with pytest.raises(PairsError, match=sentence):
        load_pairs(path, REFERENCES, SOURCES)


def test_a_moved_box_and_a_foreign_annotation_are_welcome(tmp_path: Path) -> None:
    path = tmp_path / "p.geojson"
    save_pairs(path, ONE)
    collection = json.loads(path.read_text())
    ring = collection["features"][0]["geometry"]["coordinates"][0]
    collection["features"][0]["geometry"]["coordinates"] = [[[x + 5.4, y + 7.4] for x, y in ring]]
    collection["features"][0]["properties"]["isLocked"] = False
    foreign = {"type": "Feature", "properties": {}, "geometry": {"type": "Point", "coordinates": [1, 2]}}
    collection["features"].append(foreign)
    path.write_text(json.dumps(collection))
    assert load_pairs(path, REFERENCES, SOURCES).pairs[0].source.box == Box(17, 25, 30, 30)


def test_a_pair_whose_half_was_deleted_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "p.geojson"
    save_pairs(path, _pairs([ONE.pairs[0]] * 2))
    collection = json.loads(path.read_text())
    del collection["features"][0]
    path.write_text(json.dumps(collection))
    assert len(load_pairs(path, REFERENCES, SOURCES).pairs) == 1


@pytest.mark.parametrize("text", ["", "{", "[]", '{"type": "FeatureCollection", "features": []}', "\x00"])
def test_damage_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "p.geojson"
    path.write_text(text)
    with pytest.raises(PairsError, match=r"p\.geojson"):
        load_pairs(path, REFERENCES, SOURCES)


def test_pairs_of_other_slides_are_refused(tmp_path: Path) -> None:
    save_pairs(tmp_path / "p.geojson", ONE)
    with pytest.raises(PairsError, match="slide 3"):
        load_pairs(tmp_path / "p.geojson", REFERENCES, [_slide(9)])
    with pytest.raises(PairsError, match="nothing"):
        load_pairs(tmp_path / "nothing.geojson", REFERENCES, SOURCES)
