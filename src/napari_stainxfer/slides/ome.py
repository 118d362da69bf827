"""The part of OME-XML that a brightfield slide needs: read it, and write it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from xml.etree import ElementTree

_NAMESPACE = "http://www.openmicroscopy.org/Schemas/OME/2016-06"
_PROVENANCE_NAMESPACE = "napari-stainxfer/provenance"
_UM_PER_UNIT = {
    "m": 1e6,
    "cm": 1e4,
    "mm": 1e3,
    "µm": 1.0,
    "μm": 1.0,
    "um": 1.0,
    "nm": 1e-3,
    "pm": 1e-6,
    "Å": 1e-4,
    "in": 25400.0,
}


def read_ome(xml: str, index: int) -> dict[str, object]:
    """Read um/px, magnification and our provenance of the image number ``index``.

    Raises
    ------
    xml.etree.ElementTree.ParseError
        If the text is not XML.
    """
    root = ElementTree.fromstring(xml)
    images = root.findall("{*}Image")
    image = images[index] if index < len(images) else images[0]
    known: dict[str, object] = {}
    pixels = image.find("{*}Pixels")
    if pixels is not None and "PhysicalSizeX" in pixels.attrib:
        um = _UM_PER_UNIT.get(pixels.attrib.get("PhysicalSizeXUnit", "µm"))
        if um is not None:
            known["mpp"] = float(pixels.attrib["PhysicalSizeX"]) * um
    settings = image.find("{*}ObjectiveSettings")
    for objective in root.iterfind(".//{*}Objective"):
        if settings is None or objective.attrib.get("ID") == settings.attrib.get("ID"):
            known["magnification"] = objective.attrib.get("NominalMagnification")
            break
    for note in root.iterfind("{*}StructuredAnnotations/{*}CommentAnnotation"):
        value = note.find("{*}Value")
        if note.attrib.get("Namespace") == _PROVENANCE_NAMESPACE and value is not None:
            known["provenance"] = json.loads(value.text or "{}")
            known["vendor"] = "napari-stainxfer"
    return known


def write_ome(
    *,
    name: str,
    shape: tuple[int, int],
    mpp: float | None,
    magnification: float | None,
    provenance: Mapping[str, object],
) -> str:
    """Write OME-XML (schema 2016-06) for one RGB image.

    Provenance becomes one comment annotation, a JSON object, that the image refers to.
    """
    ElementTree.register_namespace("", _NAMESPACE)
    root = _element(None, "OME", Creator="napari-stainxfer")
    if magnification is not None:
        instrument = _element(root, "Instrument", ID="Instrument:0")
        _element(instrument, "Objective", ID="Objective:0", NominalMagnification=repr(float(magnification)))
    image = _element(root, "Image", ID="Image:0", Name=name)
    if magnification is not None:
        _element(image, "InstrumentRef", ID="Instrument:0")
        _element(image, "ObjectiveSettings", ID="Objective:0")
    physical = {}
    if mpp is not None:
        physical = {f"PhysicalSize{axis}": repr(float(mpp)) for axis in "XY"}
        physical |= {f"PhysicalSize{axis}Unit": "µm" for axis in "XY"}
    pixels = _element(
        image,
        "Pixels",
        ID="Pixels:0",
        DimensionOrder="XYCZT",
        Type="uint8",
        Interleaved="true",
        SizeX=str(shape[1]),
        SizeY=str(shape[0]),
        SizeZ="1",
        SizeC="3",
        SizeT="1",
        **physical,
    )
    _element(pixels, "Channel", ID="Channel:0:0", SamplesPerPixel="3")
    _element(pixels, "TiffData", IFD="0", PlaneCount="1")
    _element(image, "AnnotationRef", ID="Annotation:0")
    notes = _element(root, "StructuredAnnotations")
    note = _element(notes, "CommentAnnotation", ID="Annotation:0", Namespace=_PROVENANCE_NAMESPACE)
    _element(note, "Value").text = json.dumps(provenance, sort_keys=True)
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=False)


def _element(parent: ElementTree.Element | None, tag: str, **attributes: str) -> ElementTree.Element:
    qualified = f"{{{_NAMESPACE}}}{tag}"
    if parent is None:
        return ElementTree.Element(qualified, attributes)
    return ElementTree.SubElement(parent, qualified, attributes)
